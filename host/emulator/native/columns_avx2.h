/* Strips of 32 bytes for AVX2 and what has it. Bytes of two columns are interleaved before their digits are taken, so
 * that a multiply-add of pairs serves both. Columns go four pairs at a time over some strips, whose sums of 16 bits stay
 * in the first cache while the next columns come. Included by paths with TARGET set. */

#include <string.h>

#define COLUMN_STRIP 32

enum { COLUMNS_PAY_1 = 85, COLUMNS_PAY_2 = 85, COLUMNS_PAY_4 = 50, COLUMNS_PAY_8 = 50 };
enum { ADDED = 2, NEAR_PAIRS = 4, NEAR = NEAR_PAIRS * ADDED, HALVES = 2, DIGIT_SUMS = HALVES * COLUMN_TRITS, NEAR_STRIPS = 32, COLUMNS_AHEAD = 16 };

/* Digits of half a strip of pair p of columns, byte by byte. */
TARGET INLINE void pair_digits(const uint8_t *const *w, int p, int64_t at, int half, __m256i d[COLUMN_TRITS]) {
    __m256i a = _mm256_loadu_si256((const void *)(w[2 * p] + at)), mask = _mm256_set1_epi8(3);
    __m256i b = _mm256_loadu_si256((const void *)(w[2 * p + 1] + at));
    __m256i v = half ? _mm256_unpackhi_epi8(a, b) : _mm256_unpacklo_epi8(a, b);
    _Pragma("GCC unroll 4") for (int j = 0; j < COLUMN_TRITS; j++)
        d[j] = _mm256_and_si256(_mm256_srli_epi16(v, 2 * j), mask);
}

TARGET INLINE void add_pair(const __m256i d[COLUMN_TRITS], int16_t factor, __m256i sum[COLUMN_TRITS]) {
    _Pragma("GCC unroll 4") for (int j = 0; j < COLUMN_TRITS; j++)
        sum[j] = _mm256_add_epi16(sum[j], _mm256_maddubs_epi16(d[j], _mm256_set1_epi16(factor)));
}

/* Adds NEAR_PAIRS pairs' products with strips of both columns of each to the sums, int16 [row][half][digit][16].
 * Products of two digits below 3 and their activations stay within 508, 64 of them (CHUNK) within 16 bits. */
TARGET INLINE void add_pairs(int rows, const uint8_t *const *w, int64_t at, const int16_t *factors, __m256i *sums) {
    _Pragma("GCC unroll 2") for (int half = 0; half < HALVES; half++, sums += COLUMN_TRITS) {
        __m256i d[NEAR_PAIRS][COLUMN_TRITS];
        if (rows > 1) /* once for all rows; for a single one they stay in registers */
            _Pragma("GCC unroll 4") for (int p = 0; p < NEAR_PAIRS; p++) pair_digits(w, p, at, half, d[p]);
        _Pragma("GCC unroll 8") for (int r = 0; r < rows; r++) {
            __m256i sum[COLUMN_TRITS], *kept = sums + r * DIGIT_SUMS;
            _Pragma("GCC unroll 4") for (int j = 0; j < COLUMN_TRITS; j++) sum[j] = kept[j];
            _Pragma("GCC unroll 4") for (int p = 0; p < NEAR_PAIRS; p++) {
                if (rows == 1) pair_digits(w, p, at, half, d[p]);
                add_pair(d[p], factors[p * rows + r], sum);
            }
            _Pragma("GCC unroll 4") for (int j = 0; j < COLUMN_TRITS; j++) kept[j] = sum[j];
        }
    }
}

/* planes: as the sums, in 32 bits, strip by strip. */
TARGET INLINE void add_columns(int rows, const uint8_t *w, int64_t stride, const int32_t *places, int64_t count,
                               const int8_t *factors, int64_t strips, int32_t *planes) {
    __m256i sums[NEAR_STRIPS * DIGIT_SUMS];
    for (int64_t near; strips > 0; strips -= near, w += near * COLUMN_STRIP) {
        near = min64(strips, NEAR_STRIPS / rows);
        for (int64_t i = 0; i < near * rows * DIGIT_SUMS; i++) sums[i] = _mm256_setzero_si256();
        for (int64_t c = 0; c < count; c += NEAR) {
            const uint8_t *columns[NEAR], *ahead[NEAR];
            int16_t pairs[NEAR_PAIRS * GROUP];
            memcpy(pairs, factors + c * rows, sizeof(int16_t) * NEAR_PAIRS * (size_t)rows);
            for (int i = 0; i < NEAR; i++) {
                columns[i] = w + places[c + i] * stride;
                ahead[i] = w + places[c + i + COLUMNS_AHEAD] * stride;
            }
            for (int64_t s = 0; s < near; s++) {
                if (s == 0 || (uintptr_t)(w + s * COLUMN_STRIP) % 64 == 0) /* a line serves two strips */
                    _Pragma("GCC unroll 8") for (int i = 0; i < NEAR; i++)
                        _mm_prefetch((const char *)ahead[i] + s * COLUMN_STRIP, _MM_HINT_T1);
                add_pairs(rows, columns, s * COLUMN_STRIP, pairs, sums + s * rows * DIGIT_SUMS);
            }
        }
        for (int64_t i = 0; i < near * rows * DIGIT_SUMS; i++, planes += 16) {
            __m256i *out = (__m256i *)planes;
            out[0] = _mm256_add_epi32(out[0], _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sums[i])));
            out[1] = _mm256_add_epi32(out[1], _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sums[i], 1)));
        }
    }
}

INLINE int32_t column_sum(const int32_t *planes, int64_t byte, int j) {
    return planes[(byte / 8 % 2 * COLUMN_TRITS + j) * 16 + byte / 16 * 8 + byte % 8];
}
