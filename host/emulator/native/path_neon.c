/* Any AArch64: products of 8 bits, added up in 16. */
#include "machine.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define TARGET
#define USABLE 1
#define NAME "neon"
#define PATH path_neon

/* Ten products a lane, of at most 127 each. */
INLINE int32x4_t add_products(int32x4_t sum, const int8x16_t d[5], const int8_t *q) {
    int8x16_t a = vld1q_s8(q);
    int16x8_t pairs = vmull_high_s8(d[0], a);
    pairs = vmlal_s8(pairs, vget_low_s8(d[0]), vget_low_s8(a));
    for (int j = 1; j < TRITS; j++) {
        a = vld1q_s8(q + j * BLOCK);
        pairs = vmlal_s8(pairs, vget_low_s8(d[j]), vget_low_s8(a));
        pairs = vmlal_high_s8(pairs, d[j], a);
    }
    return vpadalq_s16(sum, pairs);
}

#include "neon.h"
#else
const path path_neon;
#endif
