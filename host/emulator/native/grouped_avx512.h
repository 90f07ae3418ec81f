/* Products with scales by group: four products of bytes a lane, four planes of two groups, then one of 16 bits with the
 * mantissas. A lane's sum of 16 trits and activations stays within 2,032, so that of 32 steps, times mantissas of 15 bits,
 * within 31 bits. */

#define GROUP_LANES
enum { GROUPED_1 = 4, GROUPED_2 = 4, GROUPED_4 = 2, GROUPED_8 = 2, LANE_STEPS = 32 };

/* Of each lane's activations the negative sum: what trits plus one count too much. */
static TARGET void lane_sums(const int8_t *q, void *out) {
    __m512i sum = _mm512_setzero_si512(), one = _mm512_set1_epi8(1);
    for (int p = 0; p < 4; p++) sum = _mm512_dpbusd_epi32(sum, one, _mm512_loadu_si512(q + p * BLOCK));
    _mm512_storeu_si512(out, _mm512_sub_epi32(_mm512_setzero_si512(), sum));
}

TARGET INLINE int64_t wide_total(__m512i x) {
    __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(x));
    return _mm512_reduce_add_epi64(_mm512_add_epi64(low, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(x, 1))));
}

/* Steps begin .. end - 1, the last of which may have one group. */
#define GROUPS_KERNEL(R, O)                                                                                           \
    static TARGET void groups_##R(const uint8_t *const *w, const int16_t *const *k, int64_t groups, const int8_t *q,  \
                                  int64_t stride, int64_t ahead, int64_t *sums) {                                     \
        const __m512i mask = _mm512_set1_epi8(3);                                                                     \
        const __m512i halves = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi32(16), 1);                  \
        int64_t steps = (groups + 1) / 2;                                                                             \
        for (int i = 0; i < R * O; i++) sums[i] = 0;                                                                  \
        for (int64_t begin = 0; begin < steps; begin += LANE_STEPS) {                                                 \
            int64_t end = begin + LANE_STEPS < steps ? begin + LANE_STEPS : steps;                                    \
            __m512i sum[R * O];                                                                                       \
            _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sum[i] = _mm512_setzero_si512();                 \
            for (int64_t s = begin; s < end; s++) {                                                                   \
                const int8_t *at = q + s * STEP_PLACES;                                                               \
                bool whole = 2 * s + 2 <= groups;                                                                     \
                _Pragma("GCC unroll 4") for (int o = 0; o < O; o++) {                                                 \
                    uint32_t pair = (uint16_t)k[o][2 * s];                                                            \
                    __m512i v, d[4];                                                                                  \
                    _mm_prefetch((const char *)w[o] + s * BLOCK + ahead, _MM_HINT_T1);                                \
                    if (whole) {                                                                                      \
                        pair |= (uint32_t)(uint16_t)k[o][2 * s + 1] << 16;                                            \
                        v = _mm512_loadu_si512(w[o] + s * BLOCK);                                                     \
                    } else {                                                                                          \
                        v = _mm512_zextsi256_si512(_mm256_loadu_si256((const void *)(w[o] + s * BLOCK)));             \
                    }                                                                                                 \
                    __m512i factor = _mm512_maskz_mov_epi16(                                                          \
                        0x55555555, _mm512_srlv_epi32(_mm512_set1_epi32((int)pair), halves));                         \
                    d[0] = _mm512_and_si512(v, mask);                                                                 \
                    d[1] = _mm512_and_si512(_mm512_srli_epi16(v, 2), mask);                                           \
                    d[2] = _mm512_and_si512(_mm512_srli_epi16(v, 4), mask);                                           \
                    d[3] = _mm512_and_si512(_mm512_srli_epi16(v, 6), mask);                                           \
                    _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {                                             \
                        const int8_t *a = at + r * stride;                                                            \
                        __m512i lanes = _mm512_load_si512(a + 4 * BLOCK);                                             \
                        _Pragma("GCC unroll 4") for (int p = 0; p < 4; p++)                                           \
                            lanes = _mm512_dpbusd_epi32(lanes, d[p], _mm512_load_si512(a + p * BLOCK));               \
                        sum[o * R + r] = _mm512_dpwssd_epi32(sum[o * R + r], lanes, factor);                          \
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
