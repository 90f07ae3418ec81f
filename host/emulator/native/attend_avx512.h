/* Attention over keys and values of 8 bits, eight tokens at a time: docs/numerics.md section 7; heads.h has the same for
 * one. Included by path_avx512.c. */

#define KEY_DOTS
#define QUANTISE_HEAD

static TARGET void quantise_head(const int64_t *x, int64_t dim, scalar by, int bits, int16_t *q) {
    const __m512i mantissa = _mm512_set1_epi64(by.m), right = _mm512_set1_epi64(23 - by.e);
    for (int64_t i = 0; i < dim; i += 8) {
        uint8_t some = lanes_left(dim - i);
        __m512i y = scaled_lanes(_mm512_maskz_loadu_epi64(some, x + i), mantissa, right, bits);
        _mm_mask_storeu_epi16(q + i, some, _mm512_cvtepi64_epi16(y));
    }
}

/* x[t] = q . key of token t, for n tokens whose keys lie `stride` bytes apart; 256 products of 16 and 8 bits fit. */
static TARGET void key_dots(const int16_t *q, const uint8_t *keys, int64_t stride, int64_t n, int64_t dim, int64_t *x) {
    for (int64_t t = 0; t < n; t += 4) {
        __m512i sum[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
        for (int64_t d = 0; d < dim; d += 32) {
            __mmask32 some = dim - d < 32 ? (1u << (dim - d)) - 1 : ~0u;
            __m512i part = _mm512_maskz_loadu_epi16(some, q + d);
            _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
                const uint8_t *key = keys + min64(t + i, n - 1) * stride + d;
                sum[i] = _mm512_dpwssd_epi32(sum[i], _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(some, key)), part);
            }
        }
        _mm256_mask_storeu_epi64(x + t, n - t < 4 ? (1u << (n - t)) - 1 : 15, _mm256_cvtepi32_epi64(totals(sum)));
    }
}

/* total[d] += weight[t] * value[t][d], weights below 2**24: their three bytes apart, four tokens a product; so many
 * tokens at a time that the sums of products of two bytes fit 32 bits. */
enum { WEIGHED_TOKENS = 32768 };

static TARGET void weigh_strip(int64_t *total, const int64_t *weights, const uint8_t *values, int64_t n, int64_t dim,
                               int64_t stride) {
    const __m128i bytes = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __mmask32 some = dim < 32 ? (1u << dim) - 1 : ~0u;
    __m256i sum[3][4];
    for (int i = 0; i < 12; i++) sum[i / 4][i % 4] = _mm256_setzero_si256();
    for (int64_t t = 0; t < n; t += 4) {
        __m256i row[4], pair[4], four[4];
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
            row[i] = _mm256_maskz_loadu_epi8(some, values + min64(t + i, n - 1) * stride);
        __m256i weight = _mm256_maskz_loadu_epi64(n - t < 4 ? (1u << (n - t)) - 1 : 15, weights + t);
        __m128i byte = _mm_shuffle_epi8(_mm256_cvtepi64_epi32(weight), bytes); /* of a place, four tokens' */
        pair[0] = _mm256_unpacklo_epi8(row[0], row[1]);
        pair[1] = _mm256_unpackhi_epi8(row[0], row[1]);
        pair[2] = _mm256_unpacklo_epi8(row[2], row[3]);
        pair[3] = _mm256_unpackhi_epi8(row[2], row[3]);
        for (int i = 0; i < 2; i++) {
            four[2 * i] = _mm256_unpacklo_epi16(pair[i], pair[2 + i]);
            four[2 * i + 1] = _mm256_unpackhi_epi16(pair[i], pair[2 + i]);
        }
        __m256i place[3] = {_mm256_broadcastd_epi32(byte), _mm256_broadcastd_epi32(_mm_srli_si128(byte, 4)),
                            _mm256_broadcastd_epi32(_mm_srli_si128(byte, 8))};
        _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++)
            sum[i / 4][i % 4] = _mm256_dpbusd_epi32(sum[i / 4][i % 4], place[i / 4], four[i % 4]);
    }
    int32_t of[3][4][8];
    for (int i = 0; i < 12; i++) _mm256_storeu_si256((void *)of[i / 4][i % 4], sum[i / 4][i % 4]);
    for (int64_t d = 0; d < min64(dim, 32); d++) {
        int64_t four = d % 16 / 4, lane = d / 16 * 4 + d % 4;
        total[d] += of[0][four][lane] + ((int64_t)of[1][four][lane] << 8) + ((int64_t)of[2][four][lane] << 16);
    }
}

static TARGET void weigh_8(int64_t *total, const int64_t *weights, const uint8_t *values, int64_t n, int64_t dim,
                           int64_t stride) {
    for (int64_t t = 0; t < n; t += WEIGHED_TOKENS)
        for (int64_t d = 0; d < dim; d += 32)
            weigh_strip(total + d, weights + t, values + t * stride + d, min64(n - t, WEIGHED_TOKENS), dim - d, stride);
}

/* Mantissas and exponents of the scales of up to eight tokens. */
TARGET INLINE void scale_lanes(const uint32_t *words, uint8_t some, __m512i *mantissa, __m512i *exponent) {
    __m256i word = _mm256_maskz_loadu_epi32(some, words);
    *mantissa = _mm512_cvtepu32_epi64(_mm256_and_si256(word, _mm256_set1_epi32(0xFFFFFF)));
    *exponent = _mm512_cvtepi32_epi64(_mm256_srai_epi32(word, MANTISSA_BITS));
}

/* An exponent beyond those of a scalar needs no care: it gives what the last within them does, the limit or zero. */
static TARGET void scale_scores(int64_t *x, const uint32_t *key_scales, int64_t n, scalar unit) {
    const __m512i unit_m = _mm512_set1_epi64(unit.m), fraction = _mm512_set1_epi64(23 - 12 - unit.e);
    for (int64_t t = 0; t < n; t += 8) {
        uint8_t some = lanes_left(n - t);
        __m512i m, e;
        scale_lanes(key_scales + t, some, &m, &e);
        m = _mm512_mul_epu32(m, unit_m);
        __m512i carry = _mm512_srli_epi64(m, 47);
        m = _mm512_srlv_epi64(m, _mm512_add_epi64(carry, _mm512_set1_epi64(23)));
        __m512i right = _mm512_sub_epi64(_mm512_sub_epi64(fraction, e), carry);
        _mm512_mask_storeu_epi64(x + t, some, scaled_lanes(_mm512_maskz_loadu_epi64(some, x + t), m, right, 32));
    }
}

static TARGET int64_t softmax(const machine *m, const int64_t *x, const uint32_t *value_scales, int64_t n,
                              int64_t *weights, int64_t *top) {
    const __m512i none = _mm512_set1_epi64(-128), zero = _mm512_setzero_si512(), twenty = _mm512_set1_epi64(20);
    __m512i best = _mm512_set1_epi64(INT64_MIN), largest = none, sum = zero, mantissa, exponent;
    for (int64_t t = 0; t < n; t += 8) {
        uint8_t some = lanes_left(n - t);
        best = _mm512_mask_max_epi64(best, some, best, _mm512_maskz_loadu_epi64(some, x + t));
        scale_lanes(value_scales + t, some, &mantissa, &exponent);
        largest = _mm512_mask_max_epi64(largest, _mm512_test_epi64_mask(mantissa, mantissa), largest, exponent);
    }
    *top = _mm512_reduce_max_epi64(largest);
    best = _mm512_set1_epi64(_mm512_reduce_max_epi64(best));
    largest = _mm512_set1_epi64(*top);
    for (int64_t t = 0; t < n; t += 8) {
        uint8_t some = lanes_left(n - t);
        __m512i delta = _mm512_maskz_sub_epi64(some, best, _mm512_maskz_loadu_epi64(some, x + t));
        __m512i coarse = _mm512_and_si512(_mm512_srli_epi64(delta, 6), _mm512_set1_epi64(63));
        __m512i fine = _mm512_and_si512(delta, _mm512_set1_epi64(63));
        __m512i p = _mm512_mul_epi32(_mm512_i64gather_epi64(coarse, m->exp2_coarse, 8),
                                     _mm512_i64gather_epi64(fine, m->exp2_fine, 8));
        __m512i down = _mm512_min_epi64(_mm512_srli_epi64(delta, 12), _mm512_set1_epi64(42));
        p = _mm512_maskz_mov_epi64(some, round_lanes(p, _mm512_add_epi64(down, twenty)));
        sum = _mm512_add_epi64(sum, p);
        scale_lanes(value_scales + t, some, &mantissa, &exponent);
        down = _mm512_min_epi64(_mm512_sub_epi64(largest, exponent), _mm512_set1_epi64(40));
        down = _mm512_add_epi64(_mm512_max_epi64(down, zero), twenty);
        _mm512_mask_storeu_epi64(weights + t, some, round_lanes(_mm512_mul_epi32(p, mantissa), down));
    }
    return _mm512_reduce_add_epi64(sum);
}
