// What the writer of FST files takes of zlib, whose library every Linux has, its own header not.
#pragma once

#define Z_OK 0

typedef unsigned char Bytef;
typedef unsigned long uLong;
typedef uLong uLongf;

extern "C" {
uLong compressBound(uLong size);
int compress2(Bytef *target, uLongf *room, const Bytef *source, uLong size, int level);
}
