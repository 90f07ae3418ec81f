/* Products of many rows: the digits of PANEL rows of weights are taken out of their bytes once, for all groups of eight
 * rows of activations. Included by path_avx512.c. */

enum { PANEL_BYTES = 1 << 16, PANEL_ROWS_BYTES = 1 << 19 };

/* GCC's intrinsic is compiled into copies and spills where 24 sums are under way. */
#define DOT(sum, digits, x) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(digits), "v"(x))

/* Eight vectors' sums. */
TARGET INLINE __m256i sums_of_eight(const __m512i *v) {
    __m512i a[4], b[2];
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
        a[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
                                _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
    _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++)
        b[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(a[2 * i], a[2 * i + 1]),
                                _mm512_unpackhi_epi64(a[2 * i], a[2 * i + 1]));
    __m512i half = _mm512_add_epi32(_mm512_shuffle_i64x2(b[0], b[1], 0x44), _mm512_shuffle_i64x2(b[0], b[1], 0xEE));
    return _mm256_add_epi32(_mm512_castsi512_si256(_mm512_shuffle_i64x2(half, half, 0x08)),
                            _mm512_castsi512_si256(_mm512_shuffle_i64x2(half, half, 0x0D)));
}

/* Digits of PANEL rows of weights, `width` bytes apart: for each block and digit, BLOCK of each row. As many rows that
 * lie `ahead` bytes on are fetched. */
static TARGET void decode_panel(const uint8_t *w, int64_t width, int64_t ahead, int64_t blocks, uint8_t *panel) {
    const tables t = {_mm512_load_si512(low_digits), _mm512_load_si512(low_digits + 64), _mm512_set1_epi8(3),
                      _mm512_set1_epi8(1), _mm512_set1_epi8(81)};
    for (int o = 0; o < PANEL; o++, w += width)
        for (int64_t b = 0; b < blocks; b++) {
            __m512i d[TRITS];
            _mm_prefetch((const char *)w + ahead + b * BLOCK, _MM_HINT_T1);
            digits(_mm512_loadu_si512(w + b * BLOCK), &t, d);
            for (int j = 0; j < TRITS; j++) _mm512_store_si512(panel + ((b * TRITS + j) * PANEL + o) * BLOCK, d[j]);
        }
}

/* sums[output * GROUP + row] of a panel's digits with a group's activations. */
static TARGET void block_panel(const uint8_t *panel, int64_t blocks, const int8_t *q, int32_t *sums) {
    __m512i sum[PANEL * GROUP];
    _Pragma("GCC unroll 24") for (int i = 0; i < PANEL * GROUP; i++) sum[i] = _mm512_setzero_si512();
    for (int64_t b = 0; b < blocks; b++, q += GROUP * TRITS * BLOCK)
        for (int j = 0; j < TRITS; j++, panel += PANEL * BLOCK) {
            __m512i d[PANEL];
            _Pragma("GCC unroll 3") for (int o = 0; o < PANEL; o++) d[o] = _mm512_load_si512(panel + o * BLOCK);
            _Pragma("GCC unroll 8") for (int r = 0; r < GROUP; r++) {
                __m512i x = _mm512_load_si512(q + (r * TRITS + j) * BLOCK);
                _Pragma("GCC unroll 3") for (int o = 0; o < PANEL; o++) DOT(sum[o * GROUP + r], d[o], x);
            }
        }
    _Pragma("GCC unroll 3") for (int o = 0; o < PANEL; o++)
        _mm256_storeu_si256((__m256i *)(sums + o * GROUP), sums_of_eight(sum + o * GROUP));
}
