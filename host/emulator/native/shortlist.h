/* Shortlists: the largest scores of a ternary head's rows. docs/numerics.md section 10.
 * Included by each path with TARGET set. */

/* Offer a chunk's rows, their ids ascending: what came first stays before its equals. One thread takes whole lists. */
UNIT void offer(machine *m, const operation *op, int thread, int threads) {
    for (int64_t row = op->first_row + thread; row < op->first_row + op->rows; row += threads) {
        const int32_t *sums = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step;
        int64_t *scores = m->list_scores + row * SHORTLIST, *ids = m->list_ids + row * SHORTLIST;
        int64_t kept = op->begin ? 0 : min64(m->list_sizes[row], op->k);
        for (int64_t n = 0; n < op->count; n++) {
            int64_t score = (int64_t)sums[n] * m->gains[n];
            if (kept == op->k && score <= scores[kept - 1]) continue;
            int64_t at = kept < op->k ? kept++ : kept - 1;
            for (; at > 0 && scores[at - 1] < score; at--) {
                scores[at] = scores[at - 1];
                ids[at] = ids[at - 1];
            }
            scores[at] = score;
            ids[at] = op->first_id + n;
        }
        m->list_sizes[row] = kept;
    }
}
