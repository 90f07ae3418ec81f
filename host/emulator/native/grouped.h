/* Products with scales by group: docs/numerics.md section 15. A group's 128 trits lie in GROUP_BYTES bytes, value 32 p + b
 * of it in bits 2p, 2p + 1 of byte b, plus one; a row of weights has a mantissa for each group.
 *
 * A row of activations has for each step of two groups: for each p, BLOCK bytes, the first group's values 32 p + b and
 * then the second's; then BLOCK bytes of the path's own, made of these by lane_sums. Included by each path with TARGET
 * set. A path that has GROUP_LANES defined has before
 *   lane_sums(q, out)  q: int8 [PLANES][BLOCK]; out: BLOCK bytes;
 *   groups_R(w, k, groups, q, stride, ahead, sums)  for R = 1, 2, 4, 8 rows of activations `stride` bytes apart:
 *   GROUPED_R rows of weights w[i] with mantissas k[i]; those `ahead` bytes behind are wanted next, and only fetched;
 *   writes sums[i * R + row]. It reads no byte behind its rows.
 * Others have these here. */

enum { PLANES = 4, GROUP_BYTES = BLOCK / 2, GROUP_INPUTS = PLANES * GROUP_BYTES, GROUP_STEP = 2 * GROUP_INPUTS };

#ifndef GROUP_LANES
enum { GROUPED_1 = 4, GROUPED_2 = 4, GROUPED_4 = 4, GROUPED_8 = 4 };

INLINE void lane_sums(const int8_t *q, void *out) {
    (void)q;
    (void)out;
}

#define GROUPS_KERNEL(R)                                                                                              \
    UNIT void groups_##R(const uint8_t *const *w, const int16_t *const *k, int64_t groups, const int8_t *q,           \
                         int64_t stride, int64_t ahead, int64_t *sums) {                                              \
        for (int i = 0; i < R * GROUPED_##R; i++) sums[i] = 0;                                                        \
        for (int64_t g = 0; g < groups; g++) {                                                                        \
            const int8_t *at = q + g / 2 * STEP_PLACES + g % 2 * GROUP_BYTES;                                         \
            for (int o = 0; o < GROUPED_##R; o++) {                                                                   \
                int16_t trits[GROUP_INPUTS];                                                                          \
                const uint8_t *bytes = w[o] + g * GROUP_BYTES;                                                        \
                __builtin_prefetch(bytes + ahead);                                                                    \
                for (int p = 0; p < PLANES; p++)                                                                      \
                    for (int b = 0; b < GROUP_BYTES; b++)                                                             \
                        trits[p * GROUP_BYTES + b] = (int16_t)((bytes[b] >> 2 * p & 3) - 1);                          \
                for (int r = 0; r < R; r++) {                                                                         \
                    int32_t sum = 0;                                                                                  \
                    for (int p = 0; p < PLANES; p++)                                                                  \
                        for (int b = 0; b < GROUP_BYTES; b++)                                                         \
                            sum += (int32_t)trits[p * GROUP_BYTES + b] * at[r * stride + p * BLOCK + b];              \
                    sums[o * R + r] += (int64_t)sum * k[o][g];                                                        \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
    }

GROUPS_KERNEL(1)
GROUPS_KERNEL(2)
GROUPS_KERNEL(4)
GROUPS_KERNEL(8)
#endif

/* A row's activations for products by group. */
UNIT void store_groups(machine *m, int64_t row, const int64_t *q, int64_t count) {
    int8_t *out = m->activations + row * m->group_bytes;
    for (int64_t start = 0; start < count; start += GROUP_STEP, out += STEP_PLACES) {
        int64_t rest = min64(count - start, GROUP_STEP);
        memset(out, 0, STEP_PLACES);
        for (int64_t i = 0; i < rest; i++) {
            int64_t half = i / GROUP_INPUTS, p = i % GROUP_INPUTS / GROUP_BYTES, b = i % GROUP_BYTES;
            out[p * BLOCK + half * GROUP_BYTES + b] = (int8_t)q[start + i];
        }
        lane_sums(out, out + PLANES * BLOCK);
    }
}

#define GROUPED_TAKE(R)                                                                                               \
    UNIT void grouped_##R(machine *m, const operation *op, int64_t row, int thread, int threads) {                    \
        int64_t begin = share(op->outputs, thread, threads), end = share(op->outputs, thread + 1, threads);           \
        int64_t groups = min64(op->tiles, m->inputs[row] / GROUP_INPUTS), width = op->width;                          \
        const int8_t *q = m->activations + row * m->group_bytes;                                                      \
        int32_t *out = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step;                           \
        int64_t ahead = max64(AHEAD / width / GROUPED_##R, 1) * GROUPED_##R * width, limit = limit_of(24);            \
        int64_t sums[R * GROUPED_##R];                                                                                \
        m->counts[thread * COUNTERS + WEIGHT_BYTES] += (end - begin) * width;                                         \
        m->counts[thread * COUNTERS + READ_BYTES] += (end - begin) * width;                                           \
        for (int64_t o = begin; o < end; o += GROUPED_##R) {                                                          \
            int64_t count = min64(end - o, GROUPED_##R);                                                              \
            const uint8_t *w[GROUPED_##R];                                                                            \
            const int16_t *k[GROUPED_##R];                                                                            \
            for (int64_t i = 0; i < GROUPED_##R; i++) {                                                               \
                w[i] = op->weights + (o + min64(i, count - 1)) * width;                                               \
                k[i] = op->mantissas + (o + min64(i, count - 1)) * op->tiles;                                         \
            }                                                                                                         \
            groups_##R(w, k, groups, q, m->group_bytes, ahead, sums);                                                 \
            for (int64_t r = 0; r < R; r++)                                                                           \
                for (int64_t i = 0; i < count; i++)                                                                   \
                    out[r * m->row_sums + o + i] =                                                                    \
                        (int32_t)clip64(round_shift_62(sums[i * R + r], op->group_shift), limit);                     \
        }                                                                                                             \
    }

GROUPED_TAKE(1)
GROUPED_TAKE(2)
GROUPED_TAKE(4)
GROUPED_TAKE(8)

UNIT void grouped_matmul(machine *m, const operation *op, int thread, int threads) {
    int64_t row = op->first_row;
    for (; row + 8 <= op->first_row + op->rows; row += 8) grouped_8(m, op, row, thread, threads);
    if (op->rows & 4) grouped_4(m, op, row, thread, threads), row += 4;
    if (op->rows & 2) grouped_2(m, op, row, thread, threads), row += 2;
    if (op->rows & 1) grouped_1(m, op, row, thread, threads);
}

enum { HEAD_SHIFT = 8 };

/* Logits of ternary rows: activations of 16 bits in the order of their channels. */
UNIT void grouped_logits(machine *m, const operation *op, int thread, int threads) {
    int64_t groups = op->count / GROUP_INPUTS, end = share(op->vocab, thread + 1, threads);
    for (int64_t v = share(op->vocab, thread, threads); v < end; v++) {
        const uint8_t *w = op->weights + v * op->width;
        const int16_t *k = op->mantissas + v * groups;
        int64_t *sums = m->wide + thread * m->wide_channels;
        for (int64_t row = 0; row < op->rows; row++) sums[row] = 0;
        __builtin_prefetch(w + 4096);
        for (int64_t g = 0; g < groups; g++, w += GROUP_BYTES) {
            int16_t trits[GROUP_INPUTS];
            for (int p = 0; p < PLANES; p++)
                for (int b = 0; b < GROUP_BYTES; b++) trits[p * GROUP_BYTES + b] = (int16_t)((w[b] >> 2 * p & 3) - 1);
            for (int64_t row = 0; row < op->rows; row++) {
                const int16_t *q = m->head_input + row * op->count + g * GROUP_INPUTS;
                int32_t sum = 0;
                for (int i = 0; i < GROUP_INPUTS; i++) sum += (int32_t)q[i] * trits[i];
                sums[row] += (int64_t)sum * k[g];
            }
        }
        scalar scale = from_word(op->head_scales[v]);
        for (int64_t row = 0; row < op->rows; row++) {
            int32_t *out = logits_of(m, op, row);
            if (!out) return;
            scaling to = scaling_of(mul(m->unit[op->first_row + row], scale), 16 + HEAD_SHIFT, 32);
            out[v] = (int32_t)scaled(round_shift_62(sums[row], HEAD_SHIFT), to);
        }
    }
}
