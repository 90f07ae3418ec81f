/* The ternary product over packed rows: docs/numerics.md section 3. Threads share the outputs.
 * Included by each path with TARGET set, after
 *   block_R(w, blocks, q, sums)  for R = 1, 2, 4, 8 rows of activations: OUTPUTS_R rows of weights from w[0] on, that
 *   may be read up to blocks * BLOCK bytes each; as many after them are wanted next, and only fetched; q as in
 *   machine.h; writes sums[output * R + row] of digit * activation, the digit being trit + DIGIT_OFFSET;
 *   add_columns and what belongs to it: columns.h.
 */

enum { WIDTH_MAX = 16384, ROWS_AHEAD = 128 };

/* Rows `begin` .. `end` - 1 of the matrix, or of a list of its rows, with room for ROWS_AHEAD more behind. */
#define MATMUL_GROUP(R)                                                                                               \
    INLINE TARGET void multiply_##R(machine *m, const operation *op, int64_t row, int64_t begin, int64_t end,         \
                                    const int32_t *list) {                                                            \
        int64_t width = op->width, inputs = min64(width, (m->inputs[row] + TRITS - 1) / TRITS);                       \
        int64_t blocks = (inputs + BLOCK - 1) / BLOCK;                                                                \
        const uint8_t *limit = op->weights + op->outputs * width - blocks * BLOCK;                                    \
        const int8_t *q = m->activations + row * m->group_bytes;                                                      \
        int32_t *out = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step, sums[R * OUTPUTS_##R];    \
        int64_t ahead = min64(max64(AHEAD / width / OUTPUTS_##R, 1) * OUTPUTS_##R, ROWS_AHEAD - OUTPUTS_##R);         \
        for (int64_t o = begin; o < end; o += OUTPUTS_##R) {                                                          \
            int64_t count = min64(end - o, OUTPUTS_##R);                                                              \
            const uint8_t *w[2 * OUTPUTS_##R];                                                                        \
            for (int64_t i = 0; i < OUTPUTS_##R; i++) {                                                               \
                w[i] = op->weights + (list ? list[o + i] : o + i) * width;                                            \
                w[OUTPUTS_##R + i] = list ? op->weights + list[o + i + ahead] * width : w[i] + ahead * width;         \
            }                                                                                                         \
            if (w[OUTPUTS_##R - 1] > limit) { /* not beyond the mapped file */                                        \
                uint8_t padded[OUTPUTS_##R * WIDTH_MAX];                                                              \
                for (int64_t i = 0; i < OUTPUTS_##R; i++) {                                                           \
                    for (int64_t b = 0; b < blocks * BLOCK; b++)                                                      \
                        padded[i * blocks * BLOCK + b] = i < count && b < inputs ? w[i][b] : 0;                       \
                    w[i] = padded + i * blocks * BLOCK;                                                               \
                }                                                                                                     \
                block_##R(w, blocks, q, sums);                                                                        \
            } else {                                                                                                  \
                block_##R(w, blocks, q, sums);                                                                        \
            }                                                                                                         \
            for (int64_t r = 0; r < R; r++)                                                                           \
                for (int64_t i = 0; i < count; i++)                                                                   \
                    out[r * m->row_sums + (list ? list[o + i] : o + i)] =                                             \
                        sums[i * R + r] - DIGIT_OFFSET * m->activation_sums[row + r];                                 \
        }                                                                                                             \
    }                                                                                                                 \
                                                                                                                      \
    UNIT void matmul_##R(machine *m, const operation *op, int64_t row, int64_t begin, int64_t end) {                  \
        multiply_##R(m, op, row, begin, end, 0);                                                                      \
    }                                                                                                                 \
                                                                                                                      \
    UNIT void matmul_of_list_##R(machine *m, const operation *op, int64_t row, int32_t *list, int64_t count) {        \
        for (int64_t i = 0; i < ROWS_AHEAD && count; i++) list[count + i] = list[count - 1];                          \
        multiply_##R(m, op, row, 0, count, list);                                                                     \
    }

MATMUL_GROUP(1)
MATMUL_GROUP(2)
MATMUL_GROUP(4)
MATMUL_GROUP(8)

#ifdef PANEL
#include "panels.h"
#else
/* Groups of eight rows from row `row` on. */
UNIT void panels(machine *m, const operation *op, int64_t row, int64_t groups, int64_t begin, int64_t end) {
    for (; groups--; row += GROUP) matmul_8(m, op, row, begin, end);
}
#endif

/* A group of rows: its product, where zeros leave less to read than the whole matrix, by its rows or by its columns;
 * returns whether there is all of it still to do. */
#define MATMUL_SPARSE(R)                                                                                              \
    UNIT bool whole_##R(machine *m, const operation *op, int64_t row, int64_t begin, int64_t end, int thread,         \
                        int threads) {                                                                                \
        int64_t *counts = m->counts + thread * COUNTERS, found = end - begin;                                         \
        int32_t *list = (int32_t *)(m->wide + thread * m->wide_channels);                                             \
        counts[WEIGHT_BYTES] += found * op->width;                                                                    \
        if (op->live == LIVE_COLUMNS) {                                                                               \
            int64_t places = paying_places(m, op, row, R, COLUMNS_PAY_##R, list);                                     \
            if (places >= 0) {                                                                                        \
                if (thread == 0) *op->turned = 1; /* by the operation before, on all threads */                       \
                counts[READ_BYTES] += columns_product_##R(m, op, row, list, places, thread, threads);                 \
                return false;                                                                                         \
            }                                                                                                         \
        }                                                                                                             \
        if (op->live == LIVE_ROWS) found = live_outputs(m, op, row, R, begin, end, list);                             \
        counts[READ_BYTES] += found * op->width;                                                                      \
        if (found == end - begin) return true;                                                                        \
        for (int64_t r = row; r < row + R; r++) /* none but the product with a gate of zero takes the others */       \
            memset(m->sums + r * m->row_sums + op->accumulator * m->outputs_per_step + begin, 0,                      \
                   (size_t)(end - begin) * sizeof(int32_t));                                                          \
        matmul_of_list_##R(m, op, row, list, found);                                                                  \
        return false;                                                                                                 \
    }

MATMUL_SPARSE(1)
MATMUL_SPARSE(2)
MATMUL_SPARSE(4)
MATMUL_SPARSE(8)

UNIT void matmul(machine *m, const operation *op, int thread, int threads) {
    int64_t row = op->first_row, last = row + op->rows, waiting = 0;
    int64_t begin = share(op->outputs, thread, threads), end = share(op->outputs, thread + 1, threads);
    for (; row + GROUP <= last; row += GROUP) {
        if (whole_8(m, op, row, begin, end, thread, threads)) {
            waiting++;
            continue;
        }
        panels(m, op, row - waiting * GROUP, waiting, begin, end);
        waiting = 0;
    }
    panels(m, op, row - waiting * GROUP, waiting, begin, end);
    if (op->rows & 4) {
        if (whole_4(m, op, row, begin, end, thread, threads)) matmul_4(m, op, row, begin, end);
        row += 4;
    }
    if (op->rows & 2) {
        if (whole_2(m, op, row, begin, end, thread, threads)) matmul_2(m, op, row, begin, end);
        row += 2;
    }
    if (op->rows & 1 && whole_1(m, op, row, begin, end, thread, threads)) matmul_1(m, op, row, begin, end);
}
