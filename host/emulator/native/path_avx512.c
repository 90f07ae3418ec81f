/* AVX-512 with VNNI and VBMI: 320 trits a step, decoded by one table look-up and two comparisons. */
#include "machine.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx2,bmi2,lzcnt")))
#define USABLE                                                                                                        \
    (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&                                  \
     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#define NAME "avx512"
#define PATH path_avx512
#define DIGIT_OFFSET 1

#define PANEL 48
enum { OUTPUTS_1 = 4, OUTPUTS_2 = 4, OUTPUTS_4 = 2, OUTPUTS_8 = 2, AHEAD = 8192 };

#define D(d0, d1, d2, d3) (d0 | d1 << 2 | d2 << 4 | d3 << 6)
#define D1(d1, d2, d3) D(0, d1, d2, d3), D(1, d1, d2, d3), D(2, d1, d2, d3)
#define D2(d2, d3) D1(0, d2, d3), D1(1, d2, d3), D1(2, d2, d3)
#define D3(d3) D2(0, d3), D2(1, d3), D2(2, d3)
/* The four low digits of a byte below 81, two bits each. */
static const uint8_t low_digits[128] __attribute__((aligned(64))) = {D3(0), D3(1), D3(2)};

typedef struct {
    __m512i low, high, mask, one, power;
} tables;

/* 81 * INVERSE is 1 modulo 2**32. */
enum { INVERSE = 0x781948b1 };

/* The sums of four vectors. */
TARGET INLINE __m128i totals(const __m512i x[4]) {
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
    a = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    __m256i c = _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
}

/* v = d0 + 3 d1 + 9 d2 + 27 d3 + 81 d4 */
TARGET INLINE void digits(__m512i v, const tables *t, __m512i d[5]) {
    __mmask64 first = _mm512_cmpge_epu8_mask(v, t->power);
    v = _mm512_mask_sub_epi8(v, first, v, t->power);
    __mmask64 second = _mm512_cmpge_epu8_mask(v, t->power);
    v = _mm512_mask_sub_epi8(v, second, v, t->power);
    __m512i packed = _mm512_permutex2var_epi8(t->low, v, t->high);
    d[0] = _mm512_and_si512(packed, t->mask);
    d[1] = _mm512_and_si512(_mm512_srli_epi16(packed, 2), t->mask);
    d[2] = _mm512_and_si512(_mm512_srli_epi16(packed, 4), t->mask);
    d[3] = _mm512_and_si512(_mm512_srli_epi16(packed, 6), t->mask);
    d[4] = _mm512_mask_add_epi8(_mm512_maskz_mov_epi8(first, t->one), second, t->one, t->one);
}

#define BLOCK_KERNEL(R, O)                                                                                            \
    static TARGET void block_##R(const uint8_t *const *w, int64_t blocks, const int8_t *q, int32_t *sums) {           \
        const tables t = {_mm512_load_si512(low_digits), _mm512_load_si512(low_digits + 64), _mm512_set1_epi8(3),     \
                          _mm512_set1_epi8(1), _mm512_set1_epi8(81)};                                                 \
        __m512i sum[R * O];                                                                                           \
        _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sum[i] = _mm512_setzero_si512();                     \
        for (int64_t b = 0; b < blocks; b++, q += R * TRITS * BLOCK) {                                                \
            _Pragma("GCC unroll 4") for (int o = 0; o < O; o++) {                                                     \
                __m512i d[5];                                                                                         \
                _mm_prefetch((const char *)w[O + o] + b * BLOCK, _MM_HINT_T1);                                        \
                digits(_mm512_loadu_si512(w[o] + b * BLOCK), &t, d);                                                  \
                _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {                                                 \
                    _Pragma("GCC unroll 5") for (int j = 0; j < TRITS; j++) sum[o * R + r] = _mm512_dpbusd_epi32(     \
                        sum[o * R + r], d[j], _mm512_load_si512(q + (r * TRITS + j) * BLOCK));                        \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sums[i] = _mm512_reduce_add_epi32(sum[i]);           \
    }

/* Of few rows the decoding is most of the work: what a byte holds of its fifth digit is multiplied as it is, 81 times
 * the digit, and divided out of the sum, which 81's inverse modulo 2**32 does exactly. */
#define NARROW_KERNEL(R)                                                                                              \
    static TARGET void block_##R(const uint8_t *const *w, int64_t blocks, const int8_t *q, int32_t *sums) {           \
        const __m512i low = _mm512_load_si512(low_digits), high = _mm512_load_si512(low_digits + 64);                 \
        const __m512i mask = _mm512_set1_epi8(3), power = _mm512_set1_epi8(81), inverse = _mm512_set1_epi32(INVERSE); \
        __m512i sum[4 * R], fifth[4 * R];                                                                             \
        _Pragma("GCC unroll 8") for (int i = 0; i < 4 * R; i++) sum[i] = fifth[i] = _mm512_setzero_si512();           \
        for (int64_t b = 0; b < blocks; b++, q += R * TRITS * BLOCK) {                                                \
            _Pragma("GCC unroll 4") for (int o = 0; o < 4; o++) {                                                     \
                _mm_prefetch((const char *)w[4 + o] + b * BLOCK, _MM_HINT_T1);                                        \
                __m512i v = _mm512_loadu_si512(w[o] + b * BLOCK);                                                     \
                __m512i rest = _mm512_min_epu8(v, _mm512_sub_epi8(v, power)); /* a difference below 0 wraps to more */\
                rest = _mm512_min_epu8(rest, _mm512_sub_epi8(rest, power));                                           \
                __m512i packed = _mm512_permutex2var_epi8(low, rest, high), d[5] = {packed,                           \
                    _mm512_srli_epi16(packed, 2), _mm512_srli_epi16(packed, 4), _mm512_srli_epi16(packed, 6)};        \
                d[4] = _mm512_sub_epi8(v, rest);                                                                      \
                _Pragma("GCC unroll 2") for (int r = 0; r < R; r++) {                                                 \
                    const int8_t *a = q + r * TRITS * BLOCK;                                                          \
                    _Pragma("GCC unroll 4") for (int j = 0; j < 4; j++) sum[r * 4 + o] = _mm512_dpbusd_epi32(         \
                        sum[r * 4 + o], _mm512_and_si512(d[j], mask), _mm512_load_si512(a + j * BLOCK));              \
                    fifth[r * 4 + o] = _mm512_dpbusd_epi32(fifth[r * 4 + o], d[4], _mm512_load_si512(a + 4 * BLOCK)); \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        for (int r = 0; r < R; r++) {                                                                                 \
            for (int i = 4 * r; i < 4 * r + 4; i++)                                                                   \
                sum[i] = _mm512_add_epi32(sum[i], _mm512_mullo_epi32(fifth[i], inverse));                             \
            int32_t of_row[4];                                                                                        \
            _mm_storeu_si128((void *)of_row, totals(sum + 4 * r));                                                    \
            for (int o = 0; o < 4; o++) sums[o * R + r] = of_row[o];                                                  \
        }                                                                                                             \
    }

NARROW_KERNEL(1)
NARROW_KERNEL(2)
BLOCK_KERNEL(4, OUTPUTS_4)
BLOCK_KERNEL(8, OUTPUTS_8)

#include "columns_avx512.h"
#include "grouped_avx512.h"
#include "panels_avx512.h"
#include "lanes_avx512.h"
#include "attend_avx512.h"
#include "silu_avx512.h"
#include "deal_avx512.h"
#include "units.h"
#else
const path path_avx512;
#endif
