/* The smallest program that uses the installed library. */
#include <stdio.h>
#include <avbalance/error.h>
#include <avbalance/version.h>

int main(void) {
    BalError err;
    if (bal_error_set(&err, BAL_E_ARG, __FILE__, __LINE__, "hello from %s", bal_version()) != BAL_E_ARG) return 1;
    return printf("%s\n", err.text) < 0;
}
