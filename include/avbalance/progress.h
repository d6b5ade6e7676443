/* How long work reports where it stands, and how it is asked to stop. */
#ifndef AVBALANCE_PROGRESS_H
#define AVBALANCE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct BalProgress {
    const char *stage;   /* "ingest", "train audio", ...: borrowed for the call  */
    int64_t done, total; /* in units; total 0 where unknown                      */
    const char *unit;    /* "clips", "epochs", ...                               */
    const char *note;    /* "loss 1.23 acc 0.61": one line or NULL               */
} BalProgress;

/* Called from the thread that called the library, never from a worker. Returning false asks the work to stop at its next
 * safe point: the function then returns BAL_E_CANCELLED, its output is absent or resumable. */
typedef bool BalProgressFn(void *user, const BalProgress *p);

typedef struct BalProgressSink {
    BalProgressFn *fn; /* NULL: silent */
    void *user;
} BalProgressSink;

#endif
