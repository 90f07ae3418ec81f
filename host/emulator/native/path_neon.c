#include "machine.h"
const path path_neon;
