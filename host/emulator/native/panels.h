/* The ternary product for many rows: outputs in panels, and each panel for all groups of eight rows, so that weights are
 * read and decoded once and not once a group. Included by matmul.h for paths that have, after
 *   PANEL outputs, scratch of PANEL_BYTES for their digits, and PANEL_ROWS_BYTES of activations that a cache keeps,
 *   decode_panel(w, width, ahead, blocks, panel) and block_panel(panel, blocks, q, sums): panels_avx512.h. */

/* Some groups from row `row` on; returns the first output that is left to do. */
UNIT int64_t panels_of(machine *m, const operation *op, int64_t row, int64_t groups, int64_t begin, int64_t end) {
    int64_t width = op->width, inputs = m->inputs[row];
    for (int64_t r = row; r < row + groups * GROUP; r += GROUP)
        if (m->inputs[r] != inputs) return begin;
    int64_t blocks = (min64(width, (inputs + TRITS - 1) / TRITS) + BLOCK - 1) / BLOCK, size = blocks * TRITS * BLOCK * PANEL;
    int64_t count = min64(max64(PANEL_BYTES / size, 1), 8), o = begin;
    const uint8_t *limit = op->weights + op->outputs * width - blocks * BLOCK; /* not beyond the mapped file */
    uint8_t panel[PANEL_BYTES] __attribute__((aligned(64)));
    if (size > PANEL_BYTES) return begin;
    while (o + PANEL <= end && op->weights + (o + PANEL - 1) * width <= limit) {
        int64_t first = o, found = 0;
        for (; found < count && o + PANEL <= end && op->weights + (o + PANEL - 1) * width <= limit; o += PANEL)
            decode_panel(op->weights + o * width, width, count * PANEL * width, blocks, panel + found++ * size);
        for (int64_t r = row; r < row + groups * GROUP; r += GROUP) {
            const int8_t *q = m->activations + r * m->group_bytes;
            int32_t *out = m->sums + r * m->row_sums + op->accumulator * m->outputs_per_step + first, sums[PANEL * GROUP];
            for (int64_t p = 0; p < found; p++, out += PANEL) {
                block_panel(panel + p * size, blocks, q, sums);
                for (int64_t i = 0; i < GROUP; i++)
                    for (int64_t k = 0; k < PANEL; k++)
                        out[i * m->row_sums + k] = sums[k * GROUP + i] - DIGIT_OFFSET * m->activation_sums[r + i];
            }
        }
    }
    return o;
}

/* The same for any number of groups: in equal parts that a cache keeps, the outputs that no panel takes one by one. */
UNIT void panels(machine *m, const operation *op, int64_t row, int64_t groups, int64_t begin, int64_t end) {
    int64_t most = max64(PANEL_ROWS_BYTES / (GROUP * m->inputs[row] + 1), 2), parts = (groups + most - 1) / most;
    for (; parts; parts--) {
        int64_t now = groups / parts, left = now > 1 ? panels_of(m, op, row, now, begin, end) : begin;
        for (int64_t r = row; r < row + now * GROUP && left < end; r += GROUP) matmul_8(m, op, r, left, end);
        row += now * GROUP, groups -= now;
    }
}
