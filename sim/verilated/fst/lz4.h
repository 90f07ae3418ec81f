// What the writer of FST files takes of LZ4, whose library every Linux has, its own header not.
#pragma once

extern "C" {
int LZ4_compressBound(int size);
int LZ4_compress_default(const char *source, char *target, int size, int room);
}
