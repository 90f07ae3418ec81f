/* A block's activations by digits: vector.h has it byte by byte. Included by path_avx512.c. */

#define DEAL_DIGITS

/* Channel 5 b + j goes to byte b of digit j. Of its number the look-ups take the low seven bits, within a pair of vectors. */
static TARGET void deal_digits(const int8_t *bytes, int8_t *out) {
    __m512i x[TRITS], channel;
    int8_t first[BLOCK];
    for (int b = 0; b < BLOCK; b++) first[b] = (int8_t)(TRITS * b);
    channel = _mm512_loadu_si512(first);
    for (int i = 0; i < TRITS; i++) x[i] = _mm512_loadu_si512(bytes + i * BLOCK);
    _Pragma("GCC unroll 5") for (int j = 0; j < TRITS; j++) {
        __mmask64 second = ~0ull << (2 * BLOCK - j + TRITS - 1) / TRITS, last = ~0ull << (4 * BLOCK - j + TRITS - 1) / TRITS;
        __m512i y = _mm512_permutex2var_epi8(x[0], channel, x[1]);
        y = _mm512_mask_mov_epi8(y, second, _mm512_permutex2var_epi8(x[2], channel, x[3]));
        y = _mm512_mask_permutexvar_epi8(y, last, channel, x[4]);
        _mm512_storeu_si512(out + j * BLOCK, y);
        channel = _mm512_add_epi8(channel, _mm512_set1_epi8(1));
    }
}
