/* The loops of loops.h for avx512_bf16; CMakeLists.txt has the flags. */
#define LOOPS bal_loops_avx512_bf16
#include "backends/onednn/loops_body.h"
