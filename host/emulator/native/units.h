/* All operations of one path. A path includes this once, with TARGET its instruction set, its `block_R`, `PATH` the
 * name of its table and `USABLE` whether this processor has the instructions. */

#include <string.h>

#define UNIT static TARGET __attribute__((unused))

#include "head.h"
#include "grouped.h"
#include "vector.h"
#include "heads.h"
#include "shortlist.h"
#include "columns.h"
#include "live.h"
#include "matmul.h"
#include "stops.h"

UNIT void load_affine(machine *m, const operation *op, const int16_t *pairs) {
    for (int64_t i = 0; i < op->bytes / 4; i++)
        m->affine[i] = (tap_channel){ .gain = pairs[2 * i], .add = pairs[2 * i + 1], .clip = NO_CLIP };
    m->taps = m->affine;
}

UNIT void load(machine *m, const operation *op) {
    const void *data = view(m, op->address + m->positions[op->sequence] * op->address_stride, op->bytes);
    if (!data) return;
    switch (op->target) {
    case LOAD_INPUT:
    case LOAD_HEAD_INPUT:
    case LOAD_STEP: load_stopped(m, op, data); break;
    case LOAD_RESIDUAL: memcpy(m->residual + op->offset, data, (size_t)op->bytes); break;
    case LOAD_GAIN: m->gains = data; break;
    case LOAD_TAP: m->taps = data; break;
    case LOAD_AFFINE: load_affine(m, op, data); break;
    default:
        memcpy(m->angles + op->offset, data, (size_t)op->bytes);
        m->rope = m->angles;
    }
}

/* An operation's vectors have been loaded. */
INLINE bool ready(const machine *m, const operation *op) {
    bool rotates = op->opcode == QUERY || op->opcode == KEY;
    bool gained = op->gained || op->normed || op->opcode == SELECT;
    return (m->gains || !gained) && (m->taps || !op->tap) && (m->rope || !rotates);
}

UNIT bool execute(machine *m, const operation *op, int step, int thread, int threads) {
    if (!ready(m, op)) {
        m->failure = BAD_ORDER;
        return true;
    }
    switch (op->opcode) {
    case LOAD: if (thread == 0) load(m, op); break;
    case MATMUL: (op->grouped ? grouped_matmul : matmul)(m, op, thread, threads); break;
    case NORM: norm(m, op, step, thread, threads); break;
    case QUERY: queries(m, op, thread, threads); break;
    case KEY:
    case VALUE: cache(m, op, thread, threads); break;
    case RESIDUAL: residual_add(m, op, thread, threads); break;
    case ATTEND: attend(m, op, thread, threads); break;
    case LOGITS: (op->grouped ? grouped_logits : logits)(m, op, thread, threads); break;
    case SELECT: offer(m, op, thread, threads); break;
    case STORE: store(m, op, thread, threads); break;
    case TOP: best_logits(m, op, thread, threads); break;
    case TURN: return turn(m, op, thread, threads);
    }
    return true;
}

static int usable(void) { return USABLE; }

const path PATH = {NAME, usable, execute};
