/* Plain C, for any processor: what every other path must equal. */
#include "machine.h"

#define TARGET
#define USABLE 1
#define NAME "portable"
#define PATH path_portable
#define DIGIT_OFFSET 1

enum { OUTPUTS_1 = 1, OUTPUTS_2 = 1, OUTPUTS_4 = 1, OUTPUTS_8 = 1 };

INLINE void block(int rows, const uint8_t *w, int64_t blocks, const int8_t *q, int32_t *sums) {
    for (int r = 0; r < rows; r++) sums[r] = 0;
    for (int64_t b = 0; b < blocks; b++, w += BLOCK) {
        uint16_t digits[TRITS][BLOCK], rest[BLOCK];
        for (int i = 0; i < BLOCK; i++) rest[i] = w[i];
        for (int j = 0; j < TRITS; j++) /* rest / 3 by a multiplication that is exact below 2**15 */
            for (int i = 0; i < BLOCK; i++) {
                uint16_t third = (uint16_t)((uint32_t)rest[i] * 21846 >> 16);
                digits[j][i] = (uint16_t)(rest[i] - 3 * third);
                rest[i] = third;
            }
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < TRITS; j++, q += BLOCK) {
                int16_t sum = 0; /* of 64 products below 255 */
                for (int i = 0; i < BLOCK; i++) sum = (int16_t)(sum + (int16_t)digits[j][i] * q[i]);
                sums[r] += sum;
            }
    }
}

#define BLOCK_KERNEL(R)                                                                                               \
    static void block_##R(const uint8_t *w, int64_t width, int64_t blocks, const int8_t *q, int32_t *sums) {          \
        (void)width;                                                                                                  \
        block(R, w, blocks, q, sums);                                                                                 \
    }

BLOCK_KERNEL(1)
BLOCK_KERNEL(2)
BLOCK_KERNEL(4)
BLOCK_KERNEL(8)

#include "units.h"
