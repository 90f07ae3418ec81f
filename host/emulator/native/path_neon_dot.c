/* AArch64 with the dot product of ARMv8.2: four products and their sum at once. */
#include "machine.h"

/* clang before 16 has the instruction only where it may use it everywhere */
#if defined(__aarch64__) && (defined(__ARM_FEATURE_DOTPROD) || !defined(__clang__) || __clang_major__ >= 16)
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif

#if defined(__clang__)
#define TARGET __attribute__((target("dotprod")))
#else
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#if defined(__APPLE__)
#define USABLE 1
#elif defined(__linux__)
#define USABLE (getauxval(AT_HWCAP) >> 20 & 1) /* HWCAP_ASIMDDP */
#else
#define USABLE 0
#endif
#define NAME "neon-dot"
#define PATH path_neon_dot

TARGET INLINE int32x4_t add_products(int32x4_t sum, const int8x16_t d[5], const int8_t *q) {
    for (int j = 0; j < TRITS; j++) sum = vdotq_s32(sum, d[j], vld1q_s8(q + j * BLOCK));
    return sum;
}

#include "neon.h"
#else
const path path_neon_dot;
#endif
