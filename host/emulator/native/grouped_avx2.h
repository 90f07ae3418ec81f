/* Products with scales by group: pairs of bytes of four planes add up in 16 bits, within 1,016, then meet the mantissa.
 * Lanes of 32 groups stay within 31 bits. */

#define GROUP_LANES
enum { GROUPED_1 = 4, GROUPED_2 = 2, GROUPED_4 = 2, GROUPED_8 = 1, LANE_GROUPS = 32 };

/* Of each pair's activations the negative sum: what trits plus one count too much. */
static TARGET void lane_sums(const int8_t *q, void *out) {
    const __m256i *a = (const void *)q, one = _mm256_set1_epi8(1);
    for (int half = 0; half < 2; half++) {
        __m256i sum = _mm256_setzero_si256();
        for (int p = 0; p < 4; p++)
            sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(one, _mm256_loadu_si256(a + 2 * p + half)));
        _mm256_storeu_si256((__m256i *)out + half, _mm256_sub_epi16(_mm256_setzero_si256(), sum));
    }
}

TARGET INLINE int64_t wide_total(__m256i x) {
    __m256i sum = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(x)),
                                   _mm256_cvtepi32_epi64(_mm256_extracti128_si256(x, 1)));
    __m128i y = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return _mm_cvtsi128_si64(y) + _mm_extract_epi64(y, 1);
}

#define GROUPS_KERNEL(R, O)                                                                                           \
    static TARGET void groups_##R(const uint8_t *const *w, const int16_t *const *k, int64_t groups, const int8_t *q,  \
                                  int64_t stride, int64_t ahead, int64_t *sums) {                                     \
        const __m256i mask = _mm256_set1_epi8(3);                                                                     \
        for (int i = 0; i < R * O; i++) sums[i] = 0;                                                                  \
        for (int64_t begin = 0; begin < groups; begin += LANE_GROUPS) {                                               \
            int64_t end = begin + LANE_GROUPS < groups ? begin + LANE_GROUPS : groups;                                \
            __m256i sum[R * O];                                                                                       \
            _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sum[i] = _mm256_setzero_si256();                 \
            for (int64_t g = begin; g < end; g++) {                                                                   \
                const int8_t *at = q + (g >> 1) * STEP_PLACES + (g & 1) * 32;                                         \
                _Pragma("GCC unroll 4") for (int o = 0; o < O; o++) {                                                 \
                    __m256i v = _mm256_loadu_si256((const void *)(w[o] + g * 32)), d[4];                              \
                    __m256i factor = _mm256_set1_epi16(k[o][g]);                                                      \
                    _mm_prefetch((const char *)w[o] + g * 32 + ahead, _MM_HINT_T1);                                   \
                    d[0] = _mm256_and_si256(v, mask);                                                                 \
                    d[1] = _mm256_and_si256(_mm256_srli_epi16(v, 2), mask);                                           \
                    d[2] = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);                                           \
                    d[3] = _mm256_and_si256(_mm256_srli_epi16(v, 6), mask);                                           \
                    _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {                                             \
                        const __m256i *a = (const void *)(at + r * stride);                                           \
                        __m256i pairs = a[8];                                                                         \
                        _Pragma("GCC unroll 4") for (int p = 0; p < 4; p++)                                           \
                            pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(d[p], a[2 * p]));                    \
                        sum[o * R + r] = _mm256_add_epi32(sum[o * R + r], _mm256_madd_epi16(pairs, factor));          \
                    }                                                                                                 \
                }                                                                                                     \
            }                                                                                                         \
            _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sums[i] += wide_total(sum[i]);                   \
        }                                                                                                             \
    }

GROUPS_KERNEL(1, GROUPED_1)
GROUPS_KERNEL(2, GROUPED_2)
GROUPS_KERNEL(4, GROUPED_4)
GROUPS_KERNEL(8, GROUPED_8)
