/* The loops of loops.h for avx2; CMakeLists.txt has the flags. */
#define LOOPS bal_loops_avx2
#include "backends/onednn/loops_body.h"
