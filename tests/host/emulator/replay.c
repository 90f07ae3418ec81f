/* Runs one saved call of the emulator's library: for processors that only an instruction-set simulator has.
 *
 *   replay            names of the paths that run here, one a line, an empty line where one does not
 *   replay IN OUT     the call in IN; OUT gets what it returned and all memory it may have changed
 *
 * IN, in 64-bit words: sizes of machine and operation; counts of arrays, of pointers in a machine, of pointers in an
 * operation, of operations; path, threads; address and size of each array as the caller had them; offsets of the
 * pointers; then machine, operations and arrays. OUT: the result, machine, arrays. tests/host/foreign.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

const char *tritloom_path(int index);
int tritloom_paths(void);
void tritloom_sizes(int64_t *sizes);
int tritloom_run(machine *m, const operation *ops, int64_t count, int index, int threads);

enum { MACHINE, OPERATION, ARRAYS, MACHINE_POINTERS, OPERATION_POINTERS, OPERATIONS, PATH_INDEX, THREADS, WORDS };

typedef struct {
    int64_t address, size;
} extent;

static void *take(FILE *file, size_t size) {
    void *data = 0;
    if (posix_memalign(&data, 64, size + 64) || fread(data, 1, size, file) != size) exit(3);
    return data;
}

/* Turn the pointers of `item` at `offsets` from places in `from` to the same places in `to`. */
static void move_pointers(char *item, const int64_t *offsets, int64_t count, const extent *from, const extent *to,
                          int64_t arrays) {
    for (int64_t i = 0; i < count; i++) {
        int64_t *pointer = (int64_t *)(item + offsets[i]);
        for (int64_t a = 0; a < arrays && *pointer; a++) {
            if (*pointer < from[a].address || *pointer >= from[a].address + from[a].size) continue;
            *pointer += to[a].address - from[a].address;
            break;
        }
    }
}

int main(int count, char **names) {
    if (count != 3) {
        for (int i = 0; i < tritloom_paths(); i++) printf("%s\n", tritloom_path(i) ? tritloom_path(i) : "");
        return 0;
    }
    FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
    int64_t sizes[2];
    tritloom_sizes(sizes);
    if (!in || !out) return 1;
    int64_t *h = take(in, WORDS * 8), arrays = h[ARRAYS];
    if (h[MACHINE] != sizes[0] || h[OPERATION] != sizes[1]) return 2;
    extent *theirs = take(in, arrays * sizeof(extent)), *ours = calloc(arrays, sizeof(extent));
    int64_t *in_machine = take(in, h[MACHINE_POINTERS] * 8), *in_operation = take(in, h[OPERATION_POINTERS] * 8);
    machine *m = take(in, sizes[0]);
    operation *ops = take(in, h[OPERATIONS] * sizes[1]);
    for (int64_t a = 0; a < arrays; a++) ours[a] = (extent){(int64_t)take(in, theirs[a].size), theirs[a].size};
    move_pointers((char *)m, in_machine, h[MACHINE_POINTERS], theirs, ours, arrays);
    for (int64_t i = 0; i < h[OPERATIONS]; i++)
        move_pointers((char *)&ops[i], in_operation, h[OPERATION_POINTERS], theirs, ours, arrays);
    int64_t result = tritloom_run(m, ops, h[OPERATIONS], (int)h[PATH_INDEX], (int)h[THREADS]);
    move_pointers((char *)m, in_machine, h[MACHINE_POINTERS], ours, theirs, arrays);
    fwrite(&result, 8, 1, out);
    fwrite(m, sizes[0], 1, out);
    for (int64_t a = 0; a < arrays; a++) fwrite((void *)ours[a].address, ours[a].size, 1, out);
    return fclose(out) ? 4 : 0;
}
