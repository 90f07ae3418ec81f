/* Rounding, saturation and scalar floats: docs/numerics.md sections 1 and 2, as models/golden/rounding.py and
 * scalar.py. Integers only, but for the root's first guess, which two exact corrections settle. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline, unused))

enum { MANTISSA_BITS = 24, EXPONENT_MIN = -512, EXPONENT_MAX = 511 };

/* m * 2**(e - 23), unsigned: 24-bit m with its top bit set, or m = 0. */
typedef struct {
    int64_t m, e;
} scalar;

INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE int64_t clip64(int64_t x, int64_t limit) { return max64(-limit, min64(x, limit)); }
INLINE int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

/* Symmetric range of a signed integer of `bits` bits. */
INLINE int64_t limit_of(int bits) { return ((int64_t)1 << (bits - 1)) - 1; }

INLINE int bit_length(int64_t x) { return x ? 64 - __builtin_clzll((uint64_t)x) : 0; }

/* x / 2**s, half to even, 0 <= s <= 62. No constant is added to x, so all of int64 is allowed: the quotient goes up
 * where the remainder, plus one for an odd quotient, exceeds a half. */
INLINE int64_t round_shift_62(int64_t x, int64_t s) {
    int64_t quotient = x >> s, remainder = x - (int64_t)((uint64_t)quotient << s);
    int64_t half = max64(((int64_t)1 << s) >> 1, 1);
    return quotient + (remainder + (quotient & 1) > half);
}

INLINE int64_t round_shift(int64_t x, int64_t s) { return s >= 63 ? 0 : round_shift_62(x, s); }

INLINE scalar finish(int64_t m, int64_t e) {
    bool none = (m == 0) | (e < EXPONENT_MIN), over = e > EXPONENT_MAX;
    scalar a = {over ? ((int64_t)1 << MANTISSA_BITS) - 1 : m, over ? EXPONENT_MAX : e};
    return (scalar){none ? 0 : a.m, none ? 0 : a.e};
}

INLINE scalar from_int(int64_t n) {
    int length = bit_length(n);
    int64_t m = length > MANTISSA_BITS ? n >> (length - MANTISSA_BITS) : n << (MANTISSA_BITS - length);
    return finish(m, length - 1);
}

INLINE scalar from_word(uint32_t word) {
    return (scalar){word & 0xFFFFFF, (int8_t)(word >> MANTISSA_BITS)};
}

INLINE uint32_t to_word(scalar a) {
    if (a.m == 0 || a.e < -128) return 0;
    if (a.e > 127) return 0xFFFFFF | (uint32_t)127 << MANTISSA_BITS;
    return (uint32_t)a.m | (uint32_t)(a.e & 255) << MANTISSA_BITS;
}

INLINE scalar mul(scalar a, scalar b) {
    int64_t product = a.m * b.m, carry = product >> 47 & 1;
    return finish(product >> (23 + carry), a.e + b.e + carry);
}

INLINE scalar shift(scalar a, int64_t by) { return finish(a.m, a.e + by); }

INLINE scalar power(int64_t e) { return finish((int64_t)1 << 23, e); }

INLINE bool less(scalar a, scalar b) {
    if (b.m == 0 || a.m == 0) return b.m != 0;
    return a.e < b.e || (a.e == b.e && a.m < b.m);
}

INLINE scalar add(scalar a, scalar b) {
    bool swap = less(a, b);
    scalar big = swap ? b : a, small = swap ? a : b;
    int64_t total = big.m + (small.m >> min64(max64(big.e - small.e, 0), 24)), carry = total >> 24;
    return finish(total >> carry, big.e + carry);
}

INLINE scalar divide(scalar a, scalar b) {
    if (b.m == 0) return (scalar){((int64_t)1 << MANTISSA_BITS) - 1, EXPONENT_MAX};
    int64_t quotient = (a.m << 24) / b.m, carry = quotient >> 24;
    return finish(quotient >> carry, a.e - b.e - 1 + carry);
}

INLINE scalar root(scalar a) {
    int64_t odd = a.e & 1, radicand = a.m << (23 + odd);
    int64_t r = (int64_t)sqrt((double)radicand);
    r -= r * r > radicand;
    r += (r + 1) * (r + 1) <= radicand;
    return finish(r, (a.e - odd) >> 1);
}

/* How `scaled` multiplies by a scalar: computed once for a vector. */
typedef struct {
    int64_t m, limit, fits, right, left;
    bool zero;
} scaling;

/* x * a * 2**fraction in `bits` bits. */
INLINE scaling scaling_of(scalar a, int64_t fraction, int bits) {
    int64_t right = 23 - a.e - fraction, left = max64(0, min64(-right, bits)), limit = limit_of(bits);
    return (scaling){a.m, limit, limit >> left, max64(0, min64(right, 62)), left, right >= 63};
}

/* Half to even, saturated; |x| < 2**39. No branches: loops over it become vector code. */
INLINE int64_t scaled(int64_t x, scaling s) {
    int64_t rounded = clip64(round_shift_62(x * s.m, s.right), s.limit);
    rounded = s.zero ? 0 : rounded;
    int64_t saturated = rounded < 0 ? -s.limit : s.limit;
    return magnitude(rounded) <= s.fits ? (int64_t)((uint64_t)rounded << s.left) : saturated;
}
