/* RoPE, quantisation of heads, the cache, attention: docs/numerics.md sections 6 and 7.
 * Included by each path with TARGET set. */

enum { DIM_MAX = 256 };

/* RMSNorm of a head: docs/numerics.md section 15. Returns the value of one unit of it. */
UNIT scalar head_norm(machine *m, const operation *op, int64_t *x, int64_t dim, scalar unit) {
    int64_t k = excess_bits(largest_of(x, dim)), squares = square_sum(x, dim, k);
    unit = shift(unit, k);
    apply_gains(x, dim, m->gains, k);
    scalar deviation = root(add(mul(from_int(squares), mul(unit, unit)), from_word((uint32_t)op->norm_eps)));
    unit = divide(mul(unit, from_word((uint32_t)op->norm_gain)), deviation);
    int64_t down = excess_bits(largest_of(x, dim));
    for (int64_t i = 0; i < dim; i++) x[i] = round_shift_62(x[i], down);
    return shift(unit, down);
}

#ifndef QUANTISE_HEAD
/* q = x times a scalar in `bits` bits; |x| < 2**31. */
UNIT void quantise_head(const int64_t *x, int64_t dim, scalar by, int bits, int16_t *q) {
    scaling to = scaling_of(by, 0, bits);
    for (int64_t i = 0; i < dim; i++) q[i] = (int16_t)scaled(x[i], to);
}
#endif

/* One head of sums, rotated where it is a query or a key, quantised by its own maximum. */
UNIT scalar head_quant(machine *m, const operation *op, int64_t row, int64_t head, int bits, int16_t *q) {
    const int32_t *x = m->sums + row * m->row_sums + op->accumulator * m->outputs_per_step + head * op->dim;
    int64_t wide[DIM_MAX], dim = op->dim, half = dim / 2;
    scalar unit = mul(m->unit[row], from_word((uint32_t)op->scale));
    if (op->opcode == VALUE) {
        for (int64_t i = 0; i < dim; i++) wide[i] = x[i];
    } else {
        const int16_t *cosine = m->rope + row * dim, *sine = cosine + half;
        int64_t y[DIM_MAX];
        for (int64_t i = 0; i < dim; i++) y[i] = x[i];
        if (op->normed) unit = head_norm(m, op, y, dim, unit);
        for (int64_t i = 0; i < half; i++) {
            int64_t a = y[i], b = y[half + i];
            wide[i] = round_shift_62(a * cosine[i] - b * sine[i], 10);
            wide[half + i] = round_shift_62(b * cosine[i] + a * sine[i], 10);
        }
        unit = shift(unit, -4);
    }
    const scalar *c = m->constants + (bits == 16);
    scalar top = from_int(largest_of(wide, dim));
    quantise_head(wide, dim, divide(c[LEVELS_7], top), bits, q);
    return mul(top, mul(unit, c[INVERSE_7]));
}

UNIT void queries(machine *m, const operation *op, int thread, int threads) {
    for (int64_t i = op->first_row * op->heads + thread; i < (op->first_row + op->rows) * op->heads; i += threads) {
        m->query_scales[i] = head_quant(m, op, i / op->heads, i % op->heads, 16, m->queries + i * op->dim);
    }
}

/* Where the byte at a logical address of the cache lies: its port's number moves above its beat's in a group of 16. */
INLINE int64_t cache_place(const machine *m, int64_t address) {
    if (!m->cache_ports) return address;
    int64_t beat = m->cache_ports * PIECE, inside = address % (beat * BURST);
    return address - inside + (inside % beat / PIECE * BURST + inside / beat) * PIECE + inside % PIECE;
}

/* Copy a row of the cache to memory (store) or from it, chunk by chunk, `region` bytes from one to the next. */
UNIT void cache_row(machine *m, int64_t address, int64_t region, int64_t size, uint8_t *row, int store) {
    int64_t chunk = !m->cache_ports ? size : m->cache_ports == 1 ? PIECE : 2 * PIECE;
    for (int64_t i = 0, part; i < size; i += part) {
        part = m->cache_ports ? min64(PIECE, size - i) : size;
        uint8_t *at = view(m, cache_place(m, address + i / chunk * region + i % chunk), part);
        if (!at) return;
        if (store)
            memcpy(at, row + i, part);
        else
            memcpy(row + i, at, part);
    }
}

INLINE int64_t token_offset(int64_t token, int64_t block_bytes, int64_t stride) {
    return token / BLOCK_TOKENS * block_bytes + token % BLOCK_TOKENS * stride;
}

UNIT void cache(machine *m, const operation *op, int thread, int threads) {
    for (int64_t i = thread; i < op->rows * op->heads; i += threads) {
        int64_t row = i / op->heads, head = i % op->heads, token = m->positions[op->sequence] + op->token + row;
        int64_t start = head * op->head_bytes;
        int16_t q[DIM_MAX];
        int8_t narrow[DIM_MAX];
        uint32_t word = to_word(head_quant(m, op, op->first_row + row, head, (int)m->kv_bits, q));
        for (int64_t d = 0; d < op->dim; d++) narrow[d] = (int8_t)q[d];
        cache_row(m, op->scale_address + start + token_offset(token, op->scale_block_bytes, 4), 0, 4,
                  (uint8_t *)&word, 1);
        cache_row(m, op->address + start + token_offset(token, op->block_bytes, op->address_stride),
                  op->region_bytes, op->dim * m->kv_bits / 8, m->kv_bits == 8 ? (uint8_t *)narrow : (uint8_t *)q, 1);
    }
}

#ifndef KEY_DOTS
UNIT void key_dots(const int16_t *q, const uint8_t *keys, int64_t stride, int64_t n, int64_t dim, int64_t *x) {
    for (int64_t t = 0; t < n; t++) {
        int32_t sum = 0;
        for (int64_t d = 0; d < dim; d++) sum += (int32_t)q[d] * ((const int8_t *)(keys + t * stride))[d];
        x[t] = sum;
    }
}
#endif

/* Of keys of 16 bits. */
UNIT void key_dots_16(const int16_t *q, const uint8_t *keys, int64_t stride, int64_t n, int64_t dim, int64_t *x) {
    for (int64_t t = 0; t < n; t++) {
        int64_t sum = 0;
        for (int64_t d = 0; d < dim; d++) sum += (int64_t)q[d] * ((const int16_t *)(keys + t * stride))[d];
        x[t] = sum;
    }
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

#ifndef KEY_DOTS
WEIGH(weigh_8, int8_t)
#endif
WEIGH(weigh_16, int16_t)

/* The cache of one key-value head up to n tokens: keys, values, key scales, value scales. */
typedef struct {
    const uint8_t *keys, *values;
    const uint32_t *key_scales, *value_scales;
} cached;

/* Contiguous rows, where they are so in memory; else gathered into `scratch`. */
UNIT cached cached_head(machine *m, const operation *op, int64_t g, int64_t n, uint8_t *scratch) {
    int64_t start = g * op->head_bytes, stride = op->row_bytes, extent = n * stride;
    if (!m->cache_ports)
        return (cached){view(m, op->keys + start, extent), view(m, op->values + start, extent),
                        view(m, op->key_scales + start, n * 4), view(m, op->value_scales + start, n * 4)};
    int64_t chunk = m->cache_ports == 1 ? PIECE : 2 * PIECE;
    uint8_t *keys = scratch, *values = keys + extent, *key_scales = values + extent, *value_scales = key_scales + n * 4;
    for (int64_t t = 0; t < n; t++) {
        int64_t block = start + token_offset(t, op->block_bytes, 0), within = t % BLOCK_TOKENS;
        cache_row(m, op->keys + block + within * stride, chunk, stride, keys + t * stride, 0);
        cache_row(m, op->values + start + t * chunk, op->region_bytes, stride, values + t * stride, 0);
        cache_row(m, op->key_scales + block + within * 4, 0, 4, key_scales + t * 4, 0);
        cache_row(m, op->value_scales + block + within * 4, 0, 4, value_scales + t * 4, 0);
    }
    return (cached){keys, values, (uint32_t *)key_scales, (uint32_t *)value_scales};
}

/* Scores of n tokens from their products with the query; unit: of query and constant. */
UNIT void scale_wide_scores(int64_t *x, const uint32_t *key_scales, int64_t n, scalar unit) {
    for (int64_t t = 0; t < n; t++) x[t] = scaled(x[t], scaling_of(mul(unit, from_word(key_scales[t])), 12, 32));
}

#ifndef KEY_DOTS
#define scale_scores scale_wide_scores

/* Weights of n tokens by their scores, times their values' scales, aligned to the largest of these, whose exponent is
 * `top`; returns the sum of the weights alone. */
UNIT int64_t softmax(const machine *m, const int64_t *x, const uint32_t *value_scales, int64_t n, int64_t *weights,
                     int64_t *top) {
    int64_t best = INT64_MIN, largest = -128, sum = 0;
    for (int64_t t = 0; t < n; t++) best = max64(best, x[t]);
    for (int64_t t = 0; t < n; t++)
        largest = max64(largest, from_word(value_scales[t]).m ? from_word(value_scales[t]).e : -128);
    for (int64_t t = 0; t < n; t++) {
        int64_t delta = best - x[t], part = delta & 4095;
        int64_t p = round_shift_62(m->exp2_coarse[part >> 6] * m->exp2_fine[part & 63], 20 + min64(delta >> 12, 42));
        scalar value = from_word(value_scales[t]);
        sum += p;
        weights[t] = round_shift_62(p * value.m, 20 + max64(0, min64(largest - value.e, 40)));
    }
    *top = largest;
    return sum;
}
#endif

/* Tokens of the sequence, with those of this pass. */
INLINE int64_t tokens_of(const machine *m, const operation *op) { return m->positions[op->sequence] + op->token + op->rows; }

/* One query head of one row of a sequence over the tokens it may see. x, weights: int64 [tokens] of scratch; more
 * behind them. */
UNIT void attend_head(machine *m, const operation *op, int64_t row, int64_t head, int64_t *x, int64_t *weights) {
    int64_t tokens = tokens_of(m, op), n = tokens - op->rows + row + 1, dim = op->dim;
    int64_t g = head / (op->heads / op->kv_heads);
    cached kv = cached_head(m, op, g, n, (uint8_t *)(weights + tokens));
    const uint8_t *keys = kv.keys, *values = kv.values;
    const uint32_t *key_scales = kv.key_scales, *value_scales = kv.value_scales;
    if (!keys || !values || !key_scales || !value_scales || m->failure) return;

    int64_t i = (op->first_row + row) * op->heads + head, top, sum = 0, total[DIM_MAX];
    memset(total, 0, (size_t)dim * sizeof *total);
    const int16_t *q = m->queries + i * dim;
    (m->kv_bits == 8 ? key_dots : key_dots_16)(q, keys, op->row_bytes, n, dim, x);
    if (m->kv_bits == 8)
        scale_scores(x, key_scales, n, mul(m->query_scales[i], from_word((uint32_t)op->score_constant)));
    else
        scale_wide_scores(x, key_scales, n, mul(m->query_scales[i], from_word((uint32_t)op->score_constant)));
    sum = softmax(m, x, value_scales, n, weights, &top);
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
        attend_head(m, op, i / op->heads, i % op->heads, scratch, scratch + tokens_of(m, op));
}
