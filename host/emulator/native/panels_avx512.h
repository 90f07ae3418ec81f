/* Products of many rows: PANEL rows of weights become columns of digits once, for all groups of eight rows of
 * activations. A lane is an output, so that no sum is spread over lanes. Included by path_avx512.c. */

enum { PANEL_BYTES = 1 << 18, PANEL_ROWS_BYTES = 1 << 19, LANES = 16, WIDE = PANEL / LANES, QUADS = BLOCK / 4,
       PANEL_AHEAD = 10 * WIDE * BLOCK };

/* GCC's intrinsic is compiled into copies and spills where 24 sums are under way. */
#define DOT(sum, digits, x) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(digits), "v"(x))

/* Rows of 16 words become columns. */
TARGET INLINE void transpose_16(__m512i *x) {
    __m512i y[16];
    _Pragma("GCC unroll 8") for (int i = 0; i < 16; i += 2) {
        y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) {
        int i = k / 2 * 4 + k % 2, j = k / 2 * 4 + k % 2 * 2;
        x[j] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
        x[j + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    }
    _Pragma("GCC unroll 4") for (int c = 0; c < 4; c++) {
        __m512i a = _mm512_shuffle_i64x2(x[c], x[4 + c], 0x44), b = _mm512_shuffle_i64x2(x[8 + c], x[12 + c], 0x44);
        __m512i d = _mm512_shuffle_i64x2(x[c], x[4 + c], 0xEE), e = _mm512_shuffle_i64x2(x[8 + c], x[12 + c], 0xEE);
        y[c] = _mm512_shuffle_i64x2(a, b, 0x88);
        y[4 + c] = _mm512_shuffle_i64x2(a, b, 0xDD);
        y[8 + c] = _mm512_shuffle_i64x2(d, e, 0x88);
        y[12 + c] = _mm512_shuffle_i64x2(d, e, 0xDD);
    }
    _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++) x[i] = y[i];
}

/* Digits of blocks first .. end - 1 of `count` rows of weights, up to PANEL, `width` bytes apart: for each block, digit
 * and four of its inputs, those of each row; the last row stands for those beyond it. As many rows behind them are
 * fetched. */
static TARGET void decode_panel(const uint8_t *w, int64_t width, int64_t count, int64_t first, int64_t end,
                                uint8_t *panel) {
    const tables t = {_mm512_load_si512(low_digits), _mm512_load_si512(low_digits + 64), _mm512_set1_epi8(3),
                      _mm512_set1_epi8(1), _mm512_set1_epi8(81)};
    for (int64_t b = first; b < end; b++, panel += TRITS * QUADS * WIDE * BLOCK)
        for (int v = 0; v < WIDE; v++) {
            __m512i x[LANES], d[TRITS];
            int64_t left = width - b * BLOCK;
            __mmask64 some = left < BLOCK ? (1ull << left) - 1 : ~0ull; /* not beyond the mapped file */
            for (int i = 0; i < LANES; i++) {
                const uint8_t *row = w + min64(v * LANES + i, count - 1) * width + b * BLOCK;
                _mm_prefetch((const char *)row + PANEL * width, _MM_HINT_T1);
                x[i] = _mm512_maskz_loadu_epi8(some, row);
            }
            transpose_16(x);
            for (int i = 0; i < QUADS; i++) {
                digits(x[i], &t, d);
                for (int j = 0; j < TRITS; j++)
                    _mm512_store_si512(panel + ((j * QUADS + i) * WIDE + v) * BLOCK, d[j]);
            }
        }
}

/* The sums of a panel's digits with a group's activations, `count` outputs of each row: from what takes DIGIT_OFFSET
 * out on, or added to those of earlier blocks. */
static TARGET void block_panel(const uint8_t *panel, int64_t blocks, const int8_t *q, const int32_t *activation_sums,
                               bool first, int64_t count, int32_t *out, int64_t row_sums) {
    __m512i sum[WIDE * GROUP];
    __mmask16 some[WIDE];
    for (int v = 0; v < WIDE; v++) some[v] = (__mmask16)((1u << min64(max64(count - v * LANES, 0), LANES)) - 1);
    _Pragma("GCC unroll 24") for (int i = 0; i < WIDE * GROUP; i++)
        sum[i] = first ? _mm512_set1_epi32(-DIGIT_OFFSET * activation_sums[i % GROUP])
                       : _mm512_maskz_loadu_epi32(some[i / GROUP], out + i % GROUP * row_sums + i / GROUP * LANES);
    for (int64_t b = 0; b < blocks; b++, q += (GROUP - 1) * STEP_PLACES)
        for (int s = 0; s < TRITS * QUADS; s++, panel += WIDE * BLOCK, q += 4) {
            __m512i d[WIDE];
            _Pragma("GCC unroll 3") for (int v = 0; v < WIDE; v++) {
                d[v] = _mm512_load_si512(panel + v * BLOCK);
                _mm_prefetch((const char *)panel + PANEL_AHEAD + v * BLOCK, _MM_HINT_T0);
            }
            _Pragma("GCC unroll 8") for (int r = 0; r < GROUP; r++) {
                int32_t four;
                memcpy(&four, q + r * STEP_PLACES, sizeof four);
                __m512i x = _mm512_set1_epi32(four);
                _Pragma("GCC unroll 3") for (int v = 0; v < WIDE; v++) DOT(sum[v * GROUP + r], d[v], x);
            }
        }
    _Pragma("GCC unroll 24") for (int i = 0; i < WIDE * GROUP; i++)
        _mm512_mask_storeu_epi32(out + i % GROUP * row_sums + i / GROUP * LANES, some[i / GROUP], sum[i]);
}
