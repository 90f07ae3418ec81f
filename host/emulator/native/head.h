/* The head: 16-bit activations times int8 rows, exact sums, logits, top k. docs/numerics.md section 10.
 * Included by each path with TARGET set. */

enum { HEAD_BLOCK = 512 }; /* products of 16 and 8 bits whose sum fits 32 bits */

UNIT int64_t dot_head(const int16_t *q, const int8_t *w, int64_t count) {
    int64_t total = 0, i = 0;
    for (; i + HEAD_BLOCK <= count; i += HEAD_BLOCK) {
        int32_t sum = 0;
        for (int64_t j = 0; j < HEAD_BLOCK; j++) sum += (int32_t)q[i + j] * w[i + j];
        total += sum;
    }
    int32_t rest = 0;
    for (; i < count; i++) rest += (int32_t)q[i] * w[i];
    return total + rest;
}

INLINE int32_t *logits_of(machine *m, const operation *op, int64_t row) {
    if (!op->write_logits) return m->scores + row * op->vocab;
    return view(m, op->logits + row * ((op->vocab + 3) / 4 * 4) * 4, op->vocab * 4);
}

/* The vocabulary's row that is an operation's row v. */
INLINE int64_t id_of(const machine *m, const operation *op, int64_t v) {
    return op->listed ? m->list_ids[op->row * SHORTLIST + v] : v;
}

UNIT void logits(machine *m, const operation *op, int thread, int threads) {
    int64_t end = share(op->vocab, thread + 1, threads);
    for (int64_t v = share(op->vocab, thread, threads); v < end; v++) {
        int64_t id = id_of(m, op, v);
        const int8_t *w = op->head + id * op->count;
        __builtin_prefetch(w + 4096);
        scalar scale = from_word(op->head_scales[id]);
        for (int64_t row = 0; row < op->rows; row++) {
            int32_t *out = logits_of(m, op, row);
            if (!out) return;
            int64_t sum = dot_head(m->head_input + row * op->count, w, op->count);
            out[v] = (int32_t)scaled(sum, scaling_of(mul(m->unit[op->first_row + row], scale), 16, 32));
        }
    }
}

/* Whether a logit comes before one of the best, a pair (id, logit): larger first, lower id first among equals. */
INLINE bool before(int64_t id, int32_t value, const int32_t *pair) {
    return value > pair[1] || (value == pair[1] && id < pair[0]);
}

/* The k best: pairs in memory. */
UNIT void best_logits(machine *m, const operation *op, int thread, int threads) {
    for (int64_t row = thread; row < op->rows; row += threads) {
        const int32_t *values = logits_of(m, op, row);
        int32_t *best = view(m, op->top + row * m->top_k * 8, op->k * 8);
        if (!values || !best) return;
        int64_t kept = 0;
        for (int64_t v = 0; v < op->vocab; v++) {
            int64_t id = id_of(m, op, v);
            if (kept == op->k && !before(id, values[v], best + 2 * kept - 2)) continue;
            int64_t at = kept < op->k ? kept++ : kept - 1;
            for (; at > 0 && before(id, values[v], best + 2 * at - 2); at--) {
                best[2 * at] = best[2 * at - 2];
                best[2 * at + 1] = best[2 * at - 1];
            }
            best[2 * at] = (int32_t)id;
            best[2 * at + 1] = values[v];
        }
    }
}
