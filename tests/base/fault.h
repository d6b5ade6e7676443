/* Fault injection: run a function with its 1st, 2nd, ... allocation failing until it needs no more. Each such run must return a
 * failure with a message; that nothing leaks is for the leak sanitizer to see. */
#ifndef BAL_TEST_FAULT_H
#define BAL_TEST_FAULT_H

#include "base/check.h"
#include "base/mem.h"

/* Returns the number of allocations of an undisturbed run, for the test to check that there were any. */
static inline long fault_each_allocation(BalStatus (*fn)(void *user, BalError *err), void *user) {
    for (long n = 1;; n++) {
        BalError err = {0};
        bal_mem_fail_at(n);
        BalStatus rc = fn(user, &err);
        long made = bal_mem_fail_at(0);
        if (made < n) {
            if (rc < 0) fail_msg("fails undisturbed: %s", err.text);
            return made;
        }
        if (rc >= 0) fail_msg("allocation %ld failed and nobody noticed", n);
        if (!err.text[0]) fail_msg("allocation %ld failed without a message", n);
    }
}

#endif
