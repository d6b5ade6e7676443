/* Runs side by side, each in a process of its own.
 *
 * A process is a copy of this one (fork), which has started no thread yet; it trains with the recipe that this one has in memory and
 * tells through a pipe how far it is and how it ended. Threads would have to share one OpenMP runtime, whose teams are made anew
 * whenever two of them alternate; and a run that the system ends for want of memory would take all others with it.
 *
 * What a run computes depends on its own thread count alone, which is fixed before; how many run at once does not matter.
 * Whoever kills this process with -9 ends its runs too: they die with their parent. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/compare.h"
#include "cli/train.h"

typedef struct Message { /* from a run to its parent; small enough for a pipe to keep it in one piece */
    bool ended;
    BalStatus rc; /* when ended */
    int64_t done, total;
    char unit[16], note[200];
    BalFitResult result;
    BalError err;
} Message;
_Static_assert(sizeof(Message) <= PIPE_BUF, "a message must be written whole");

typedef struct Lane {
    pid_t pid; /* 0: free */
    int fd, run;
} Lane;

typedef struct Crew {
    const BalCli *cli;
    const BalStore *store;
    const BalCompareRun *run;
    int n, n_lanes, next, done, running;
    Lane lane[BAL_PROGRESS_LANES];
    bool stopping;
    BalStatus rc; /* of what failed first, with its message */
    BalError *err;
} Crew;

/* ---- in the run's process ---- */

static void tell(int fd, const Message *m) {
    while (write(fd, m, sizeof *m) < 0 && errno == EINTR) {
    }
}

static bool report(void *user, const BalProgress *p) {
    Message m = {.done = p->done, .total = p->total};
    snprintf(m.unit, sizeof m.unit, "%s", p->unit ? p->unit : "");
    snprintf(m.note, sizeof m.note, "%s", p->note ? p->note : "");
    tell(*(const int *)user, &m);
    return !bal_cli_cancelled();
}

static void train(const BalStore *store, const BalCompareRun *run, pid_t parent, int fd) {
    Message m = {.ended = true};
    BalFitSpec fit = run->fit;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1); /* it died before it could be known */
    fit.progress = (BalProgressSink){report, &fd};
    m.rc = bal_fit(store, &fit, &m.result, &m.err);
    tell(fd, &m);
    _exit(0);
}

/* ---- in the command's process ---- */

static BalStatus begin(Crew *c, Lane *lane, BalError *err) {
    int ends[2];
    const pid_t parent = getpid();
    if (pipe(ends) < 0) return BAL_FAIL(err, BAL_E_IO, "cannot make a pipe: %s", strerror(errno));
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        train(c->store, &c->run[c->next], parent, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return BAL_FAIL(err, BAL_E_IO, "cannot start a process: %s; fewer --jobs may help", strerror(errno));
    }
    *lane = (Lane){pid, ends[0], c->next++};
    c->running++;
    return BAL_OK;
}

/* Ask the runs that are left to write their checkpoints and end. */
static void stop(Crew *c, BalStatus rc) {
    if (c->stopping) return;
    c->stopping = true;
    c->rc = rc;
    for (int i = 0; i < c->n_lanes; i++)
        if (c->lane[i].pid) kill(c->lane[i].pid, SIGTERM);
}

static void end(Crew *c, Lane *lane, Message *m) {
    const BalCompareRun *run = &c->run[lane->run];
    char name[96];
    int status = 0;
    close(lane->fd);
    while (waitpid(lane->pid, &status, 0) < 0 && errno == EINTR) {
    }
    bal_progress_leave((int)(lane - c->lane));
    if (!m->ended)
        m->rc = BAL_FAIL(&m->err, BAL_E_IO,
                         "its process was ended by signal %d; if memory ran out, give fewer --jobs; the same command "
                         "continues",
                         WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    *lane = (Lane){0};
    c->running--;
    if (m->rc < 0 && !c->stopping) {
        if (c->err) *c->err = m->err;
        bal_error_add(c->err, m->rc, "in run %s", run->name);
        stop(c, m->rc);
    }
    if (m->rc < 0) return;
    snprintf(name, sizeof name, "[%d/%d] %s", ++c->done, c->n, run->name);
    bal_cli_run_done((void *)(uintptr_t)c->cli, name, &m->result);
}

static void hear(Crew *c, Lane *lane) {
    Message m;
    const ssize_t n = read(lane->fd, &m, sizeof m);
    if (n < 0 && errno == EINTR) return;
    if (n != (ssize_t)sizeof m) m = (Message){0};
    if (n != (ssize_t)sizeof m || m.ended) {
        end(c, lane, &m);
        return;
    }
    const BalProgress p = {c->run[lane->run].name, m.done, m.total, m.unit, m.note};
    const BalProgressSink sink = bal_progress_lane((int)(lane - c->lane));
    sink.fn(sink.user, &p);
}

/* Are the runs complete that the next one needs? All before it have begun; none of those under way may be one of them. */
static bool may_begin(const Crew *c) {
    for (int i = 0; i < c->n_lanes; i++)
        if (c->lane[i].pid && c->lane[i].run < c->run[c->next].after) return false;
    return true;
}

static BalStatus fill(Crew *c, BalError *err) {
    for (int i = 0; i < c->n_lanes && c->next < c->n && !c->stopping; i++)
        if (!c->lane[i].pid && may_begin(c)) BAL_TRY(begin(c, &c->lane[i], err));
    return BAL_OK;
}

static void listen_once(Crew *c) {
    struct pollfd fds[BAL_PROGRESS_LANES];
    Lane *lane[BAL_PROGRESS_LANES];
    int n = 0;
    for (int i = 0; i < c->n_lanes; i++) {
        if (!c->lane[i].pid) continue;
        fds[n] = (struct pollfd){c->lane[i].fd, POLLIN, 0};
        lane[n++] = &c->lane[i];
    }
    if (poll(fds, (nfds_t)n, 1000) < 0) return; /* a signal */
    for (int i = 0; i < n; i++)
        if (fds[i].revents) hear(c, lane[i]);
}

BalStatus bal_cli_train_all(const BalCli *cli, const BalStore *store, const BalCompareRun *run, int n, int jobs,
                            BalError *err) {
    Crew c = {.cli = cli, .store = store, .run = run, .n = n, .n_lanes = jobs, .err = err};
    assert(jobs > 0 && jobs <= BAL_PROGRESS_LANES);
    while (c.running || (c.next < n && !c.stopping)) {
        if (bal_cli_cancelled()) stop(&c, BAL_E_CANCELLED);
        BalStatus rc = fill(&c, err);
        if (rc < 0) stop(&c, rc);
        if (c.running) listen_once(&c);
    }
    return c.rc;
}
