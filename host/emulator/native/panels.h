/* The ternary product for many rows: outputs in panels, and each panel for all groups of eight rows, so that weights
 * are read and decoded once and not once a group. Included by matmul.h for paths that have, after
 *   PANEL outputs, scratch of PANEL_BYTES for their digits, and PANEL_ROWS_BYTES of activations that a cache keeps,
 *   decode_panel and block_panel: panels_avx512.h. */

/* Groups from row `row` on, all of as many inputs. */
UNIT void panels_of(machine *m, const operation *op, int64_t row, int64_t groups, int64_t begin, int64_t end) {
    int64_t blocks = (min64(op->width, (m->inputs[row] + TRITS - 1) / TRITS) + BLOCK - 1) / BLOCK;
    int parts = (int)(blocks * STEP_PLACES * PANEL / PANEL_BYTES + 1);
    uint8_t panel[PANEL_BYTES] __attribute__((aligned(64)));
    for (int64_t o = begin; o < end; o += PANEL)
        for (int part = 0; part < parts; part++) {
            int64_t first = share(blocks, part, parts), last = share(blocks, part + 1, parts);
            decode_panel(op->weights + o * op->width, op->width, min64(end - o, PANEL), first, last, panel);
            for (int64_t r = row; r < row + groups * GROUP; r += GROUP)
                block_panel(panel, last - first, m->activations + r * m->group_bytes + first * GROUP * STEP_PLACES,
                            m->activation_sums + r, !part, end - o,
                            m->sums + r * m->row_sums + op->accumulator * m->outputs_per_step + o, m->row_sums);
        }
}

/* The same for any number of groups, in equal parts that a cache keeps. */
UNIT void panels(machine *m, const operation *op, int64_t row, int64_t groups, int64_t begin, int64_t end) {
    int64_t most = max64(PANEL_ROWS_BYTES / (GROUP * m->inputs[row] + 1), 2), parts = (groups + most - 1) / most;
    for (int64_t r = row; r < row + groups * GROUP; r += GROUP)
        if (m->inputs[r] != m->inputs[row]) parts = groups;
    for (; parts; parts--) {
        int64_t now = groups / parts;
        (now > 1 ? panels_of(m, op, row, now, begin, end) : matmul_8(m, op, row, begin, end));
        row += now * GROUP, groups -= now;
    }
}
