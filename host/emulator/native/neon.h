/* AArch64: 80 trits a step. A byte is 9 n + b and n is 9 d4 + r: digits 0 and 1 are looked up by b, 2 and 3 by r in the
 * same tables. Included by each path with TARGET set, after
 *   add_products(sum, d, q)  sum plus the products of five vectors of trits with activations BLOCK bytes apart.
 */

#define DIGIT_OFFSET 0

enum { OUTPUTS_1 = 4, OUTPUTS_2 = 4, OUTPUTS_4 = 2, OUTPUTS_8 = 1, AHEAD = 4096, STEP = 16 };

/* Trits of a number below 9: the low one, the high one. */
static const int8_t low[16] = {-1, 0, 1, -1, 0, 1, -1, 0, 1}, high[16] = {-1, -1, -1, 0, 0, 0, 1, 1, 1};

TARGET INLINE void digits(uint8x16_t v, int8x16_t d[5]) {
    uint8x16_t nine = vdupq_n_u8(9), factor = vdupq_n_u8(57); /* 57 v / 512 is v / 9 for any byte */
    uint8x16_t first = vreinterpretq_u8_u16(vmull_u8(vget_low_u8(v), vget_low_u8(factor)));
    uint8x16_t second = vreinterpretq_u8_u16(vmull_high_u8(v, factor));
    uint8x16_t n = vshrq_n_u8(vuzp2q_u8(first, second), 1), b = vmlsq_u8(v, n, nine);
    uint8x16_t minus = vaddq_u8(vcgtq_u8(n, vdupq_n_u8(8)), vcgtq_u8(n, vdupq_n_u8(17))); /* the fifth digit */
    uint8x16_t r = vmlaq_u8(n, minus, nine);
    d[0] = vqtbl1q_s8(vld1q_s8(low), b);
    d[1] = vqtbl1q_s8(vld1q_s8(high), b);
    d[2] = vqtbl1q_s8(vld1q_s8(low), r);
    d[3] = vqtbl1q_s8(vld1q_s8(high), r);
    d[4] = vreinterpretq_s8_u8(vmvnq_u8(minus));
}

#define BLOCK_KERNEL(R, O)                                                                                            \
    static TARGET void block_##R(const uint8_t *const *w, int64_t blocks, const int8_t *q, int32_t *sums) {           \
        int32x4_t sum[R * O];                                                                                         \
        _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sum[i] = vdupq_n_s32(0);                             \
        for (int64_t i = 0; i < blocks * BLOCK; i += STEP) {                                                          \
            const int8_t *part = q + i / BLOCK * R * TRITS * BLOCK + i % BLOCK;                                       \
            _Pragma("GCC unroll 4") for (int o = 0; o < O; o++) {                                                     \
                int8x16_t d[5];                                                                                       \
                __builtin_prefetch(w[O + o] + i);                                                                     \
                digits(vld1q_u8(w[o] + i), d);                                                                        \
                _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) sum[o * R + r] =                                  \
                    add_products(sum[o * R + r], d, part + r * TRITS * BLOCK);                                        \
            }                                                                                                         \
        }                                                                                                             \
        _Pragma("GCC unroll 16") for (int i = 0; i < R * O; i++) sums[i] = vaddvq_s32(sum[i]);                        \
    }

BLOCK_KERNEL(1, OUTPUTS_1)
BLOCK_KERNEL(2, OUTPUTS_2)
BLOCK_KERNEL(4, OUTPUTS_4)
BLOCK_KERNEL(8, OUTPUTS_8)

#include "units.h"
