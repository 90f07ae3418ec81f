/* Strips of 32 bytes for AVX2 and what has it. Bytes of two columns are interleaved before their digits are taken, so
 * that a multiply-add of pairs serves both. Included by paths with TARGET set. */

#define COLUMN_STRIP 32

enum { COLUMNS_PAY_1 = 85, COLUMNS_PAY_2 = 85, COLUMNS_PAY_4 = 60, COLUMNS_PAY_8 = 60 };

/* Products of two digits below 3 and their activations stay within 508, 64 of them (PAIRS) within 16 bits.
 * planes: int32 [row][half][j][16], half 0 of bytes 0 .. 7 and 16 .. 23. */
#define COLUMN_KERNEL(R)                                                                                              \
    static TARGET void columns_##R(const uint8_t *w, int64_t stride, const int32_t *places, const int32_t *next,      \
                                   int64_t pairs, const int16_t *factors, int32_t *planes) {                          \
        int64_t odd = (uintptr_t)w / COLUMN_STRIP & 1; /* a line of the next columns serves two strips */             \
        __m256i sum[R * 2 * COLUMN_TRITS], d[COLUMN_TRITS];                                                           \
        _Pragma("GCC unroll 64") for (int i = 0; i < R * 2 * COLUMN_TRITS; i++) sum[i] = _mm256_setzero_si256();      \
        for (int64_t p = 0; p < pairs; p++) {                                                                         \
            _mm_prefetch((const char *)w + next[2 * p + odd] * stride, _MM_HINT_T0);                                  \
            __m256i a = _mm256_loadu_si256((const void *)(w + places[2 * p] * stride));                               \
            __m256i b = _mm256_loadu_si256((const void *)(w + places[2 * p + 1] * stride));                           \
            _Pragma("GCC unroll 2") for (int half = 0; half < 2; half++) {                                            \
                __m256i v = half ? _mm256_unpackhi_epi8(a, b) : _mm256_unpacklo_epi8(a, b);                           \
                _Pragma("GCC unroll 4") for (int j = 0; j < COLUMN_TRITS; j++)                                        \
                    d[j] = _mm256_and_si256(_mm256_srli_epi16(v, 2 * j), _mm256_set1_epi8(3));                        \
                _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {                                                 \
                    __m256i factor = _mm256_set1_epi16(factors[p * R + r]), *s = sum + (r * 2 + half) * COLUMN_TRITS; \
                    _Pragma("GCC unroll 4") for (int j = 0; j < COLUMN_TRITS; j++)                                    \
                        s[j] = _mm256_add_epi16(s[j], _mm256_maddubs_epi16(d[j], factor));                            \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        _Pragma("GCC unroll 64") for (int i = 0; i < R * 2 * COLUMN_TRITS; i++) {                                     \
            __m256i *out = (__m256i *)(planes + i * 16);                                                              \
            out[0] = _mm256_add_epi32(out[0], _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sum[i])));                 \
            out[1] = _mm256_add_epi32(out[1], _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sum[i], 1)));            \
        }                                                                                                             \
    }

COLUMN_KERNEL(1)
COLUMN_KERNEL(2)
COLUMN_KERNEL(4)
COLUMN_KERNEL(8)

INLINE int32_t column_sum(const int32_t *planes, int64_t byte, int j) {
    return planes[(byte / 8 % 2 * COLUMN_TRITS + j) * 16 + byte / 16 * 8 + byte % 8];
}
