/* Norms, tap, gated product, residual: docs/numerics.md sections 4, 5, 8, 9. One thread takes whole rows.
 * Included by each path with TARGET set. */

/* Exponent by which a row is brought to 24 bits. */
UNIT int64_t excess_bits(const int64_t *x, int64_t count) {
    int64_t largest = 0;
    for (int64_t i = 0; i < count; i++) largest = max64(largest, magnitude(x[i]));
    return max64(bit_length(largest) - 23, 0);
}

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

/* Sigmoid of t / 2**14, by linear interpolation in a table of segments of 2**-5. */
INLINE int64_t sigmoid(const int64_t *table, int64_t t) {
    int64_t segment = (t >> 9) + 512, rest = t & 511, low = table[segment], high = table[segment + 1];
    return low + (((high - low) * rest + 256) >> 9);
}

enum { GATED_LIMIT = (1 << 20) - 1 }; /* of the sums that are multiplied */

/* What SiLU makes of `count` sums of the gate, times 2**16 in units of a sum. */
UNIT void silu_gates(machine *m, const operation *op, int64_t row, const int32_t *gate, int64_t count, int64_t *x) {
    int64_t limit = GATED_LIMIT;
    scaling input = scaling_of(mul(m->unit[row], from_word((uint32_t)op->gate_scale)), 14, 19);
    const int64_t *table = m->sigmoid;
    for (int64_t i = 0; i < count; i++) x[i] = scaled(clip64(gate[i], limit), input);
    for (int64_t i = 0; i < count; i++) x[i] = clip64(gate[i], limit) * sigmoid(table, x[i]);
}

UNIT scalar gated_product(machine *m, const operation *op, int64_t row, int64_t *x) {
    const int32_t *sums = m->sums + row * m->row_sums;
    const int32_t *gate = sums + op->gate_accumulator * m->outputs_per_step;
    const int32_t *up = sums + op->up_accumulator * m->outputs_per_step;
    scalar gate_unit = mul(m->unit[row], from_word((uint32_t)op->gate_scale));
    scalar up_unit = mul(m->unit[row], from_word((uint32_t)op->up_scale));
    int64_t limit = GATED_LIMIT, count = op->count; /* a local: x may alias the operation's fields */
    if (op->activation == ACTIVATION_RELU2) {
        for (int64_t i = 0; i < count; i++) {
            int64_t g = max64(min64(gate[i], limit), 0), u = clip64(up[i], limit);
            x[i] = g * g * u;
        }
        return mul(mul(gate_unit, gate_unit), up_unit);
    }
    silu_gates(m, op, row, gate, count, x);
    for (int64_t i = 0; i < count; i++) x[i] *= clip64(up[i], limit);
    return shift(mul(gate_unit, up_unit), -16);
}

/* A row of attention's results, aligned to its largest exponent, and the value of its unit. */
UNIT scalar attention_results(machine *m, const operation *op, int64_t row, int64_t *x) {
    int64_t count = op->count, size = op->group_channels, groups = count / size;
    const int32_t *o = m->attention + row * count;
    const int64_t *exponents = m->attention_exponents + row * groups;
    int64_t top = exponents[0];
    for (int64_t g = 1; g < groups; g++) top = max64(top, exponents[g]);
    for (int64_t g = 0; g < groups; g++) {
        int64_t align = top - exponents[g];
        for (int64_t i = g * size; i < (g + 1) * size; i++) x[i] = round_shift(o[i], align);
    }
    return power(top);
}

/* The row that a norm takes, widened, and the value of its unit. */
UNIT scalar norm_input(machine *m, const operation *op, int64_t row, int64_t *x) {
    int64_t count = op->count;
    if (op->source == NORM_GATED) return gated_product(m, op, row, x);
    if (op->source == NORM_RESIDUAL) {
        const int32_t *h = m->residual + row * count;
        for (int64_t i = 0; i < count; i++) x[i] = h[i];
        return power(op->unit_exponent);
    }
    return attention_results(m, op, row, x);
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

/* Deal a row's activations out to the digits of their bytes; returns how many are zero. */
UNIT int64_t store_activations(machine *m, const operation *op, int64_t row, const int64_t *q, int64_t count) {
    int64_t blocks = (count + TRITS * BLOCK - 1) / (TRITS * BLOCK), stride, sum = 0, zeros = 0;
    int8_t *out = activation_row(m, row - op->product_first, op->product_rows, &stride) + op->product_first * m->group_bytes;
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
        for (int j = 0; j < TRITS; j++)
            for (int b = 0; b < BLOCK; b++) out[j * BLOCK + b] = bytes[b * TRITS + j];
    }
    m->activation_sums[row] = (int32_t)sum;
    m->inputs[row] = count;
    m->live_inputs[row] = count - zeros;
    return zeros;
}

UNIT void norm_row(machine *m, const operation *op, int64_t row, int thread) {
    int64_t *x = m->wide + thread * m->wide_channels, count = op->count, squares = 0, largest = 0;
    scalar unit = norm_input(m, op, row, x);
    int64_t k = excess_bits(x, count);
    unit = shift(unit, k);
    if (op->rms) squares = square_sum(x, count, k);
    if (op->gained)
        apply_gains(x, count, m->gains, k);
    else
        for (int64_t i = 0; i < count; i++) x[i] = round_shift_62(x[i], k);
    scalar y_unit = mul(unit, from_word((uint32_t)op->gain));
    if (op->rms)
        y_unit = divide(y_unit, root(add(mul(from_int(squares), mul(unit, unit)), from_word((uint32_t)op->eps_sum))));
    if (op->tap) tap(x, count, m->taps, op, divide(m->constants[ONE], y_unit), 40);
    for (int64_t i = 0; i < count; i++) largest = max64(largest, magnitude(x[i]));
    scalar v_max = from_int(largest), y_max = mul(v_max, y_unit);
    const scalar *c = m->constants + (op->levels16 != 0);
    bool low = less(y_max, m->constants[FLOOR]);
    scaling to = scaling_of(low ? mul(y_unit, c[CLAMPED_7]) : divide(c[LEVELS_7], v_max), 0, op->levels16 ? 16 : 8);
    m->unit[row] = low ? c[STEP_7] : mul(y_max, c[INVERSE_7]);
    for (int64_t i = 0; i < count; i++) x[i] = scaled(x[i], to);
    if (!op->levels16) {
        m->counts[thread * COUNTERS + ZEROS] += store_activations(m, op, row, x, count);
        m->counts[thread * COUNTERS + ACTIVATIONS] += count;
        return;
    }
    int16_t *out = m->head_input + (row - op->first_row) * count;
    for (int64_t i = 0; i < count; i++) out[i] = (int16_t)x[i];
}

UNIT void norm(machine *m, const operation *op, int thread, int threads) {
    for (int64_t row = thread; row < op->rows; row += threads) norm_row(m, op, op->first_row + row, thread);
}

UNIT void residual_add(machine *m, const operation *op, int thread, int threads) {
    int64_t *x = m->wide + thread * m->wide_channels, saturations = 0, limit = limit_of(32), count = op->count;
    for (int64_t i = thread; i < op->rows; i += threads) {
        int64_t row = op->first_row + i;
        int32_t *h = m->residual + row * count;
        const int32_t *sums = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step;
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
