/* Operations and their fields, which models/machine/descriptor.py and host/emulator/native_operation.py
 * explain. Written by scripts.write_operations. */
#pragma once

#include <stdint.h>

enum opcode { STREAM = 0, LOAD = 1, MATMUL = 2, NORM = 3, QUERY = 4, KEY = 5, VALUE = 6, RESIDUAL = 7, ATTEND = 8,
    LOGITS = 9, SELECT = 10, STORE = 11, TOP = 12, TURN = 13 };
enum load_target { LOAD_RESIDUAL = 0, LOAD_GAIN = 1, LOAD_TAP = 2, LOAD_ROPE = 3, LOAD_INPUT = 4, LOAD_HEAD_INPUT = 5,
    LOAD_STEP = 6, LOAD_AFFINE = 7 };
enum norm_source { NORM_RESIDUAL = 0, NORM_ATTENTION = 1, NORM_GATED = 2 };
enum activation { ACTIVATION_RELU2 = 0, ACTIVATION_SILU = 1 };
enum loop { LOOP_NONE = 0, LOOP_ALWAYS = 1, LOOP_BELOW = 2, LOOP_ABOVE = 3 };
enum store_source { STORE_RESIDUAL = 0, STORE_ATTENTION = 1, STORE_SUMS = 2 };
enum { STEP_BYTES = 16 };
enum { SEQUENCES = 16 };
enum { SHORTLIST = 64 };
enum { BLOCK_TOKENS = 16 };

typedef struct {
    int64_t opcode;
    const uint8_t *weights; /* [outputs][width], five trits a byte, all below 243, or grouped.h */
    const int8_t *head; /* [vocab][count] */
    const uint32_t *head_scales; /* [vocab] */
    const int16_t *mantissas; /* [outputs][tiles] or [vocab][groups], where grouped */
    uint8_t *columns; /* [places of inputs][column_bytes], of LIVE_COLUMNS: live.h */
    int64_t *turned; /* whether the columns have been filled */
    int64_t width; /* bytes of a row of weights */
    int64_t product_first; /* of the product that takes a norm's or a load's rows, perhaps with others: its first row */
    int64_t product_rows; /* and how many it takes */
    int64_t live; /* of MATMUL: enum live; with LIVE_ROWS the gate's fields are those of the norm that takes the sums */
    int64_t column_bytes; /* of the columns of a matrix */
    int64_t row; /* of LOAD: which row; of LOGITS: whose list gives the head's rows */
    int64_t address, target, address_stride, bytes, offset, sequence, rows, first_row, tiles, outputs, accumulator,
        batches, padding, grouped, group_shift, count, source, rms, gained, levels16, activation, unit_exponent,
        group_channels, tap, tap_add_exponent, tap_clip_exponent, tap_threshold_exponent, eps_sum, gain,
        gate_accumulator, up_accumulator, gate_scale, up_scale, dim, heads, scale, normed, norm_gain, norm_eps, token,
        scale_address, block_bytes, head_bytes, region_bytes, scale_block_bytes, fraction_bits, loop, setpoint,
        kv_heads, key_scales, value_scales, keys, values, row_bytes, score_constant, vocab, k, write_logits, listed,
        logits, top, first_id, begin, steps;
} operation;
