/* Plain C, for any processor: what every other path must equal. Loops of fixed length over 16-bit integers, of which a
 * compiler makes vectors.
 *
 * With t_j = floor(byte / 3**j), digit j is t_j - 3 t_(j+1). The sum of digit j * q_j is therefore that of
 * t_j * (q_j - 3 q_(j-1)): quotients are multiplications, exact for a byte, and no digit is ever made. */
#include "machine.h"

#define TARGET
#define USABLE 1
#define NAME "portable"
#define PATH path_portable
#define DIGIT_OFFSET 1

enum { OUTPUTS_1 = 8, OUTPUTS_2 = 8, OUTPUTS_4 = 8, OUTPUTS_8 = 8, TOGETHER = 4, AHEAD = 4096, STEP = TRITS * BLOCK };

/* t_j of a block of bytes, j by j. */
INLINE void quotients(const uint8_t *w, int16_t *t) {
    for (int i = 0; i < BLOCK; i++) {
        uint32_t byte = w[i];
        t[i] = (int16_t)byte;
        t[BLOCK + i] = (int16_t)(byte * 21846 >> 16);
        t[2 * BLOCK + i] = (int16_t)(byte * 7282 >> 16);
        t[3 * BLOCK + i] = (int16_t)(byte * 2428 >> 16);
        t[4 * BLOCK + i] = (int16_t)(byte * 810 >> 16);
    }
}

/* q_j - 3 q_(j-1) of a block of activations, j by j. */
INLINE void differences(const int8_t *q, int16_t *d) {
    for (int i = 0; i < BLOCK; i++) d[i] = q[i];
    for (int i = BLOCK; i < STEP; i++) d[i] = (int16_t)(q[i] - 3 * q[i - BLOCK]);
}

INLINE void block(int rows, int outputs, const uint8_t *const *w, int64_t blocks, const int8_t *q, int32_t *sums) {
    for (int i = 0; i < outputs * rows; i++) sums[i] = 0;
    for (int64_t b = 0; b < blocks; b++, q += rows * STEP) {
        int16_t d[GROUP][STEP], t[TOGETHER][STEP];
        for (int r = 0; r < rows; r++) differences(q + r * STEP, d[r]);
        for (int o = 0; o < outputs; o += TOGETHER) {
            for (int k = 0; k < TOGETHER; k++) {
                __builtin_prefetch(w[outputs + o + k] + b * BLOCK);
                quotients(w[o + k] + b * BLOCK, t[k]);
            }
            for (int r = 0; r < rows; r++) {
                int32_t sum[TOGETHER] = {0};
                for (int i = 0; i < STEP; i++)
                    for (int k = 0; k < TOGETHER; k++) sum[k] += (int32_t)t[k][i] * d[r][i];
                for (int k = 0; k < TOGETHER; k++) sums[(o + k) * rows + r] += sum[k];
            }
        }
    }
}

#define BLOCK_KERNEL(R)                                                                                               \
    static void block_##R(const uint8_t *const *w, int64_t blocks, const int8_t *q, int32_t *sums) {                  \
        block(R, OUTPUTS_##R, w, blocks, q, sums);                                                                    \
    }

BLOCK_KERNEL(1)
BLOCK_KERNEL(2)
BLOCK_KERNEL(4)
BLOCK_KERNEL(8)

#include "units.h"
