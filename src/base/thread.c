/* A parallel loop with results in order.
 *
 * Workers take the next index under one lock; the calling thread waits for index `turn` to be done and runs `after` for it. A worker
 * may not run more than `ahead` beyond `turn`. Jobs are large (a clip, a batch), so that one lock and one condition are enough.
 * The failure that is reported is that of the lowest index, whichever thread met one first, and `after` has then run for all indices
 * below it: nothing that is seen outside depends on timing. */
#include "base/thread.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include "base/mem.h"

typedef struct Loop {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t n, ahead, next, turn; /* handed out so far; first index whose `after` has not run */
    bool *done;                   /* ring of `ahead` flags */
    bool stop;
    BalJobFn *fn;
    void *user;
    int64_t failed_at;
    BalStatus failed;
    BalError error;
} Loop;

typedef struct Worker {
    Loop *loop;
    pthread_t thread;
    int number;
} Worker;

/* lock held */
static void note_failure(Loop *l, int64_t index, BalStatus rc, const BalError *e) {
    l->stop = true;
    if (l->failed < 0 && index >= l->failed_at) return;
    l->failed_at = index;
    l->failed = rc;
    l->error = *e;
}

static void *work(void *arg) {
    Worker *w = arg;
    Loop *l = w->loop;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && l->next < l->n && l->next - l->turn >= l->ahead) pthread_cond_wait(&l->changed, &l->lock);
        if (l->stop || l->next >= l->n) break;
        int64_t i = l->next++;
        pthread_mutex_unlock(&l->lock);
        BalError e = {0};
        BalStatus rc = l->fn(l->user, i, w->number, &e);
        pthread_mutex_lock(&l->lock);
        if (rc < 0) note_failure(l, i, rc, &e);
        l->done[i % l->ahead] = true;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* The calling thread's part: follow the finished jobs in order, up to the first that failed */
static void follow(Loop *l, BalJobFn *after) {
    pthread_mutex_lock(&l->lock);
    while (l->turn < (l->failed < 0 ? l->failed_at : l->n)) {
        bool *flag = &l->done[l->turn % l->ahead];
        if (!*flag) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        if (after) {
            int64_t i = l->turn;
            pthread_mutex_unlock(&l->lock);
            BalError e = {0};
            BalStatus rc = after(l->user, i, 0, &e);
            pthread_mutex_lock(&l->lock);
            if (rc < 0) note_failure(l, i, rc, &e);
        }
        *flag = false;
        l->turn++;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
}

static BalStatus run_alone(int64_t n, BalJobFn *fn, BalJobFn *after, void *user, BalError *err) {
    for (int64_t i = 0; i < n; i++) {
        BAL_TRY(fn(user, i, 0, err));
        if (after) BAL_TRY(after(user, i, 0, err));
    }
    return BAL_OK;
}

BalStatus bal_parallel(int n_threads, int64_t n, int64_t ahead, BalJobFn *fn, BalJobFn *after, void *user,
                       BalError *err) {
    if (n_threads > n) n_threads = (int)n;
    if (n_threads <= 1) return run_alone(n, fn, after, user, err);
    if (ahead < n_threads) ahead = n_threads;
    if (ahead > n) ahead = n;
    Loop l = {.n = n, .ahead = ahead, .fn = fn, .user = user};
    Worker *worker = NULL;
    BalStatus rc;
    int started = 0;
    BAL_TRY_OR(done, bal_alloc(&l.done, (size_t)ahead, sizeof *l.done, err));
    BAL_TRY_OR(done, bal_alloc(&worker, (size_t)n_threads, sizeof *worker, err));
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.changed, NULL);
    for (; started < n_threads; started++) {
        worker[started] = (Worker){.loop = &l, .number = started};
        if (pthread_create(&worker[started].thread, NULL, work, &worker[started])) break;
    }
    if (started) follow(&l, after); /* fewer threads than asked for do the work all the same */
    for (int i = 0; i < started; i++) pthread_join(worker[i].thread, NULL);
    pthread_cond_destroy(&l.changed);
    pthread_mutex_destroy(&l.lock);
    if (!started)
        rc = run_alone(n, fn, after, user, err);
    else {
        rc = l.failed;
        if (rc < 0 && err) *err = l.error;
    }
done:
    bal_free(worker);
    bal_free(l.done);
    return rc;
}

int bal_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}
