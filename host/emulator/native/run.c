/* Entry points: the list of paths, and a run of operations on all threads. */
#include "machine.h"

#ifdef _OPENMP
#include <omp.h>
#endif

static const path *const paths[] = {&path_avx512, &path_avx2, &path_neon, &path_portable};
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
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num(), of = omp_get_num_threads();
        for (int64_t i = 0; i < count; i++) {
            if (!m->failure) p->execute(m, &ops[i], thread, of); /* every thread meets every barrier, come what may */
#pragma omp barrier
        }
    }
#else
    (void)threads;
    for (int64_t i = 0; i < count && !m->failure; i++) p->execute(m, &ops[i], 0, 1);
#endif
    return (int)m->failure;
}
