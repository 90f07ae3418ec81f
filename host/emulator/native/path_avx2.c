/* AVX2: 160 trits a step. A byte v is 27 a + b; a comes from v's high nibble and one comparison, then both are looked
 * up sixteen entries at a time. */
#include "machine.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,bmi2,lzcnt")))
#define USABLE __builtin_cpu_supports("avx2")
#define NAME "avx2"
#define PATH path_avx2
#define DIGIT_OFFSET 1

enum { OUTPUTS_1 = 4, OUTPUTS_2 = 2, OUTPUTS_4 = 2, OUTPUTS_8 = 1, AHEAD = 4096 };

/* By high nibble h: 27 * (16 h / 27), and 16 h / 27. */
static const uint8_t below[16] = {0, 0, 27, 27, 54, 54, 81, 108, 108, 135, 135, 162, 189, 189, 216, 216};
static const uint8_t quotient[16] = {0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 7, 7, 8, 8};
/* By a below 9: digits 3 and 4. By b below 27: digits 0, 1, 2, two bits each. */
static const uint8_t third[16] = {0, 1, 2, 0, 1, 2, 0, 1, 2}, fourth[16] = {0, 0, 0, 1, 1, 1, 2, 2, 2};
static const uint8_t low_digits[32] = {0,  1,  2,  4,  5,  6,  8,  9,  10, 16, 17, 18, 20, 21, 22, 24,
                                       25, 26, 32, 33, 34, 36, 37, 38, 40, 41, 42};

TARGET INLINE __m256i table(const uint8_t *t) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)t)); }

TARGET INLINE void digits(__m256i v, __m256i d[5]) {
    __m256i h = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
    __m256i rest = _mm256_sub_epi8(v, _mm256_shuffle_epi8(table(below), h));
    __m256i more = _mm256_cmpgt_epi8(rest, _mm256_set1_epi8(26)); /* -1 where another 27 fits */
    __m256i a = _mm256_sub_epi8(_mm256_shuffle_epi8(table(quotient), h), more);
    __m256i b = _mm256_sub_epi8(rest, _mm256_and_si256(more, _mm256_set1_epi8(27)));
    /* a look-up gives zero where bit 7 of its index is set: one of the two is empty */
    __m256i packed = _mm256_or_si256(
        _mm256_shuffle_epi8(table(low_digits), _mm256_add_epi8(b, _mm256_set1_epi8(112))),
        _mm256_shuffle_epi8(table(low_digits + 16), _mm256_sub_epi8(b, _mm256_set1_epi8(16))));
    __m256i mask = _mm256_set1_epi8(3);
    d[0] = _mm256_and_si256(packed, mask);
    d[1] = _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask);
    d[2] = _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask);
    d[3] = _mm256_shuffle_epi8(table(third), a);
    d[4] = _mm256_shuffle_epi8(table(fourth), a);
}

TARGET INLINE int32_t total(__m256i x) {
    __m128i y = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    y = _mm_add_epi32(y, _mm_shuffle_epi32(y, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(y, _mm_shuffle_epi32(y, 0xB1)));
}

/* Products of a digit below 3 and an activation, in pairs, stay within 508; five of them within 16 bits. */
#define BLOCK_KERNEL(R, O)                                                                                            \
    static TARGET void block_##R(const uint8_t *const *w, int64_t blocks, const int8_t *q, int32_t *sums) {           \
        __m256i sum[R * O], one = _mm256_set1_epi16(1);                                                               \
        _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sum[i] = _mm256_setzero_si256();                     \
        for (int64_t b = 0; b < 2 * blocks; b++) {                                                                    \
            const int8_t *half = q + (b >> 1) * R * TRITS * BLOCK + (b & 1) * 32;                                     \
            _Pragma("GCC unroll 4") for (int o = 0; o < O; o++) {                                                     \
                __m256i d[5];                                                                                         \
                _mm_prefetch((const char *)w[O + o] + b * 32, _MM_HINT_T1);                                           \
                digits(_mm256_loadu_si256((const void *)(w[o] + b * 32)), d);                                         \
                _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {                                                 \
                    const __m256i *a = (const void *)(half + r * TRITS * BLOCK);                                      \
                    __m256i pairs = _mm256_maddubs_epi16(d[0], a[0]);                                                 \
                    _Pragma("GCC unroll 4") for (int j = 1; j < TRITS; j++)                                           \
                        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(d[j], a[2 * j]));                        \
                    sum[o * R + r] = _mm256_add_epi32(sum[o * R + r], _mm256_madd_epi16(pairs, one));                 \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sums[i] = total(sum[i]);                             \
    }

BLOCK_KERNEL(1, OUTPUTS_1)
BLOCK_KERNEL(2, OUTPUTS_2)
BLOCK_KERNEL(4, OUTPUTS_4)
BLOCK_KERNEL(8, OUTPUTS_8)

#include "columns_avx2.h"
#include "grouped_avx2.h"
#include "units.h"
#else
const path path_avx2;
#endif
