/* What all kernels share. All threads walk the same list of operations; each takes its share of rows, heads or outputs,
 * and a barrier follows each operation that changes something. Integers are exact, so the shares change no bit. */
#pragma once

#include "numbers.h"
#include "operations.h"

enum failure { BAD_ADDRESS = 1, BAD_ORDER };

/* Activations of a linear layer lie in blocks of BLOCK bytes of packed weights, TRITS to a byte. The rows of a product
 * go in groups of 8, 4, 2 and 1 from its first row on; a group of R rows holds for each block: for each row, for each
 * digit j, the BLOCK activations 5 b + j. Beyond the inputs they are zero. */
enum { TRITS = 5, BLOCK = 64, GROUP = 8, COLUMN_TRITS = 4 };
enum { STEP_PLACES = TRITS * BLOCK };

/* What a product may leave out: rows of weights whose gate is zero, columns whose inputs are. */
enum live { LIVE_ALL, LIVE_ROWS, LIVE_COLUMNS };

enum { GATED_LIMIT = (1 << 20) - 1 }; /* of the gate's and up's sums that are multiplied */

/* Of the cache: models/machine/cache.py. */
enum { PIECE = 16, BURST = 16 };

/* One channel of a tap as it lies in memory. */
typedef struct {
    int16_t gain, add;
    uint16_t clip, threshold;
} tap_channel;

enum { NO_CLIP = 0xFFFF };

#include "state.h"

/* Of what threads that share a row find in it, for each of them. */
enum { FINDINGS = 8 };

/* WEIGHT_BYTES: those that the products' rows would take without a zero; READ_BYTES: of them, or of columns, read. */
enum { ZEROS, ACTIVATIONS, SATURATIONS, WEIGHT_BYTES, READ_BYTES, COUNTERS = 8 };

/* Scalars that the compiler of the tables (Python) computes exactly. Q is 127 or 32767. */
enum constant {
    FLOOR,                /* 1e-5, transformers' clamp of max|y| */
    LEVELS_7, LEVELS_15,  /* Q */
    INVERSE_7, INVERSE_15, /* 1 / Q */
    CLAMPED_7, CLAMPED_15, /* Q * 1e5 */
    STEP_7, STEP_15,       /* 1e-5 / Q */
    ONE,
};

/* Compiled once for each instruction set. */
typedef struct {
    const char *name;
    int (*usable)(void);
    /* a step of an operation; whether others must wait for it */
    bool (*execute)(machine *m, const operation *op, int step, int thread, int threads);
} path;

extern const path path_avx512, path_avx2, path_neon_dot, path_neon, path_portable;

/* `size` bytes at a device address, or null and a failure. */
INLINE void *view(machine *m, int64_t address, int64_t size) {
    int64_t start = address - m->base;
    if (start < 0 || size < 0 || start + size > m->size) {
        m->failure = BAD_ADDRESS;
        return 0;
    }
    return m->memory + start;
}

/* First of `count` items that a thread takes of consecutive shares; its last is the next thread's first. */
INLINE int64_t share(int64_t count, int thread, int threads) { return count * thread / threads; }

/* Steps of an operation, with a barrier after each: a norm of one row is shared by all threads, step by step. */
INLINE int steps_of(const operation *op, int threads) {
    return op->opcode == NORM && op->rows == 1 && threads > 1 && !op->tap && !op->grouped ? 3 : 1;
}

/* Whether nothing of an operation is read or written by the next, so that no thread need wait between them. */
INLINE bool independent(const machine *m, const operation *op, const operation *next) {
    if (op->opcode == QUERY && next->opcode == KEY) return true;
    if (op->opcode != MATMUL || next->opcode != MATMUL || op->grouped || next->grouped) return false;
    if (op->live != LIVE_ALL || next->live != LIVE_ALL) return false;
    int64_t begin = op->accumulator * m->outputs_per_step, other = next->accumulator * m->outputs_per_step;
    return begin + op->outputs <= other || other + next->outputs <= begin;
}
