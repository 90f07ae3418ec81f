/* SiLU of the gate's sums, eight at a time: docs/numerics.md section 8; vector.h has it for one. Included by
 * path_avx512.c. */

#define SILU_GATES

static TARGET void silu_gates(machine *m, const operation *op, int64_t row, const int32_t *gate, int64_t count,
                              int64_t *x) {
    scalar scale = mul(m->unit[row], from_word((uint32_t)op->gate_scale));
    const __m512i mantissa = _mm512_set1_epi64(scale.m), right = _mm512_set1_epi64(23 - 14 - scale.e);
    for (int64_t i = 0; i < count; i += 8) {
        uint8_t some = lanes_left(count - i);
        __m512i sum = clip_lanes(_mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(some, gate + i)), GATED_LIMIT);
        __m512i t = scaled_lanes(sum, mantissa, right, 19);
        __m512i index = _mm512_add_epi64(_mm512_srai_epi64(t, 9), _mm512_set1_epi64(512));
        __m512i segment = _mm512_i64gather_epi64(index, m->sigmoid, 8);
        __m512i rise = _mm512_mul_epi32(_mm512_srli_epi64(segment, 32), _mm512_and_si512(t, _mm512_set1_epi64(511)));
        rise = _mm512_srai_epi64(_mm512_add_epi64(rise, _mm512_set1_epi64(256)), 9);
        __m512i sigmoid = _mm512_add_epi64(_mm512_srai_epi64(_mm512_slli_epi64(segment, 32), 32), rise);
        _mm512_mask_storeu_epi64(x + i, some, _mm512_mul_epi32(sum, sigmoid));
    }
}
