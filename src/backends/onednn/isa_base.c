/* The loops of loops.h for baseline; CMakeLists.txt has the flags. */
#define LOOPS bal_loops_base
#include "backends/onednn/loops_body.h"
