/* Rounding and scaling of eight integers at a time, as numbers.h has them for one. Included by path_avx512.c. */

/* x / 2**s, half to even, 0 <= s <= 62. */
TARGET INLINE __m512i round_lanes(__m512i x, __m512i s) {
    const __m512i one = _mm512_set1_epi64(1);
    __m512i unit = _mm512_sllv_epi64(one, s), quotient = _mm512_srav_epi64(x, s);
    __m512i rest = _mm512_add_epi64(_mm512_and_si512(x, _mm512_sub_epi64(unit, one)), _mm512_and_si512(quotient, one));
    __mmask8 up = _mm512_cmpgt_epi64_mask(rest, _mm512_max_epi64(_mm512_srli_epi64(unit, 1), one));
    return _mm512_mask_add_epi64(quotient, up, quotient, one);
}

TARGET INLINE __m512i clip_lanes(__m512i x, int64_t limit) {
    return _mm512_max_epi64(_mm512_min_epi64(x, _mm512_set1_epi64(limit)), _mm512_set1_epi64(-limit));
}

/* x m 2**-right in `bits` bits, |x| < 2**31, m < 2**24: `scaled` of numbers.h, `right` not yet bounded. */
TARGET INLINE __m512i scaled_lanes(__m512i x, __m512i m, __m512i right, int bits) {
    const __m512i zero = _mm512_setzero_si512();
    int64_t limit = limit_of(bits);
    __m512i s = _mm512_max_epi64(_mm512_min_epi64(right, _mm512_set1_epi64(62)), zero);
    __m512i left = _mm512_min_epi64(_mm512_max_epi64(_mm512_sub_epi64(zero, right), zero), _mm512_set1_epi64(bits));
    __m512i y = clip_lanes(round_lanes(_mm512_mul_epi32(x, m), s), limit);
    return clip_lanes(_mm512_sllv_epi64(y, left), limit); /* up to 32 bits of y and as many places: no overflow */
}

/* The lanes of n - t more items. */
INLINE uint8_t lanes_left(int64_t left) { return left < 8 ? (1u << left) - 1 : 255; }
