"""Wrong lines for the emulator's compiled kernels, and the library that has one of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

from models.child_process import run_child
from models.errors import BuildError

__all__ = ["NATIVE_FAULTS", "SOURCES", "NativeFault", "build_library"]

SOURCES = Path(__file__).resolve().parents[2] / "host" / "emulator" / "native"


class NativeFault(NamedTuple):
    """`wrong` in place of `found`, which occurs once in a file, and the test by which `path` must see it."""

    file: str
    found: str
    wrong: str
    test: str
    path: str

    @property
    def model(self) -> str:
        """Beside the models of `scripts.verify.plant_faults`."""
        return "native"

    @property
    def place(self) -> str:
        """File and change, for people."""
        return " ".join(f"{self.file}: {self.found} => {self.wrong}".split())

    def planted(self) -> str:
        """The file's text with the fault; `ValueError` where its place does not occur exactly once."""
        text = (SOURCES / self.file).read_text(encoding="utf-8")
        if text.count(self.found) != 1:
            raise ValueError(f"{self.file}: {self.found!r} occurs {text.count(self.found)} times, not once")
        return text.replace(self.found, self.wrong)


def build_library(fault: NativeFault, folder: Path) -> None:
    """Compile the library with the fault to `folder`/_native, its sources in `folder`/native.

    Of the paths it has the fault's and the plain one; this makes it in a second.
    """
    native = folder / "native"
    shutil.copytree(SOURCES, native)
    (native / fault.file).write_text(fault.planted(), encoding="utf-8")
    paths = {path.stem: path for path in native.glob("path_*.c")}
    kept = {"path_portable", "path_" + fault.path.replace("-", "_")}
    absent = folder / "absent.c"
    absent.write_text('#include "machine.h"\n' + "".join(f"const path {name};\n" for name in sorted({*paths} - kept)),
                      encoding="utf-8")
    command = ["cc", "-O1", "-std=gnu11", "-fopenmp", "-shared", "-fPIC", f"-I{native}", "-o",
               folder / f"_native{EXTENSION_SUFFIXES[0]}", native / "run.c", absent, *(paths[name] for name in kept)]
    done = run_child([*map(str, command), "-lm"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise BuildError(f"cc failed: {' '.join(done.stderr.split())}")


# file and test: (found, wrong), ...
_FAULTS = {
    ("numbers.h", "units"): (
        ("(quotient & 1) > half", "(quotient & 1) >= half"),
        ("max64(((int64_t)1 << s) >> 1, 1)", "(((int64_t)1 << s) >> 1)"),
        ("e < EXPONENT_MIN)", "e < -128)"),
        ("over = e > EXPONENT_MAX;", "over = e > 127;"),
        ("finish(m, length - 1)", "finish(m, length)"),
        ("a.e < -128) return 0", "a.e < -127) return 0"),
        ("a.e > 127) return", "a.e > 126) return"),
        ("product >> (23 + carry)", "product >> 23"),
        ("a.e - b.e - 1 + carry", "a.e - b.e + carry"),
        ("max64(0, min64(-right, bits))", "max64(0, min64(-right, 4))"),
        ("rounded < 0 ? -s.limit", "rounded < 0 ? -s.limit - 1"),
        ("<= s.fits", "< s.fits"),
    ),
    ("numbers.h", "norms"): (
        ("return s >= 63 ? 0 :", "return s >= 64 ? 0 :"),
        ("a.m < b.m);", "a.m <= b.m);"),
        ("return a.e < b.e ||", "return a.e <= b.e ||"),
        ("max64(big.e - small.e, 0), 24)", "max64(big.e - small.e, 0), 23)"),
        ("carry = total >> 24;", "carry = 0;"),
        ("radicand = a.m << (23 + odd)", "radicand = a.m << 23"),
        ("(a.e - odd) >> 1", "(a.e + odd) >> 1"),
        ("left, right >= 63}", "left, false}"),
    ),
    ("vector.h", "test_norm_of_the_residual"): (
        ("bit_length(largest) - 23", "bit_length(largest) - 24"),
        ("narrow = round_shift_62(x[i], k)", "narrow = x[i] >> k"),
        ("round_shift_62(x[i] * gains[i], k)", "round_shift_62(x[i], k) * gains[i]"),
        ("gain, 13) +", "gain, 12) +"),
        ("!= NO_CLIP", "!= 0x10000"),
        ("magnitude(y) <= scaled", "magnitude(y) < scaled"),
        ("squares += narrow * narrow", "squares += narrow * (narrow - 1)"),
        ("mul(unit, unit)), from", "unit), from"),
        ("divide(m->constants[ONE], y_unit), 40", "y_unit, 40"),
        ("op->tap_add_exponent, 40), clip", "op->tap_add_exponent, 39), clip"),
        ("op->levels16 ? 16 : 8", "op->levels16 ? 15 : 8"),
        ("zeros += q[i] == 0", "zeros += q[i] == 1"),
        ("low ? c[STEP_7] :", "low ? c[INVERSE_7] :"),
        ("low ? mul(y_unit, c[CLAMPED_7]) :", ""),
    ),
    ("vector.h", "test_norm_of_a_row_that_threads_share"): (
        ("all.largest = max64(all.largest, parts[i].largest)", "all.largest = parts[i].largest"),
        ("all.squares += parts[i]", "all.squares = parts[i]"),
        ("all.gained = max64(all.gained, parts[i].gained)", "all.gained = parts[i].gained"),
        ("m->gains + begin", "m->gains"),
        ("h = m->residual + row * op->count + begin;\n        for", "h = m->residual + row * op->count;\n        for"),
        ("op->first_row) * op->count + begin", "op->first_row) * op->count"),
        ("out += begin / STEP_PLACES * stride", "out += 0"),
        ("+= parts[i].squares;", "+= parts[0].squares;"),
    ),
    ("vector.h", "test_matmul"): (
        ("sum += q[i];", "sum += q[i] & 127;"),
        ("bytes[b * TRITS + j]", "bytes[b * TRITS + 4 - j]"),
        ("m->inputs[row] = count", "m->inputs[row] = count - 1"),
    ),
    ("vector.h", "test_norm_of_the_attention_aligns_its_groups"): (
        ("top = max64(top, exponents[g])", "top = max64(top, exponents[g - 1])"),
        ("x[i] = round_shift_62(x[i], k)", "x[i] >>= k"),
        ("align = top - exponents[i / size]", "align = min64(top - exponents[i / size], 24)"),
    ),
    ("vector.h", "test_last_bit_of_relu2"): (
        ("g * g * u", "g * g * (u | 1)"),
        ("max64(min64(gate[i], limit), 0)", "clip64(gate[i], limit)"),
    ),
    ("vector.h", "test_last_bit_of_the_sigmoid"): (("rest + 256) >> 9", "rest + 255) >> 9"),),
    ("vector.h", "test_gated_product_saturates_sums_and_scales"): (
        ("m->row_sums + begin;", "m->row_sums;"),
        ("op->gate_scale)), 14, 19)", "op->gate_scale)), 14, 18)"),
        ("up_unit), -16)", "up_unit), -15)"),
    ),
    ("machine.h", "test_gated_product_saturates_sums_and_scales"): (("(1 << 20) - 1", "(1 << 21) - 1"),),
    ("vector.h", "test_wide_products_with_gains"): (
        ("(odd << k) + rest", "rest"),
        ("k <= 24", "k <= 26"),
    ),
    ("vector.h", "test_residual_add"): (
        ("magnitude(x[i]) > limit", "x[i] > limit"),
        ("outputs_per_step + begin;\n        scaling", "outputs_per_step;\n        scaling"),
        ("thread + 1, threads) - begin;\n    }", "thread + 1, threads) - begin - 1;\n    }"),
        ("saturations = 0, limit = limit_of(32)", "saturations = 0, limit = limit_of(32) + 1"),
        ("power(op->fraction_bits), 32", "power(op->fraction_bits), 40"),
        ("op->fraction_bits, 32);\n        for", "op->fraction_bits, 33);\n        for"),
    ),
    ("units.h", "test_residual_add"): (
        ("pairs[2 * i + 1]", "pairs[2 * i]"),
        (".clip = NO_CLIP", ".clip = 0"),
    ),
    ("vector.h", "test_a_closed_loop"): (
        ("LOOP_BELOW : op->loop == LOOP_ABOVE", "LOOP_ABOVE : op->loop == LOOP_BELOW"),
        ("error -= x[i] * p[i].gain", "error += x[i] * p[i].gain"),
        ("error < 0 ? -1 : 1", "error < 0 ? 1 : 1"),
    ),
    ("heads.h", "test_queries_keys_and_values"): (
        ("a * cosine[i] - b * sine[i], 10", "a * cosine[i] + b * sine[i], 10"),
        ("b * cosine[i] + a * sine[i], 10", "b * cosine[i] + a * sine[i] + 64, 10"),
        ("shift(unit, -4)", "shift(unit, -5)"),
        ("(bits == 16)", "0"),
        ("scaling_of(by, 0, bits)", "scaling_of(by, 1, bits)"),
        ("mul(top, mul(unit, c[INVERSE_7]))", "mul(top, unit)"),
        ("token = m->positions[op->sequence] + op->token + row", "token = m->positions[op->sequence] + op->token"),
        ("token = m->positions[op->sequence] + op->token + row", "token = m->positions[0] + op->token + row"),
        ("op->first_row + row, head, (int)m->kv_bits", "row, head, (int)m->kv_bits"),
        ("(int)m->kv_bits, q));", "(int)m->kv_bits, q)) | 1;"),
    ),
    ("heads.h", "test_attention"): (
        ("n = tokens - op->rows + row + 1", "n = tokens - op->rows + row"),
        ("return m->positions[op->sequence] + op->token", "return m->positions[0] + op->token"),
        ("i = (op->first_row + row) * op->heads", "i = row * op->heads"),
        ("attention_exponents[(op->first_row + row)", "attention_exponents[(row)"),
        ("((const int8_t *)(keys + t * stride))[d]", "(keys + t * stride)[d]"),
        ("(int64_t)q[d] * ((const int16_t *)", "((int64_t)q[d] | 1) * ((const int16_t *)"),
        ("(int64_t)(int32_t)weights[t] * (int32_t)value[i]", "((int64_t)weights[t] | 1) * (int32_t)value[i]"),
        ("total[i] += weights[t] *", "total[i] += (weights[t] | 1) *"),
        ("from_word(key_scales[t])), 12, 32)", "from_word(key_scales[t])), 12, 31)"),
        ("part = delta & 4095", "part = delta & 4094"),
        ("min64(delta >> 12, 42)", "min64(delta >> 12, 10)"),
        ("min64(largest - value.e, 40)", "min64(largest - value.e, 20)"),
        ("drop = m->kv_bits - 3", "drop = m->kv_bits - 2"),
        (".e : -128);", ".e : 0);"),
        ("20 - fraction;", "21 - fraction;"),
        ("g = head / (op->heads / op->kv_heads)", "g = head % op->kv_heads"),
    ),
    ("attend_avx512.h", "test_attention"): (
        ("1u << (dim - d)) - 1", "1u << (dim - d)) - 2"),
        ("keys + min64(t + i, n - 1)", "keys + min64(t, n - 1)"),
        ("1, 5, 9, 13", "1, 5, 13, 9"),
        ("values + min64(t + i, n - 1)", "values + min64(t, n - 1)"),
        ("_mm_srli_si128(byte, 8)", "_mm_srli_si128(byte, 4)"),
        ("d / 16 * 4 + d % 4", "d % 4"),
        ("[lane] << 16", "[lane] << 15"),
        ("dim - d, stride);", "dim - d - 1, stride);"),
        ("_mm512_add_epi64(carry, _mm512_set1_epi64(23))", "_mm512_set1_epi64(23)"),
        ("_mm512_test_epi64_mask(mantissa, mantissa)", "255"),
        ("_mm512_maskz_mov_epi64(some, round_lanes(p", "(round_lanes(p"),
        ("_mm512_set1_epi64(40)", "_mm512_set1_epi64(20)"),
        ("_mm512_set1_epi64(42)", "_mm512_set1_epi64(10)"),
    ),
    ("lanes_avx512.h", "test_attention"): (
        ("_mm512_and_si512(quotient, one));", "quotient);"),
        ("1u << left) - 1 : 255", "2u << left) - 1 : 255"),
        ("limit = limit_of(bits)", "limit = limit_of(bits - 1)"),
        ("_mm512_sub_epi64(zero, right)", "zero"),
    ),
    ("silu_avx512.h", "test_last_bit_of_the_sigmoid"): (("_mm512_set1_epi64(256)", "_mm512_set1_epi64(255)"),),
    ("silu_avx512.h", "test_gated_product_saturates_sums_and_scales"): (
        ("GATED_LIMIT);", "INT32_MAX);"),
        ("right, 19)", "right, 18)"),
        ("23 - 14", "23 - 13"),
    ),
    ("head.h", "test_head_and_its_best"): (
        ("rest += (int32_t)q[i] * w[i]", "rest += (int32_t)q[i] * w[i] + 1"),
        ("HEAD_BLOCK = 512", "HEAD_BLOCK = 1024"),
        ("total += sum", "total = sum"),
        ("row], scale), 16, 32", "row], scale), 16, 31"),
        ("value > pair[1] ||", "value >= pair[1] ||"),
        ("for (; at > 0 && before", "for (; at > 1 && before"),
        ("(op->vocab + 3) / 4 * 4", "op->vocab"),
    ),
    ("head.h", "test_head_of_a_shortlist"): (
        ("value == pair[1] && id < pair[0]", "false"),
        ("m->list_ids[op->row * SHORTLIST + v]", "m->list_ids[v]"),
        ("op->head + id * op->count", "op->head + v * op->count"),
        ("op->head_scales[id]", "op->head_scales[v]"),
        ("best[2 * at] = (int32_t)id;", "best[2 * at] = (int32_t)v;"),
    ),
    ("shortlist.h", "test_shortlist"): (
        ("(int64_t)sums[n] * m->gains[n]", "(int32_t)(sums[n] * m->gains[n])"),
        ("op->begin ? 0 : min64", "min64"),
        ("score <= scores[kept - 1]", "score < scores[kept - 1]"),
        ("scores[at - 1] < score;", "scores[at - 1] <= score;"),
        ("op->first_id + n;", "n;"),
        ("+ op->accumulator * m->outputs_per_step", ""),
    ),
    ("matmul.h", "test_matmul"): (
        ("b < inputs ?", "b < inputs - 1 ?"),
        ("DIGIT_OFFSET * m->activation_sums[row + r]", "DIGIT_OFFSET * m->activation_sums[row]"),
        ("matmul_2(m, op, row, begin, end);\n        row += 2;", "matmul_2(m, op, row, begin, end);"),
        ("share(op->outputs, thread + 1, threads)", "share(op->outputs - 1, thread + 1, threads)"),
    ),
    ("panels.h", "test_matmul_of_many_rows"): (
        ("o = begin;", "o = begin + 1;"),
        ("min64(end - o, PANEL)", "min64(end - o, PANEL) - 1"),
        ("first * GROUP * STEP_PLACES", "0"),
        ("!part,", "true,"),
        ("activation_sums + r,", "activation_sums + row,"),
        ("now = groups / parts", "now = groups / (parts + 1)"),
    ),
    ("panels_avx512.h", "test_matmul_of_many_rows"): (
        ("x[12 + c], 0x44)", "x[12 + c], 0xEE)"),
        ("(j * QUADS + i) * WIDE + v", "(j / 2 * QUADS + i) * WIDE + v"),
        ("count - 1) * width", "count - 2) * width"),
        ("activation_sums[i % GROUP]", "activation_sums[0]"),
        ("0), LANES)) - 1)", "0), LANES - 1)) - 1)"),
        ("q + r * STEP_PLACES", "q"),
    ),
    ("attend_avx512.h", "test_queries_keys_and_values"): (("23 - by.e", "22 - by.e"),),
    ("deal_avx512.h", "test_matmul_of_many_rows"): (
        ("~0ull << (2 * BLOCK - j", "~0ull << (3 * BLOCK - j"),
        ("~0ull << (4 * BLOCK - j", "~0ull << (4 * BLOCK + 5 - j"),
    ),
    ("matmul.h", "rows_of_up"): (
        ("+ begin, 0,", "+ begin, 1,"),
        ("+ (list ? list[o + i] : o + i)] =", "+ o + i] ="),
        ("counts[READ_BYTES] += found * op->width", "counts[READ_BYTES] += (end - begin) * op->width"),
    ),
    ("live.h", "rows_of_up"): (
        ("gate[i] > 0", "gate[i] > 99"),
        ("x[i] != 0", "x[i] > 0"),
        ("live_gates(m, op, r,", "live_gates(m, op, row,"),
        ("memchr(live, 0,", "memchr(live, 1,"),
    ),
    ("live.h", "columns"): (
        ("live[i] |= (uint8_t)q", "live[i] &= (uint8_t)q"),
        ("<< 2 * i;", "<< (2 * i & 4);"),
        ("+= live[i] != 0", "+= live[i] > 127"),
        ("share(blocks, thread + 1, threads)", "share(blocks, thread, threads)"),
    ),
    ("live.h", "sparse_row"): (("row += group, rows -= group", "rows -= group"),),
    ("columns.h", "columns"): (
        ("block * (R - 1) + r", "block * (R - 1)"),
        ("i / ADDED * R + r", "i / ADDED * R"),
        ("min64(found - start, CHUNK)", "min64(found - start - 1, CHUNK)"),
        ("column[i] >> 2 * j & 3", "column[i] >> 2 * j & 1"),
        ("m->activation_sums[row + r]", "m->activation_sums[row]"),
        ("found * (end - begin)", "found * strips"),
    ),
    ("grouped.h", "grouped_products"): (
        ("bytes[b] >> 2 * p & 3) - 1", "bytes[b] >> 2 * p & 1) - 1"),
        ("g % 2 * GROUP_BYTES", "0"),
        ("(int64_t)sum * k[o][g]", "(int64_t)sum * k[o][0]"),
        ("at[r * stride + p * BLOCK + b]", "at[p * BLOCK + b]"),
        ("grouped_2(m, op, row, thread, threads), row += 2;", "grouped_2(m, op, row, thread, threads);"),
        ("(o + min64(i, count - 1)) * op->tiles", "o * op->tiles"),
        ("half * GROUP_BYTES + b] = ", "b] = "),
        ("op->group_shift), limit)", "op->group_shift + 1), limit)"),
    ),
    ("grouped.h", "longest_sums"): (("limit = limit_of(24)", "limit = limit_of(25)"),),
    ("grouped.h", "grouped_logits"): (
        ("w[b] >> 2 * p & 3", "w[b] >> 2 * p & 1"),
        ("sums[row] += (int64_t)sum * k[g]", "sums[row] = (int64_t)sum * k[g]"),
        ("scale), 16 + HEAD_SHIFT", "scale), 15 + HEAD_SHIFT"),
        ("round_shift_62(sums[row], HEAD_SHIFT)", "sums[row] >> HEAD_SHIFT"),
        ("row * op->count + g * GROUP_INPUTS", "row * op->count"),
    ),
    ("grouped_avx512.h", "grouped_products"): (
        ("_mm256_set1_epi32(16), 1)", "_mm256_set1_epi32(16), 0)"),
        ("_mm512_srli_epi16(v, 4)", "_mm512_srli_epi16(v, 2)"),
        ("_mm512_load_si512(a + 4 * BLOCK)", "_mm512_setzero_si512()"),
        ("at + r * stride", "at"),
    ),
    ("grouped_avx512.h", "longest_sums"): (
        ("LANE_STEPS = 32", "LANE_STEPS = 64"),
        ("sums[i] += wide", "sums[i] = wide"),
    ),
    ("grouped_avx2.h", "grouped_products"): (
        ("(g & 1) * 32", "0"),
        ("_mm256_srli_epi16(v, 6)", "_mm256_srli_epi16(v, 4)"),
        ("set1_epi16(k[o][g])", "set1_epi16(k[o][0])"),
        ("pairs = a[8]", "pairs = a[9]"),
        ("at + r * stride", "at"),
    ),
    ("grouped_avx2.h", "longest_sums"): (
        ("LANE_GROUPS = 32", "LANE_GROUPS = 64"),
        ("sums[i] += wide", "sums[i] = wide"),
    ),
    ("heads.h", "norms_of_heads"): (
        ("down = excess_bits(largest_of(x, dim))", "down = excess_bits(2 * largest_of(x, dim))"),
        ("return shift(unit, down);", "return unit;"),
        ("mul(unit, from_word((uint32_t)op->norm_gain))", "unit"),
        ("from_word((uint32_t)op->norm_eps)", "m->constants[ONE]"),
    ),
    ("columns_avx2.h", "columns"): (
        ("_mm256_unpackhi_epi8(a, b)", "_mm256_unpacklo_epi8(a, b)"),
        ("byte / 16 * 8", "byte / 16"),
        ("_mm256_extracti128_si256(sums[i], 1)", "_mm256_castsi256_si128(sums[i])"),
        ("factors[p * rows + r]", "factors[p * rows]"),
        ("w += near * COLUMN_STRIP", "w += COLUMN_STRIP"),
        ("kept[j] = sum[j]", "kept[j] = d[0][j]"),
    ),
    ("columns_avx512.h", "columns"): (
        ("_mm512_unpackhi_epi16(ab, cd)", "_mm512_unpacklo_epi16(ab, cd)"),
        ("255 >> 2 * j", "255 >> j"),
        ("byte / 16 * 4", "byte / 16"),
        ("factors[q * rows + r]", "factors[q * rows]"),
        ("w += near * COLUMN_STRIP", "w += COLUMN_STRIP"),
        ("kept[j] = sum[j]", "kept[j] = d[0][j]"),
        ("(sum - below)", "sum"),
    ),
    ("path_portable.c", "test_matmul"): (
        ("byte * 21846", "byte * 21845"),
        ("byte * 7282", "byte * 7281"),
        ("byte * 2428", "byte * 2427"),
        ("byte * 810", "byte * 809"),
        ("q[i] - 3 * q[i - BLOCK]", "q[i] - 2 * q[i - BLOCK]"),
        ("sums[(o + k) * rows + r] +=", "sums[(o + k) * rows + r] ="),
    ),
    ("path_avx2.c", "test_matmul"): (
        ("81, 108, 108", "81, 81, 108"),
        ("2, 2, 3, 4", "2, 3, 3, 4"),
        ("40, 41, 42}", "40, 41, 41}"),
        ("third[16] = {0, 1, 2, 0, 1, 2, 0, 1, 2}", "third[16] = {0, 1, 2, 0, 1, 2, 0, 1, 1}"),
        ("0, 1, 1, 1, 2, 2, 2}", "0, 1, 1, 1, 2, 2, 1}"),
        ("_mm256_set1_epi8(26)", "_mm256_set1_epi8(27)"),
        ("(b & 1) * 32", "0"),
        ("0x4E", "0xE4"),
    ),
    ("path_avx512.c", "test_matmul"): (
        ("{D3(0), D3(1), D3(2)}", "{D3(0), D3(1), D3(1)}"),
        ("first = _mm512_cmpge", "first = _mm512_cmpgt"),
        ("and_si512(_mm512_srli_epi16(packed, 4)", "and_si512(_mm512_srli_epi16(packed, 2)"),
        ("_mm512_srli_epi16(packed, 4), _mm", "_mm512_srli_epi16(packed, 2), _mm"),
        ("0x781948b1", "0x781948b3"),
        ("d[4] = _mm512_sub_epi8(v, rest)", "d[4] = rest"),
        ("_mm512_extracti64x4_epi64(a, 1)", "_mm512_extracti64x4_epi64(a, 0)"),
        ("sums[o * R + r] = of_row[o]", "sums[4 * r + o] = of_row[o]"),
        ("second, t->one, t->one)", "second, t->one, t->mask)"),
        ("(r * TRITS + j) * BLOCK", "j * BLOCK"),
    ),
    ("neon.h", "test_matmul"): (
        ("vdupq_n_u8(57)", "vdupq_n_u8(56)"),
        ("vdupq_n_u8(8)", "vdupq_n_u8(9)"),
        ("vdupq_n_u8(17)", "vdupq_n_u8(18)"),
        ("vmlaq_u8(n, minus, nine)", "n"),
        ("vmvnq_u8(minus)", "minus"),
        ("0, 1, 1, 1};", "0, 1, 1, 0};"),
    ),
    ("path_neon.c", "test_matmul"): (
        ("vmlal_high_s8(pairs, d[j], a)", "vmlal_high_s8(pairs, d[0], a)"),
        ("vpadalq_s16(sum, pairs)", "vpaddlq_s16(pairs)"),
    ),
    ("path_neon_dot.c", "test_matmul"): (("vld1q_s8(q + j * BLOCK)", "vld1q_s8(q)"),),
    ("units.h", "test_queries_keys_and_values"): (
        ("m->positions[op->sequence] * op->address_stride", "m->positions[0] * op->address_stride"),
        ("m->angles + op->offset", "m->angles"),
    ),
    ("units.h", "test_norm_of_the_residual"): (("(m->gains || !gained)", "(m->gains && !gained)"),),
    ("units.h", "stop_the_machine"): (
        ("(m->gains || !gained)", "true"),
        ("op->normed || op->opcode == SELECT", "op->normed"),
    ),
    ("machine.h", "stop_the_machine"): (("start + size > m->size", "start > m->size"),),
    ("run.c", "stop_the_machine"): (("return (int)m->failure;", "return 0;"),),
}
_NORMS = re.compile("test_(norm|gated|wide_products|last_bit)")  # tests of test_native_norms.py
_TESTS = {"units": "test_native_units.py", "norms": "test_native_norms.py",
          "columns": "test_skipping.py::test_columns_of_zero_inputs_are_not_read",
          "grouped_products": "test_grouped.py::test_products",
          "longest_sums": "test_grouped.py::test_the_longest_sums", "grouped_logits": "test_grouped.py::test_logits",
          "norms_of_heads": "test_grouped.py::test_norms_of_heads",
          "sparse_row": "test_skipping.py::test_columns_serve_a_sparse_row_beside_dense_ones",
          "rows_of_up": "test_skipping.py::test_rows_of_up_with_a_gate_of_zero_are_not_read",
          "stop_the_machine": "test_library.py::test_a_bad_address_and_a_vector_never_loaded_stop_the_machine"}
_PATHS = {"path_avx2.c": "avx2", "columns_avx2.h": "avx2", "grouped_avx2.h": "avx2",
          "path_avx512.c": "avx512", "attend_avx512.h": "avx512", "lanes_avx512.h": "avx512", "silu_avx512.h": "avx512",
          "deal_avx512.h": "avx512", "columns_avx512.h": "avx512", "grouped_avx512.h": "avx512", "panels.h": "avx512",
          "panels_avx512.h": "avx512",
          "neon.h": "neon", "path_neon.c": "neon", "path_neon_dot.c": "neon-dot"}


def _faults() -> Iterator[NativeFault]:
    for (file, test), changes in _FAULTS.items():
        for found, wrong in changes:
            node = _TESTS.get(test, f"test_native_{'norms' if _NORMS.match(test) else 'units'}.py::{test}")
            yield NativeFault(file, found, wrong, f"tests/host/emulator/{node}", _PATHS.get(file, "portable"))


NATIVE_FAULTS = tuple(_faults())
