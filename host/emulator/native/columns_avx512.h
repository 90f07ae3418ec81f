/* Strips of 64 bytes for AVX-512 with VNNI. Bytes of four columns are interleaved, so that a multiply-add of four
 * serves them all. Digits stay where they are in their byte: 255, 63, 15 and 3 are taken of it, whose sums differ by 64,
 * 16 and 4 times a digit's. Included by paths with TARGET set. */

#include <string.h>

#define COLUMN_STRIP 64

enum { COLUMNS_PAY_1 = 85, COLUMNS_PAY_2 = 85, COLUMNS_PAY_4 = 65, COLUMNS_PAY_8 = 50 };
enum { ADDED = 4, NEAR_QUADS = 4, NEAR = NEAR_QUADS * ADDED, HALVES = 2, HALF_SUMS = 2 * COLUMN_TRITS,
       ROW_SUMS = HALVES * HALF_SUMS, NEAR_STRIPS = 16 };

/* Bytes of half a strip of four columns, and what of them is below the highest digit, below that, the lowest one:
 * [second quarter or first][255, 63, 15, 3]. A lane of 16 bytes has four places of four columns. */
TARGET INLINE void quad_digits(const uint8_t *const *w, int64_t at, int half, __m512i d[HALF_SUMS]) {
    __m512i column[ADDED];
    _Pragma("GCC unroll 4") for (int i = 0; i < ADDED; i++) column[i] = _mm512_loadu_si512(w[i] + at);
    __m512i ab = half ? _mm512_unpackhi_epi8(column[0], column[1]) : _mm512_unpacklo_epi8(column[0], column[1]);
    __m512i cd = half ? _mm512_unpackhi_epi8(column[2], column[3]) : _mm512_unpacklo_epi8(column[2], column[3]);
    d[0] = _mm512_unpacklo_epi16(ab, cd);
    d[COLUMN_TRITS] = _mm512_unpackhi_epi16(ab, cd);
    _Pragma("GCC unroll 2") for (int i = 0; i < HALF_SUMS; i += COLUMN_TRITS)
        _Pragma("GCC unroll 3") for (int j = 1; j < COLUMN_TRITS; j++)
            d[i + j] = _mm512_and_si512(d[i], _mm512_set1_epi8((char)(255 >> 2 * j)));
}

/* Adds NEAR columns' products with their strips to the sums, int32 [row][half][quarter][digits kept][16]. */
TARGET INLINE void add_near(int rows, const uint8_t *const *w, int64_t at, const int32_t *factors, __m512i *sums) {
    _Pragma("GCC unroll 2") for (int half = 0; half < HALVES; half++, sums += HALF_SUMS) {
        __m512i d[NEAR_QUADS][HALF_SUMS];
        if (rows > 1) /* once for all rows; for a single one they stay in registers */
            _Pragma("GCC unroll 4") for (int q = 0; q < NEAR_QUADS; q++) quad_digits(w + q * ADDED, at, half, d[q]);
        _Pragma("GCC unroll 8") for (int r = 0; r < rows; r++) {
            __m512i sum[HALF_SUMS], *kept = sums + r * ROW_SUMS;
            _Pragma("GCC unroll 8") for (int j = 0; j < HALF_SUMS; j++) sum[j] = kept[j];
            _Pragma("GCC unroll 4") for (int q = 0; q < NEAR_QUADS; q++) {
                if (rows == 1) quad_digits(w + q * ADDED, at, half, d[q]);
                __m512i factor = _mm512_set1_epi32(factors[q * rows + r]);
                _Pragma("GCC unroll 8") for (int j = 0; j < HALF_SUMS; j++)
                    sum[j] = _mm512_dpbusd_epi32(sum[j], d[q][j], factor);
            }
            _Pragma("GCC unroll 8") for (int j = 0; j < HALF_SUMS; j++) kept[j] = sum[j];
        }
    }
}

/* planes: as the sums, strip by strip; 64-byte aligned. */
TARGET INLINE void add_columns(int rows, const uint8_t *w, int64_t stride, const int32_t *places, int64_t count,
                               const int8_t *factors, int64_t strips, int32_t *planes) {
    __m512i *sums = (__m512i *)planes;
    for (int64_t near; strips > 0; strips -= near, w += near * COLUMN_STRIP, sums += near * rows * ROW_SUMS) {
        near = min64(strips, NEAR_STRIPS / rows);
        for (int64_t i = 0; i < count; i += NEAR) {
            const uint8_t *columns[NEAR], *ahead[NEAR];
            int32_t quads[NEAR_QUADS * GROUP];
            memcpy(quads, factors + i * rows, sizeof(int32_t) * NEAR_QUADS * (size_t)rows);
            for (int c = 0; c < NEAR; c++) {
                columns[c] = w + places[i + c] * stride;
                ahead[c] = w + places[i + c + NEAR] * stride;
            }
            for (int64_t s = 0; s < near; s++) {
                _Pragma("GCC unroll 16") for (int c = 0; c < NEAR; c++)
                    _mm_prefetch((const char *)ahead[c] + s * COLUMN_STRIP, _MM_HINT_T1);
                add_near(rows, columns, s * COLUMN_STRIP, quads, sums + s * rows * ROW_SUMS);
            }
        }
    }
}

INLINE int32_t column_sum(const int32_t *planes, int64_t byte, int j) {
    const int32_t *sums = planes + (byte / 4 % 4 * COLUMN_TRITS) * 16 + byte / 16 * 4 + byte % 4;
    int32_t sum = sums[(COLUMN_TRITS - 1 - j) * 16], below = j ? sums[(COLUMN_TRITS - j) * 16] : 0;
    return (sum - below) >> 2 * j;
}
