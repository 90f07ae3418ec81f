/* RoPE, quantisation of heads, the cache, attention: docs/numerics.md sections 6 and 7.
 * Included by each path with TARGET set. */

enum { DIM_MAX = 256 };

/* One head of sums, rotated where it is a query or a key, quantised by its own maximum. */
UNIT scalar head_quant(machine *m, const operation *op, int64_t row, int64_t head, int bits, int16_t *q) {
    const int32_t *x = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step + head * op->dim;
    int64_t wide[DIM_MAX], dim = op->dim, half = dim / 2, largest = 0;
    scalar unit = mul(m->unit[row], from_word((uint32_t)op->scale));
    if (op->opcode == VALUE) {
        for (int64_t i = 0; i < dim; i++) wide[i] = x[i];
    } else {
        const int16_t *cosine = m->rope + row * dim, *sine = cosine + half;
        for (int64_t i = 0; i < half; i++) {
            int64_t a = x[i], b = x[half + i];
            wide[i] = round_shift_62(a * cosine[i] - b * sine[i], 10);
            wide[half + i] = round_shift_62(b * cosine[i] + a * sine[i], 10);
        }
        unit = shift(unit, -4);
    }
    for (int64_t i = 0; i < dim; i++) largest = max64(largest, magnitude(wide[i]));
    const scalar *c = m->constants + (bits == 16);
    scalar top = from_int(largest);
    scaling to = scaling_of(divide(c[LEVELS_7], top), 0, 32);
    int64_t limit = limit_of(bits);
    for (int64_t i = 0; i < dim; i++) q[i] = (int16_t)clip64(scaled(wide[i], to), limit);
    return mul(mul(top, unit), c[INVERSE_7]);
}

UNIT void queries(machine *m, const operation *op, int thread, int threads) {
    for (int64_t i = op->first_row * op->heads + thread; i < (op->first_row + op->rows) * op->heads; i += threads) {
        m->query_scales[i] = head_quant(m, op, i / op->heads, i % op->heads, 16, m->queries + i * op->dim);
    }
}

UNIT void cache(machine *m, const operation *op, int thread, int threads) {
    for (int64_t i = thread; i < op->rows * op->heads; i += threads) {
        int64_t row = i / op->heads, head = i % op->heads, position = m->positions[op->sequence] + op->token + row;
        int64_t start = head * op->head_bytes;
        int16_t q[DIM_MAX];
        scalar scale = head_quant(m, op, op->first_row + row, head, (int)m->kv_bits, q);
        void *out = view(m, op->address + start + position * op->address_stride, op->dim * m->kv_bits / 8);
        uint32_t *word = view(m, op->scale_address + start + position * op->scale_address_stride, 4);
        if (!out || !word) return;
        *word = to_word(scale);
        for (int64_t d = 0; d < op->dim; d++) {
            if (m->kv_bits == 8)
                ((int8_t *)out)[d] = (int8_t)q[d];
            else
                ((int16_t *)out)[d] = q[d];
        }
    }
}

UNIT int64_t dot_key(const int16_t *q, const uint8_t *key, int64_t dim, int64_t kv_bits) {
    if (kv_bits == 8) {
        int32_t sum = 0;
        for (int64_t d = 0; d < dim; d++) sum += (int32_t)q[d] * ((const int8_t *)key)[d];
        return sum;
    }
    int64_t sum = 0;
    for (int64_t d = 0; d < dim; d++) sum += (int64_t)q[d] * ((const int16_t *)key)[d];
    return sum;
}

/* total[d] = sum of weight[t] * value[t][d] over n tokens; a strip of channels at a time stays in registers. */
enum { STRIP = 32 };

#define WEIGH(NAME, TYPE)                                                                                             \
    UNIT void NAME(int64_t *total, const int64_t *weights, const uint8_t *values, int64_t n, int64_t dim,             \
                   int64_t stride) {                                                                                  \
        int64_t d = 0;                                                                                                \
        for (; d + STRIP <= dim; d += STRIP) {                                                                        \
            int64_t sum[STRIP] = {0};                                                                                 \
            for (int64_t t = 0; t < n; t++) {                                                                         \
                const TYPE *value = (const TYPE *)(values + t * stride) + d;                                          \
                for (int i = 0; i < STRIP; i++) sum[i] += (int64_t)(int32_t)weights[t] * (int32_t)value[i];           \
            }                                                                                                         \
            for (int i = 0; i < STRIP; i++) total[d + i] = sum[i];                                                    \
        }                                                                                                             \
        for (int64_t t = 0; t < n; t++)                                                                               \
            for (int64_t i = d; i < dim; i++)                                                                         \
                total[i] += weights[t] * ((const TYPE *)(values + t * stride))[i];                                    \
    }

WEIGH(weigh_8, int8_t)
WEIGH(weigh_16, int16_t)

/* One query head of one row of a sequence over the tokens it may see. x, weights: int64 [tokens] of scratch. */
UNIT void attend_head(machine *m, const operation *op, int64_t row, int64_t head, int64_t *x, int64_t *weights) {
    int64_t n = m->positions[op->sequence] + op->token + row + 1, dim = op->dim, g = head / (op->heads / op->kv_heads);
    int64_t start = g * op->head_bytes, extent = n * op->row_bytes;
    const uint8_t *keys = view(m, op->keys + start, extent), *values = view(m, op->values + start, extent);
    const uint32_t *key_scales = view(m, op->key_scales + start, n * 4);
    const uint32_t *value_scales = view(m, op->value_scales + start, n * 4);
    if (!keys || !values || !key_scales || !value_scales) return;

    int64_t i = (op->first_row + row) * op->heads + head, best = INT64_MIN, top = -128, sum = 0, total[DIM_MAX] = {0};
    const int64_t *coarse = m->exp2_coarse, *fine = m->exp2_fine;
    const int16_t *q = m->queries + i * dim;
    scalar unit = mul(m->query_scales[i], from_word((uint32_t)op->score_constant));
    for (int64_t t = 0; t < n; t++) x[t] = dot_key(q, keys + t * op->row_bytes, dim, m->kv_bits);
    for (int64_t t = 0; t < n; t++) x[t] = scaled(x[t], scaling_of(mul(unit, from_word(key_scales[t])), 12, 32));
    for (int64_t t = 0; t < n; t++) best = max64(best, x[t]);
    for (int64_t t = 0; t < n; t++) top = max64(top, from_word(value_scales[t]).m ? from_word(value_scales[t]).e : -128);
    for (int64_t t = 0; t < n; t++) {
        int64_t delta = best - x[t], part = delta & 4095;
        int64_t p = round_shift_62(coarse[part >> 6] * fine[part & 63], 20 + min64(delta >> 12, 42));
        scalar value = from_word(value_scales[t]);
        sum += p;
        weights[t] = round_shift_62(p * value.m, 20 + max64(0, min64(top - value.e, 40)));
    }
    (m->kv_bits == 8 ? weigh_8 : weigh_16)(total, weights, values, n, dim, op->row_bytes);
    int64_t drop = m->kv_bits - 3, fraction = 20 - (m->kv_bits - 1);
    scaling to = scaling_of(divide(m->constants[ONE], from_int(sum)), fraction + drop, 32);
    int32_t *out = m->attention + i * dim;
    for (int64_t d = 0; d < dim; d++) out[d] = (int32_t)scaled(round_shift_62(total[d], drop), to);
    m->attention_exponents[(op->first_row + row) * op->kv_heads + g] = top - 23 + 20 - fraction;
}

UNIT void attend(machine *m, const operation *op, int thread, int threads) {
    int64_t *scratch = m->wide + thread * m->wide_channels;
    for (int64_t i = thread; i < op->rows * op->heads; i += threads)
        attend_head(m, op, i / op->heads, i % op->heads, scratch, scratch + m->wide_channels / 2);
}
