/* The ternary product over packed rows: docs/numerics.md section 3. Threads share the outputs.
 * Included by each path with TARGET set, after
 *   block_R(w, width, blocks, q, sums)  for R = 1, 2, 4, 8 rows: OUTPUTS_R outputs, rows of `width` bytes apart, that
 *   may be read up to blocks * BLOCK bytes each; q as in machine.h; writes sums[output * R + row] of
 *   digit * activation, the digit being trit + DIGIT_OFFSET.
 */

enum { WIDTH_MAX = 16384 };

#define MATMUL_GROUP(R)                                                                                               \
    UNIT void matmul_##R(machine *m, const operation *op, int64_t row, int64_t begin, int64_t end) {                  \
        int64_t inputs = min64(op->width, (m->inputs[row] + TRITS - 1) / TRITS), blocks = (inputs + BLOCK - 1) / BLOCK;    \
        const uint8_t *limit = op->weights + op->outputs * op->width;                                                 \
        const int8_t *q = m->activations + row * m->group_bytes;                                                      \
        int32_t *out = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step, sums[R * OUTPUTS_##R];    \
        for (int64_t o = begin; o < end; o += OUTPUTS_##R) {                                                          \
            const uint8_t *w = op->weights + o * op->width;                                                           \
            int64_t count = min64(end - o, OUTPUTS_##R);                                                              \
            if (w + (OUTPUTS_##R - 1) * op->width + blocks * BLOCK > limit) { /* not beyond the mapped file */        \
                uint8_t padded[OUTPUTS_##R * WIDTH_MAX];                                                              \
                for (int64_t i = 0; i < OUTPUTS_##R; i++)                                                             \
                    for (int64_t b = 0; b < blocks * BLOCK; b++)                                                      \
                        padded[i * blocks * BLOCK + b] = i < count && b < inputs ? w[i * op->width + b] : 0;          \
                block_##R(padded, blocks * BLOCK, blocks, q, sums);                                                   \
            } else {                                                                                                  \
                block_##R(w, op->width, blocks, q, sums);                                                             \
            }                                                                                                         \
            for (int64_t r = 0; r < R; r++)                                                                           \
                for (int64_t i = 0; i < count; i++)                                                                   \
                    out[r * m->row_sums + o + i] = sums[i * R + r] - DIGIT_OFFSET * m->activation_sums[row + r];      \
        }                                                                                                             \
    }

MATMUL_GROUP(1)
MATMUL_GROUP(2)
MATMUL_GROUP(4)
MATMUL_GROUP(8)

UNIT void matmul(machine *m, const operation *op, int thread, int threads) {
    int64_t begin = share(op->outputs, thread, threads), end = share(op->outputs, thread + 1, threads);
    int64_t row = op->first_row;
    for (; row + 8 <= op->first_row + op->rows; row += 8) matmul_8(m, op, row, begin, end);
    if (op->rows & 4) matmul_4(m, op, row, begin, end), row += 4;
    if (op->rows & 2) matmul_2(m, op, row, begin, end), row += 2;
    if (op->rows & 1) matmul_1(m, op, row, begin, end);
}
