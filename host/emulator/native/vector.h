/* Norms, tap, gated product, residual: docs/numerics.md sections 4, 5, 8, 9. One thread takes whole rows, or all threads
 * their shares of one.
 * Included by each path with TARGET set. */

UNIT int64_t largest_of(const int64_t *x, int64_t count) {
    int64_t largest = 0;
    for (int64_t i = 0; i < count; i++) largest = max64(largest, magnitude(x[i]));
    return largest;
}

/* Exponent by which a row of this largest magnitude is brought to 24 bits. */
INLINE int64_t excess_bits(int64_t largest) { return max64(bit_length(largest) - 23, 0); }

/* Sum of squares of the row in 24 bits. */
UNIT int64_t square_sum(const int64_t *x, int64_t count, int64_t k) {
    int64_t squares = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t narrow = round_shift_62(x[i], k);
        squares += narrow * narrow;
    }
    return squares;
}

/* x <- round_shift(gain x, k), whose products have up to 78 bits. What is above 2**k times the gain is an integer
 * whatever is below: of it the lowest bit alone, which decides ties, is rounded with the rest. */
UNIT void apply_gains(int64_t *x, int64_t count, const int16_t *gains, int64_t k) {
    if (k <= 24) { /* |x| < 2**47 */
        for (int64_t i = 0; i < count; i++) x[i] = round_shift_62(x[i] * gains[i], k);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t whole = x[i] >> k, rest = x[i] - (int64_t)((uint64_t)whole << k), above = whole * gains[i];
        int64_t odd = above & 1;
        x[i] = above - odd + round_shift_62((odd << k) + rest * gains[i], k);
    }
}

/* y = gain x + add, clipped, zero below the threshold; rho: units of x per unit of the parameters. */
UNIT void tap(int64_t *x, int64_t count, const tap_channel *p, const operation *op, scalar rho, int bits) {
    scaling add = scaling_of(rho, op->tap_add_exponent, 40), clip = scaling_of(rho, op->tap_clip_exponent, 40);
    scaling threshold = scaling_of(rho, op->tap_threshold_exponent, 40);
    int64_t limit = limit_of(bits);
    for (int64_t i = 0; i < count; i++) {
        int64_t y = clip64(round_shift_62(x[i] * p[i].gain, 13) + scaled(p[i].add, add), limit);
        if (p[i].clip != NO_CLIP) y = clip64(y, scaled(p[i].clip, clip));
        x[i] = magnitude(y) <= scaled(p[i].threshold, threshold) ? 0 : y;
    }
}

/* h + (setpoint - direction·h) add in a tap's fields, where the loop acts; x: the row of the residual, in 32 bits. */
UNIT void closed_loop(int64_t *x, int64_t count, const tap_channel *p, const operation *op) {
    int64_t error = op->setpoint;
    for (int64_t i = 0; i < count; i++) error -= x[i] * p[i].gain;
    if (!error || (error < 0 ? op->loop == LOOP_BELOW : op->loop == LOOP_ABOVE)) return;
    scaling to = scaling_of(from_int(magnitude(error)), op->tap_add_exponent, 40);
    int64_t limit = limit_of(32), sign = error < 0 ? -1 : 1;
    for (int64_t i = 0; i < count; i++) x[i] = clip64(x[i] + scaled(sign * p[i].add, to), limit);
}

#ifndef SILU_GATES
/* Sigmoid of t / 2**14, by linear interpolation in a table of segments of 2**-5. */
INLINE int64_t sigmoid(const int64_t *table, int64_t t) {
    int64_t segment = table[(t >> 9) + 512], rest = t & 511;
    return (int32_t)segment + (((segment >> 32) * rest + 256) >> 9);
}

/* What SiLU makes of `count` sums of the gate, times 2**16 in units of a sum. */
UNIT void silu_gates(machine *m, const operation *op, int64_t row, const int32_t *gate, int64_t count, int64_t *x) {
    int64_t limit = GATED_LIMIT;
    scaling input = scaling_of(mul(m->unit[row], from_word((uint32_t)op->gate_scale)), 14, 19);
    const int64_t *table = m->sigmoid;
    for (int64_t i = 0; i < count; i++) x[i] = scaled(clip64(gate[i], limit), input);
    for (int64_t i = 0; i < count; i++) x[i] = clip64(gate[i], limit) * sigmoid(table, x[i]);
}
#endif

UNIT scalar gated_unit(machine *m, const operation *op, int64_t row) {
    scalar gate_unit = mul(m->unit[row], from_word((uint32_t)op->gate_scale));
    scalar up_unit = mul(m->unit[row], from_word((uint32_t)op->up_scale));
    if (op->activation == ACTIVATION_RELU2) return mul(mul(gate_unit, gate_unit), up_unit);
    return shift(mul(gate_unit, up_unit), -16);
}

UNIT void gated_product(machine *m, const operation *op, int64_t row, int64_t begin, int64_t count, int64_t *x) {
    const int32_t *sums = m->sums + row * m->row_sums + begin;
    const int32_t *gate = sums + op->gate_accumulator * m->outputs_per_step;
    const int32_t *up = sums + op->up_accumulator * m->outputs_per_step;
    int64_t limit = GATED_LIMIT;
    if (op->activation == ACTIVATION_RELU2) {
        for (int64_t i = 0; i < count; i++) {
            int64_t g = max64(min64(gate[i], limit), 0), u = clip64(up[i], limit);
            x[i] = g * g * u;
        }
        return;
    }
    silu_gates(m, op, row, gate, count, x);
    for (int64_t i = 0; i < count; i++) x[i] *= clip64(up[i], limit);
}

/* The largest exponent of a row of attention's results. */
UNIT int64_t attention_top(machine *m, const operation *op, int64_t row) {
    int64_t groups = op->count / op->group_channels;
    const int64_t *exponents = m->attention_exponents + row * groups;
    int64_t top = exponents[0];
    for (int64_t g = 1; g < groups; g++) top = max64(top, exponents[g]);
    return top;
}

/* Attention's results, aligned to the row's largest exponent. */
UNIT void attention_results(machine *m, const operation *op, int64_t row, int64_t begin, int64_t count, int64_t *x) {
    int64_t size = op->group_channels, top = attention_top(m, op, row);
    const int32_t *o = m->attention + row * op->count;
    const int64_t *exponents = m->attention_exponents + row * (op->count / size);
    for (int64_t i = begin, next; i < begin + count; i = next) {
        int64_t align = top - exponents[i / size];
        next = min64((i / size + 1) * size, begin + count);
        for (int64_t c = i; c < next; c++) x[c - begin] = round_shift(o[c], align);
    }
}

/* Channels `begin` .. of the row that a norm takes, widened. */
UNIT void norm_input(machine *m, const operation *op, int64_t row, int64_t begin, int64_t count, int64_t *x) {
    if (op->source == NORM_GATED) {
        gated_product(m, op, row, begin, count, x);
    } else if (op->source == NORM_RESIDUAL) {
        const int32_t *h = m->residual + row * op->count + begin;
        for (int64_t i = 0; i < count; i++) x[i] = h[i];
    } else {
        attention_results(m, op, row, begin, count, x);
    }
}

/* The value of its unit. */
UNIT scalar norm_input_unit(machine *m, const operation *op, int64_t row) {
    if (op->source == NORM_GATED) return gated_unit(m, op, row);
    return power(op->source == NORM_RESIDUAL ? op->unit_exponent : attention_top(m, op, row));
}

/* Where digit 0 of byte 0 of a row's activations lies if the first of its `rows` is row 0, and how far apart its blocks
 * are. */
INLINE int8_t *activation_row(machine *m, int64_t row, int64_t rows, int64_t *stride) {
    int64_t start = 0, group = GROUP;
    for (;; group /= 2)
        while (start + group <= rows) {
            if (row < start + group) {
                *stride = group * TRITS * BLOCK;
                return m->activations + start * m->group_bytes + (row - start) * TRITS * BLOCK;
            }
            start += group;
        }
}

/* A row of activations is about to be stored. */
INLINE void begin_activations(machine *m, int64_t row, int64_t count) {
    m->activation_sums[row] = 0;
    m->live_inputs[row] = 0;
    m->inputs[row] = count;
}

#ifndef DEAL_DIGITS
/* Of a block's activations in the order of their channels, those of each digit. */
UNIT void deal_digits(const int8_t *bytes, int8_t *out) {
    for (int j = 0; j < TRITS; j++)
        for (int b = 0; b < BLOCK; b++) out[j * BLOCK + b] = bytes[b * TRITS + j];
}
#endif

/* Deal activations from channel `begin` on, a multiple of STEP_PLACES, out to the digits of their bytes; returns how many
 * are zero. The row's sum and its count of others grow by these. */
UNIT int64_t store_activations(machine *m, const operation *op, int64_t row, int64_t begin, const int64_t *q,
                               int64_t count) {
    int64_t blocks = (count + STEP_PLACES - 1) / STEP_PLACES, stride, sum = 0, zeros = 0;
    int8_t *out = activation_row(m, row - op->product_first, op->product_rows, &stride) + op->product_first * m->group_bytes;
    out += begin / STEP_PLACES * stride;
    for (int64_t i = 0; i < count; i++) {
        sum += q[i];
        zeros += q[i] == 0;
    }
    if (op->grouped)
        store_groups(m, row, q, count);
    else for (int64_t block = 0; block < blocks; block++, out += stride) {
        int8_t bytes[TRITS * BLOCK] = {0};
        int64_t start = block * TRITS * BLOCK, rest = min64(count - start, TRITS * BLOCK);
        for (int64_t i = 0; i < rest; i++) bytes[i] = (int8_t)q[start + i];
        deal_digits(bytes, out);
    }
    __atomic_fetch_add(&m->activation_sums[row], (int32_t)sum, __ATOMIC_RELAXED);
    __atomic_fetch_add(&m->live_inputs[row], count - zeros, __ATOMIC_RELAXED);
    return zeros;
}

/* What a thread finds in its channels of a row: the largest magnitude before the gains and behind them. */
typedef struct {
    int64_t largest, squares, gained;
    scalar unit; /* of the whole row, as it came */
    int64_t apart[3];
} part;

_Static_assert(sizeof(part) == FINDINGS * sizeof(int64_t), "a part is a cache line");

/* A norm goes in three steps, each of which needs what the one before found in the whole row; here for its channels
 * from `begin` on, as x. */
UNIT void norm_widen(machine *m, const operation *op, int64_t row, int64_t begin, int64_t count, int64_t *x, part *found) {
    norm_input(m, op, row, begin, count, x);
    found->largest = largest_of(x, count);
    found->unit = norm_input_unit(m, op, row);
}

UNIT void norm_gain(machine *m, const operation *op, int64_t begin, int64_t count, int64_t *x, int64_t k, part *found) {
    found->squares = op->rms ? square_sum(x, count, k) : 0;
    if (op->gained)
        apply_gains(x, count, m->gains + begin, k);
    else
        for (int64_t i = 0; i < count; i++) x[i] = round_shift_62(x[i], k);
    found->gained = largest_of(x, count);
}

/* The value of a gained row's unit. */
UNIT scalar norm_unit(const operation *op, const part *row) {
    scalar unit = shift(row->unit, excess_bits(row->largest)), y_unit = mul(unit, from_word((uint32_t)op->gain));
    if (!op->rms) return y_unit;
    return divide(y_unit, root(add(mul(from_int(row->squares), mul(unit, unit)), from_word((uint32_t)op->eps_sum))));
}

/* Returns the row's step: the value of an integer of it. */
UNIT scalar norm_quantise(machine *m, const operation *op, int64_t row, int64_t begin, int64_t count, int64_t *x,
                          int64_t largest, scalar y_unit, int64_t *counts) {
    scalar v_max = from_int(largest), y_max = mul(v_max, y_unit);
    const scalar *c = m->constants + (op->levels16 != 0);
    bool low = less(y_max, m->constants[FLOOR]);
    scaling to = scaling_of(low ? mul(y_unit, c[CLAMPED_7]) : divide(c[LEVELS_7], v_max), 0, op->levels16 ? 16 : 8);
    for (int64_t i = 0; i < count; i++) x[i] = scaled(x[i], to);
    if (op->levels16) {
        int16_t *out = m->head_input + (row - op->first_row) * op->count + begin;
        for (int64_t i = 0; i < count; i++) out[i] = (int16_t)x[i];
    } else {
        counts[ZEROS] += store_activations(m, op, row, begin, x, count);
        counts[ACTIVATIONS] += count;
    }
    return low ? c[STEP_7] : mul(y_max, c[INVERSE_7]);
}

UNIT void norm_row(machine *m, const operation *op, int64_t row, int thread) {
    int64_t *x = m->wide + thread * m->wide_channels, count = op->count;
    part all;
    begin_activations(m, row, count);
    norm_widen(m, op, row, 0, count, x, &all);
    norm_gain(m, op, 0, count, x, excess_bits(all.largest), &all);
    scalar y_unit = norm_unit(op, &all);
    if (op->tap) {
        tap(x, count, m->taps, op, divide(m->constants[ONE], y_unit), 40);
        all.gained = largest_of(x, count);
    }
    m->unit[row] = norm_quantise(m, op, row, 0, count, x, all.gained, y_unit, m->counts + thread * COUNTERS);
}

/* A step of a norm of one row whose channels all threads share. */
UNIT void norm_step(machine *m, const operation *op, int step, int thread, int threads) {
    int64_t blocks = (op->count + STEP_PLACES - 1) / STEP_PLACES, row = op->first_row;
    int64_t begin = share(blocks, thread, threads) * STEP_PLACES;
    int64_t count = min64(share(blocks, thread + 1, threads) * STEP_PLACES, op->count) - begin, *x = m->wide + begin;
    part *parts = (part *)m->parts, all = {.unit = parts->unit};
    for (int i = 0; i < threads && step; i++) {
        all.largest = max64(all.largest, parts[i].largest);
        if (step == 1) continue;
        all.squares += parts[i].squares;
        all.gained = max64(all.gained, parts[i].gained);
    }
    if (step == 0) {
        if (thread == 0) begin_activations(m, row, op->count);
        norm_widen(m, op, row, begin, count, x, &parts[thread]);
    } else if (step == 1) {
        norm_gain(m, op, begin, count, x, excess_bits(all.largest), &parts[thread]);
    } else {
        scalar quantum = norm_quantise(m, op, row, begin, count, x, all.gained, norm_unit(op, &all),
                                       m->counts + thread * COUNTERS);
        if (thread == 0) m->unit[row] = quantum;
    }
}

UNIT void norm(machine *m, const operation *op, int step, int thread, int threads) {
    if (steps_of(op, threads) > 1) {
        norm_step(m, op, step, thread, threads);
        return;
    }
    for (int64_t row = thread; row < op->rows; row += threads) norm_row(m, op, op->first_row + row, thread);
}

UNIT void residual_add(machine *m, const operation *op, int thread, int threads) {
    int64_t *x = m->wide + thread * m->wide_channels, saturations = 0, limit = limit_of(32), begin = 0, count = op->count;
    bool shared = op->rows < threads && !op->tap; /* all threads take channels of each row */
    if (shared) {
        begin = share(count, thread, threads);
        count = share(count, thread + 1, threads) - begin;
    }
    for (int64_t i = shared ? 0 : thread; i < op->rows; i += shared ? 1 : threads) {
        int64_t row = op->first_row + i;
        int32_t *h = m->residual + row * op->count + begin;
        const int32_t *sums = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step + begin;
        scaling to = scaling_of(mul(m->unit[row], from_word((uint32_t)op->scale)), op->fraction_bits, 32);
        for (int64_t i = 0; i < count; i++) x[i] = h[i] + scaled(sums[i], to);
        for (int64_t i = 0; i < count; i++) saturations += magnitude(x[i]) > limit;
        for (int64_t i = 0; i < count; i++) x[i] = clip64(x[i], limit);
        if (op->tap && op->loop)
            closed_loop(x, count, m->taps, op);
        else if (op->tap)
            tap(x, count, m->taps, op, power(op->fraction_bits), 32);
        for (int64_t i = 0; i < count; i++) h[i] = (int32_t)x[i];
    }
    m->counts[thread * COUNTERS + SATURATIONS] += saturations;
}
