/* The loops of loops.h for baseline; CMakeLists.txt has the flags. */
#define LOOPS      bal_loops_base
#define LOOPS_NAME "baseline"
#include "backends/onednn/loops_body.h"
