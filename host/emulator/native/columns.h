/* The ternary product over columns: of the inputs that are not zero alone. A column has four outputs a byte, two bits
 * each, trit + 1. A strip is COLUMN_STRIP bytes of each column; threads share the strips. Included by each path with
 * TARGET set. A path that has COLUMN_STRIP defined has before
 *   add_columns(rows, w, stride, places, count, factors, strips, planes)  for 1, 2, 4 and 8 rows: adds to planes, strip
 *   by strip, the products of columns w + place * stride and their activations, [columns / ADDED][rows][ADDED]; count up
 *   to CHUNK, and up to a multiple of NEAR there are columns to spare, whose activations are zero; places behind these
 *   are wanted next, and only fetched;
 *   column_sum(planes, byte, j)  the sum of digit j of a strip's byte.
 * Others have these here. */

#ifndef COLUMN_STRIP
enum { COLUMN_STRIP = 64, ADDED = 1, NEAR = 1 };
enum { COLUMNS_PAY_1 = 50, COLUMNS_PAY_2 = 50, COLUMNS_PAY_4 = 50, COLUMNS_PAY_8 = 40 };

/* planes: [strip][row][j][byte]. */
INLINE void add_columns(int rows, const uint8_t *w, int64_t stride, const int32_t *places, int64_t count,
                        const int8_t *factors, int64_t strips, int32_t *planes) {
    for (int64_t s = 0; s < strips; s++, w += COLUMN_STRIP, planes += rows * COLUMN_STRIP * COLUMN_TRITS)
        for (int64_t c = 0; c < count; c++) {
            const uint8_t *column = w + places[c] * stride;
            __builtin_prefetch(w + places[count + c] * stride);
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < COLUMN_TRITS; j++)
                    for (int i = 0; i < COLUMN_STRIP; i++)
                        planes[(r * COLUMN_TRITS + j) * COLUMN_STRIP + i] +=
                            (int16_t)((column[i] >> 2 * j & 3) * factors[c * rows + r]);
        }
}

INLINE int32_t column_sum(const int32_t *planes, int64_t byte, int j) {
    return planes[j * COLUMN_STRIP + byte];
}
#endif

enum { CHUNK = 128, STRIP_SUMS = COLUMN_STRIP * COLUMN_TRITS };

/* A list of places and room for CHUNK more behind; returns the bytes read. */
#define COLUMNS_PRODUCT(R)                                                                                            \
    UNIT int64_t columns_product_##R(machine *m, const operation *op, int64_t row, int32_t *list, int64_t found,      \
                                     int thread, int threads) {                                                       \
        int64_t strips = op->column_bytes / COLUMN_STRIP, stride = op->column_bytes;                                  \
        int64_t begin = share(strips, thread, threads), end = share(strips, thread + 1, threads);                     \
        const int8_t *q = m->activations + row * m->group_bytes;                                                      \
        int32_t *planes = m->planes + begin * GROUP * STRIP_SUMS; /* a thread's own, whatever others are at */        \
        memset(planes, 0, (size_t)(end - begin) * R * STRIP_SUMS * sizeof *planes);                                   \
        for (int64_t i = 0; i < CHUNK; i++) list[found + i] = found ? list[found - 1] : 0;                            \
        for (int64_t start = 0; start < found; start += CHUNK) {                                                      \
            int64_t count = min64(found - start, CHUNK);                                                              \
            const int32_t *places = list + start;                                                                     \
            int8_t factors[CHUNK * R] = {0};                                                                          \
            for (int64_t i = 0; i < count; i++) {                                                                     \
                uint32_t place = (uint32_t)places[i], block = R == 1 ? 0 : place / STEP_PLACES;                       \
                for (int64_t r = 0; r < R; r++)                                                                       \
                    factors[(i / ADDED * R + r) * ADDED + i % ADDED] =                                       \
                        q[place + (block * (R - 1) + r) * STEP_PLACES];                                               \
            }                                                                                                         \
            add_columns(R, op->columns + begin * COLUMN_STRIP, stride, places, count, factors, end - begin, planes);  \
        }                                                                                                             \
        for (int64_t s = begin; s < end; s++)                                                                         \
            for (int64_t r = 0; r < R; r++, planes += STRIP_SUMS) {                                                   \
                int32_t *out = m->sums + (row + r) * m->row_sums + op->accumulator * m->outputs_per_step;             \
                for (int64_t o = s * STRIP_SUMS; o < min64((s + 1) * STRIP_SUMS, op->outputs); o++)                   \
                    out[o] = column_sum(planes, o / COLUMN_TRITS % COLUMN_STRIP, o % COLUMN_TRITS) -                  \
                             m->activation_sums[row + r];                                                             \
            }                                                                                                         \
        return found * (end - begin) * COLUMN_STRIP;                                                                  \
    }

COLUMNS_PRODUCT(1)
COLUMNS_PRODUCT(2)
COLUMNS_PRODUCT(4)
COLUMNS_PRODUCT(8)
