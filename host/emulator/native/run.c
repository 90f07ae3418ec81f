/* Entry points: the list of paths, and a run of operations on all threads. */
#include "machine.h"

#ifdef _OPENMP
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>

enum { SPINS = 2048 };

typedef struct {
    atomic_int arrived, round;
} barrier;

/* Wait for all threads: briefly in place, then giving way, so that a busy machine costs no time slices. */
static void meet(barrier *b, int threads) {
    int round = atomic_load(&b->round);
    if (atomic_fetch_add(&b->arrived, 1) == threads - 1) {
        atomic_store(&b->arrived, 0);
        atomic_store(&b->round, round + 1);
        return;
    }
    for (int spins = 0; atomic_load(&b->round) == round; spins++) {
        if (spins >= SPINS) sched_yield();
#if defined(__x86_64__)
        else __builtin_ia32_pause();
#endif
    }
}
#endif

static const path *const paths[] = {&path_avx512, &path_avx2, &path_neon_dot, &path_neon, &path_portable};
enum { PATHS = sizeof paths / sizeof paths[0] };

/* Name of path `index`, fastest first, null where this processor or build lacks it. */
__attribute__((visibility("default"))) const char *tritloom_path(int index) {
    if (index < 0 || index >= PATHS || !paths[index]->name || !paths[index]->usable()) return 0;
    return paths[index]->name;
}

__attribute__((visibility("default"))) int tritloom_paths(void) { return PATHS; }

__attribute__((visibility("default"))) void tritloom_sizes(int64_t *sizes) {
    sizes[0] = sizeof(machine);
    sizes[1] = sizeof(operation);
}

/* Walk `count` operations; returns 0 or a `failure`. */
__attribute__((visibility("default"))) int tritloom_run(machine *m, const operation *ops, int64_t count, int index,
                                                        int threads) {
    const path *p = paths[index];
    m->failure = 0;
#ifdef _OPENMP
    barrier b = {0};
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num(), of = omp_get_num_threads();
        for (int64_t i = 0; i < count; i++) {
            /* every thread meets every barrier, come what may: a failure of one that is ahead must not change that */
            bool execute = !m->failure || ops[i].opcode == TURN;
            bool apart = i + 1 < count && independent(m, &ops[i], &ops[i + 1]);
            for (int step = 0; step < steps_of(&ops[i], of); step++) {
                bool meets = !execute || p->execute(m, &ops[i], step, thread, of);
                if (meets && !apart) meet(&b, of);
            }
        }
    }
#else
    (void)threads;
    for (int64_t i = 0; i < count && !m->failure; i++) p->execute(m, &ops[i], 0, 0, 1);
#endif
    return (int)m->failure;
}
