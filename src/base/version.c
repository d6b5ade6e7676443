/* The version; version.inc is made by src/base/CMakeLists.txt. */
#include <avbalance/version.h>

static const char version[] =
#include "base/version.inc"
    ;

const char *bal_version(void) {
    return version;
}
