#include "machine.h"
const path path_avx2;
