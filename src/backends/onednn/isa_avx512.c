/* The loops of loops.h for avx512; CMakeLists.txt has the flags. */
#define LOOPS bal_loops_avx512
#include "backends/onednn/loops_body.h"
