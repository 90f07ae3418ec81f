/* What a product need not read: docs/emulator.md, "Bytes that are not read". A row of weights whose sum is multiplied
 * by a gate of zero, and a column whose inputs are zero. Both for all rows of activations that a product takes at once.
 * Included by each path with TARGET set. */

enum { PART = 256 };

/* Whether each of `count` gates is above zero after its activation, or'ed into `live`. */
UNIT void live_gates(machine *m, const operation *op, int64_t row, const int32_t *gate, int64_t count, uint8_t *live) {
    if (op->activation == ACTIVATION_RELU2) {
        for (int64_t i = 0; i < count; i++) live[i] |= gate[i] > 0;
        return;
    }
    int64_t x[PART];
    silu_gates(m, op, row, gate, count, x);
    for (int64_t i = 0; i < count; i++) live[i] |= x[i] != 0;
}

/* The outputs of begin .. end - 1 whose gate is not zero in all of `rows` rows, ascending; returns how many. */
UNIT int64_t live_outputs(machine *m, const operation *op, int64_t row, int64_t rows, int64_t begin, int64_t end,
                          int32_t *list) {
    int64_t found = 0;
    for (int64_t start = begin; start < end; start += PART) {
        uint8_t live[PART] = {0};
        int64_t count = min64(PART, end - start);
        for (int64_t r = row; r < row + rows && memchr(live, 0, (size_t)count); r++)
            live_gates(m, op, r, m->sums + r * m->row_sums + op->gate_accumulator * m->outputs_per_step + start, count,
                       live);
        for (int64_t i = 0; i < count; i++) {
            list[found] = (int32_t)(start + i);
            found += live[i];
        }
    }
    return found;
}

/* The places of the inputs that are not zero in all of `rows` rows: block * STEP_PLACES + digit * BLOCK + byte. */
UNIT int64_t live_places(const int8_t *q, int64_t rows, int64_t blocks, int32_t *list) {
    int64_t found = 0;
    for (int64_t block = 0; block < blocks; block++, q += rows * STEP_PLACES) {
        uint8_t live[STEP_PLACES] = {0};
        for (int64_t r = 0; r < rows; r++)
            for (int i = 0; i < STEP_PLACES; i++) live[i] |= (uint8_t)q[r * STEP_PLACES + i];
        for (int i = 0; i < STEP_PLACES; i++) {
            list[found] = (int32_t)(block * STEP_PLACES + i);
            found += live[i] != 0;
        }
    }
    return found;
}

/* The same into `list`, or -1 where the columns would be more than `percent` of the matrix' bytes. */
UNIT int64_t paying_places(machine *m, const operation *op, int64_t row, int64_t rows, int64_t percent, int32_t *list) {
    int64_t most = op->outputs * op->width * percent / 100 / op->column_bytes;
    int64_t blocks = (m->inputs[row] + STEP_PLACES - 1) / STEP_PLACES;
    if (m->inputs[row] > op->width * TRITS) return -1;
    for (int64_t r = row; r < row + rows; r++)
        if (m->live_inputs[r] > most) return -1;
    int64_t found = live_places(m->activations + row * m->group_bytes, rows, blocks, list);
    return found > most ? -1 : found;
}

/* Five trits to five bytes of a word. */
INLINE uint64_t spread(uint32_t byte) {
    uint64_t digits = 0;
    for (int j = 0; j < TRITS; j++, byte /= 3) digits |= (uint64_t)(byte % 3) << 8 * j;
    return digits;
}

/* Columns of a matrix from its rows: that of an input lies at its place. A thread takes whole blocks of inputs. The
 * words of COLUMN_TRITS rows, two bits apart, are five columns' bytes. */
UNIT void turn_blocks(const operation *op, int64_t begin, int64_t end) {
    uint64_t words[256];
    for (uint32_t v = 0; v < 256; v++) words[v] = spread(v);
    int64_t groups = (op->outputs + COLUMN_TRITS - 1) / COLUMN_TRITS;
    for (int64_t block = begin; block < end; block++) {
        int64_t bytes = min64(BLOCK, op->width - block * BLOCK);
        for (int64_t first = 0; first < groups; first += BLOCK)
            for (int64_t b = 0; b < bytes; b++) {
                uint8_t *out = op->columns + (block * STEP_PLACES + b) * op->column_bytes;
                const uint8_t *w = op->weights + block * BLOCK + b;
                for (int64_t g = first; g < min64(first + BLOCK, groups); g++) {
                    uint64_t bits = 0;
                    for (int64_t i = 0; i < min64(COLUMN_TRITS, op->outputs - g * COLUMN_TRITS); i++)
                        bits |= words[w[(g * COLUMN_TRITS + i) * op->width]] << 2 * i;
                    for (int j = 0; j < TRITS; j++) out[j * BLOCK * op->column_bytes + g] = (uint8_t)(bits >> 8 * j);
                }
            }
    }
}

/* Before a product of several groups of rows: its columns, where one of the groups takes them and none did so far.
 * Returns whether it fills them, which is the same on all threads, however far the others are. */
UNIT bool turn(machine *m, const operation *op, int thread, int threads) {
    static const int8_t percent[GROUP + 1] = {
        [1] = COLUMNS_PAY_1, [2] = COLUMNS_PAY_2, [4] = COLUMNS_PAY_4, [8] = COLUMNS_PAY_8};
    int32_t *list = (int32_t *)(m->wide + thread * m->wide_channels);
    int64_t blocks = (op->width + BLOCK - 1) / BLOCK, rows = op->rows, group = GROUP;
    if (*op->turned) return false;
    for (int64_t row = op->first_row; rows; row += group, rows -= group) {
        while (group > rows) group /= 2;
        if (paying_places(m, op, row, group, percent[group], list) < 0) continue;
        turn_blocks(op, share(blocks, thread, threads), share(blocks, thread + 1, threads));
        return true;
    }
    return false;
}
