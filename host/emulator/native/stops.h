/* Where a pass stops: rows leave for memory, and what the host made of them comes back. docs/program.md, "Stops".
 * Included by each path with TARGET set. */

UNIT void load_stopped(machine *m, const operation *op, const void *data) {
    if (op->target == LOAD_STEP) {
        const uint32_t *words = data;
        for (int64_t i = 0; i < op->bytes / STEP_BYTES; i++) m->unit[op->row + i] = from_word(words[i * STEP_BYTES / 4]);
        return;
    }
    int64_t count = op->bytes / 2, *x = m->wide;
    const int16_t *values = data;
    if (op->target == LOAD_HEAD_INPUT) {
        memcpy(m->head_input + op->row * count, values, (size_t)op->bytes);
        return;
    }
    for (int64_t i = 0; i < count; i++) x[i] = values[i];
    begin_activations(m, op->row, count);
    store_activations(m, op, op->row, 0, x, count);
}

UNIT void store_row(machine *m, const operation *op, int64_t row, int64_t *x) {
    int64_t count = op->count, place = row - op->first_row;
    int32_t *out = view(m, op->address + place * count * 4, count * 4);
    uint32_t *step = op->source == STORE_RESIDUAL ? 0 : view(m, op->steps + place * STEP_BYTES, STEP_BYTES);
    if (!out || m->failure) return;
    if (op->source == STORE_ATTENTION) {
        attention_results(m, op, row, 0, count, x);
        *step = to_word(power(attention_top(m, op, row)));
        for (int64_t i = 0; i < count; i++) out[i] = (int32_t)x[i];
        return;
    }
    const int32_t *sums = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step;
    memcpy(out, op->source == STORE_SUMS ? sums : m->residual + row * count, (size_t)count * 4);
    if (step) *step = to_word(m->unit[row]);
}

UNIT void store(machine *m, const operation *op, int thread, int threads) {
    for (int64_t i = thread; i < op->rows; i += threads)
        store_row(m, op, op->first_row + i, m->wide + thread * m->wide_channels);
}
