/* The machine's state. Written by scripts.write_operations from host/emulator/native_state.py. */
#pragma once

typedef struct {
    uint8_t *memory; /* the program's buffer, seen by descriptors at address `base` */
    int64_t size; /* of it, bytes */
    int64_t base;
    int64_t positions[SEQUENCES]; /* tokens in the cache of each sequence */
    int64_t kv_bits;
    int64_t outputs_per_step;
    int64_t top_k;
    int64_t cache_ports; /* the cache's beats are striped over so many ports; 0: its rows are contiguous */
    int64_t row_sums; /* accumulators of a row */
    int64_t group_bytes; /* activations of one row: a multiple of TRITS * BLOCK */
    const int64_t *exp2_coarse;
    const int64_t *exp2_fine;
    const int64_t *sigmoid; /* of each segment its lower end and, from bit 32 on, its rise */
    const scalar *constants; /* enum constant */
    int32_t *residual; /* [rows][count] */
    int8_t *activations; /* see BLOCK */
    int32_t *activation_sums;
    int64_t *inputs; /* channels of a row's activations */
    int64_t *live_inputs; /* of them that are not zero */
    int16_t *head_input; /* [rows of a LOGITS][count] */
    scalar *unit; /* [rows] */
    int32_t *sums;
    int32_t *planes; /* sums over columns, strip by strip: columns.h */
    int16_t *queries;
    scalar *query_scales;
    int32_t *attention;
    int64_t *attention_exponents;
    int32_t *scores; /* logits of a row where they are not asked for: [rows][vocab] */
    int64_t *list_scores; /* shortlists: [rows][SHORTLIST] */
    int64_t *list_ids;
    int64_t *list_sizes;
    int64_t *wide; /* scratch: [threads][wide_channels] */
    int64_t wide_channels;
    int64_t *parts; /* [threads][FINDINGS] */
    int64_t *counts; /* [threads][COUNTERS] */
    int16_t *angles; /* rotary vectors: [rows][dim] */
    tap_channel *affine; /* taps loaded without clip and threshold: [channels] */
    const int16_t *gains; /* this and what follows is set while running */
    const int16_t *rope;
    const tap_channel *taps;
    int64_t failure; /* enum failure */
} machine;
