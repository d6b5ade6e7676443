/* One call of the downloader: words from the template, posix_spawn, a pipe for what it complains of, a clock.
 *
 * Nothing here touches the network, and no shell sees an id. Whether a failure may pass is told by the exit code 75 (EX_TEMPFAIL), a
 * signal, the time limit, or by the words that yt-dlp, curl and wget use. After 20 videos in a row that failed the cause is not the
 * videos: nothing more is tried. */
#include "curate/download.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "dataset/manifest.h"

enum { MAX_WORDS = 128, SAID = 4096, BREAK_AT = 20, EXIT_TRY_AGAIN = 75 };

extern char **environ;

struct BalDownloader {
    const BalClipsSpec *spec;
    char *words; /* of the template, NUL after each */
    const char *word[MAX_WORDS];
    int n_words;
    bool cuts;
    pthread_mutex_t lock;
    int failed_in_a_row;
};

/* ---- template ---- */

/* Split like a shell: blanks part, '...' and "..." group, nothing else is special. */
static BalStatus split(BalDownloader *d, const char *s, BalError *err) {
    char *to = d->words;
    while (*s) {
        while (*s == ' ' || *s == '\t') s++;
        if (!*s) break;
        if (d->n_words == MAX_WORDS - 2)
            return BAL_FAIL(err, BAL_E_ARG, "download command: more than %d words", MAX_WORDS);
        d->word[d->n_words++] = to;
        for (char quote = 0; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
            if (quote ? *s == quote : *s == '\'' || *s == '"')
                quote = quote ? 0 : *s;
            else
                *to++ = *s;
            if (quote && !s[1]) return BAL_FAIL(err, BAL_E_ARG, "download command: a quote is not closed");
        }
        *to++ = '\0';
    }
    return d->n_words ? BAL_OK : BAL_FAIL(err, BAL_E_ARG, "download command: no word in it");
}

static const char *const places[] = {"{id}", "{start}", "{end}", "{out}"};
enum { ID, START, END, OUT, N_PLACES };

static BalStatus check_places(BalDownloader *d, BalError *err) {
    int seen[N_PLACES] = {0};
    bool dashes = false;
    for (int i = 0; i < d->n_words; i++) {
        const char *w = d->word[i];
        for (const char *at = w; (at = strchr(at, '{')); at++) {
            int k = 0;
            while (k < N_PLACES && !bal_has_prefix(at, places[k])) k++;
            if (k < N_PLACES) seen[k]++;
        }
        dashes = dashes || !strcmp(w, "--");
        if (bal_has_prefix(w, "{id}") && !dashes)
            return BAL_FAIL(err, BAL_E_ARG,
                            "download command: ids may begin with '-': put -- in front of the word %s, and options in "
                            "front of that",
                            w);
    }
    if (!seen[ID] || !seen[OUT])
        return BAL_FAIL(err, BAL_E_ARG, "download command: %s does not stand in it", seen[ID] ? "{out}" : "{id}");
    d->cuts = seen[START] || seen[END];
    return BAL_OK;
}

BalStatus bal_downloader_open(BalDownloader **out, const BalClipsSpec *spec, BalError *err) {
    BalDownloader *d = NULL;
    BAL_TRY(bal_alloc(&d, 1, sizeof *d, err));
    d->spec = spec;
    pthread_mutex_init(&d->lock, NULL);
    BalStatus rc = bal_strdup(&d->words, spec->download.command, err);
    if (rc == BAL_OK) rc = split(d, spec->download.command, err);
    if (rc == BAL_OK) rc = check_places(d, err);
    if (rc < 0)
        bal_downloader_close(&d);
    else
        *out = d;
    return rc;
}

void bal_downloader_close(BalDownloader **d) {
    if (!*d) return;
    pthread_mutex_destroy(&(*d)->lock);
    bal_free((*d)->words);
    bal_free(*d);
    *d = NULL;
}

bool bal_downloader_cuts(const BalDownloader *d) {
    return d->cuts;
}

typedef struct Values {
    const char *of[N_PLACES];
} Values;

/* The words with values in place, NUL after each; offsets of each word. */
static BalStatus fill(const BalDownloader *d, const Values *v, BalText *text, size_t at[MAX_WORDS], BalError *err) {
    for (int i = 0; i < d->n_words; i++) {
        at[i] = text->len;
        for (const char *s = d->word[i]; *s;) {
            int k = 0;
            while (k < N_PLACES && !bal_has_prefix(s, places[k])) k++;
            if (k < N_PLACES)
                bal_text_add(text, v->of[k]);
            else
                bal_text_char(text, *s);
            s += k < N_PLACES ? strlen(places[k]) : 1;
        }
        bal_text_char(text, '\0');
    }
    return bal_text_ok(text, err);
}

/* ---- one call ---- */

typedef struct Call {
    pid_t pid;
    int from; /* what it writes to its standard error */
    char said[SAID];
    size_t n_said;
    bool too_long, stopped;
} Call;

static BalStatus start(Call *c, char *const argv[], BalError *err) {
    int pipe_of[2];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    assert(argv[0]);
    if (pipe2(pipe_of, O_CLOEXEC) < 0) return BAL_FAIL(err, BAL_E_IO, "download: no pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, pipe_of[1], 2);
    /* A group of its own, so that what it starts ends with it, and the signals it would have had without us. */
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    int e = posix_spawnp(&c->pid, argv[0], &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    close(pipe_of[1]);
    c->from = pipe_of[0];
    if (e == 0) return BAL_OK;
    close(pipe_of[0]);
    return BAL_FAIL(err, BAL_E_ARG, "download command: %s cannot be run: %s", argv[0], strerror(e));
}

/* Keep the end of what is said. */
static void hear(Call *c, const char *text, size_t n) {
    if (n > SAID - 1) text += n - (SAID - 1), n = SAID - 1;
    if (c->n_said + n > SAID - 1) {
        size_t drop = c->n_said + n - (SAID - 1);
        memmove(c->said, c->said + drop, c->n_said - drop);
        c->n_said -= drop;
    }
    memcpy(c->said + c->n_said, text, n);
    c->n_said += n;
    c->said[c->n_said] = '\0';
}

static bool asked_to_stop(const BalDownloader *d) {
    return d->spec->stopped && d->spec->stopped(d->spec->user);
}

/* Listen until it has ended, then *status is that of waitpid. */
static void watch(const BalDownloader *d, Call *c, int *status) {
    double deadline_s = bal_now_s() + d->spec->download.limit_s;
    bool open = true, killed = false;
    for (pid_t ended = 0; ended == 0;) {
        struct pollfd p = {.fd = open ? c->from : -1, .events = POLLIN};
        char text[1024];
        int ready = poll(&p, 1, open ? 100 : 20);
        ssize_t n = ready > 0 ? read(c->from, text, sizeof text) : -1;
        if (n > 0) hear(c, text, (size_t)n);
        if (n == 0) open = false;
        c->stopped = c->stopped || asked_to_stop(d);
        c->too_long = c->too_long || bal_now_s() > deadline_s;
        if ((c->stopped || c->too_long) && !killed) {
            kill(-c->pid, SIGKILL);
            killed = true;
        }
        if (n > 0) continue; /* it may have more to say */
        ended = waitpid(c->pid, status, WNOHANG);
        if (ended < 0 && errno == EINTR) ended = 0;
    }
    close(c->from);
}

/* The last line that was said, cut to what fits a message. */
static const char *last_words(Call *c) {
    while (c->n_said && (c->said[c->n_said - 1] == '\n' || c->said[c->n_said - 1] == '\r')) c->said[--c->n_said] = '\0';
    char *line = c->said;
    for (char *p = c->said; *p; p++)
        if (*p == '\n' || *p == '\r') line = p + 1;
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ') *p = ' ';
    return line;
}

static bool may_pass(const Call *c, int status) {
    static const char *const words[] = {
        "HTTP Error 429",    "HTTP Error 403",   "HTTP Error 5",       "Too Many Requests",      "timed out", "timeout",
        "Temporary failure", "Connection reset", "Connection refused", "Network is unreachable", "try again"};
    if (c->too_long || !WIFEXITED(status) || WEXITSTATUS(status) == EXIT_TRY_AGAIN) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(c->said, words[i])) return true;
    return false;
}

/* BAL_OK: `part` is there. BAL_E_COMM: may pass. BAL_E_MEDIA: will not. */
static BalStatus call(const BalDownloader *d, const char *id, char *const argv[], const char *part, BalError *err) {
    Call c = {.said = ""};
    int status = 0;
    struct stat st;
    BAL_TRY(start(&c, argv, err));
    watch(d, &c, &status);
    if (c.stopped) return BAL_FAIL(err, BAL_E_CANCELLED, "stopped while downloading %s", id);
    if (c.too_long)
        return BAL_FAIL(err, BAL_E_COMM, "%s: the download was not done within %g s", id, d->spec->download.limit_s);
    const char *said = last_words(&c);
    BalStatus code = may_pass(&c, status) ? BAL_E_COMM : BAL_E_MEDIA;
    if (!WIFEXITED(status))
        return BAL_FAIL(err, code, "%s: the downloader ended by signal %d: %.200s", id, WTERMSIG(status), said);
    if (WEXITSTATUS(status) != 0)
        return BAL_FAIL(err, code, "%s: the downloader ended with %d: %.300s", id, WEXITSTATUS(status), said);
    if (stat(part, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return BAL_FAIL(err, BAL_E_MEDIA, "%s: the downloader was content but made no file {out}%s%.200s", id,
                        *said ? ": " : "", said);
    return BAL_OK;
}

/* ---- with patience ---- */

static bool wait_for(const BalDownloader *d, double seconds) {
    for (double end_s = bal_now_s() + seconds; bal_now_s() < end_s;) {
        if (asked_to_stop(d)) return false;
        poll(NULL, 0, 50);
    }
    return true;
}

static BalStatus call_with_retries(const BalDownloader *d, const char *id, char *const argv[], const char *part,
                                   BalError *err) {
    double wait_s = d->spec->download.wait_s;
    for (int k = 0;; k++, wait_s *= 4) {
        BalStatus rc = call(d, id, argv, part, err);
        if (rc != BAL_OK) unlink(part);
        if (rc != BAL_E_COMM || k == d->spec->download.retries) return rc;
        if (!wait_for(d, wait_s)) return BAL_FAIL(err, BAL_E_CANCELLED, "stopped while waiting to fetch %s again", id);
    }
}

/* Success mends the row of failures; the 20th breaks the circuit for all threads. */
static BalStatus count(BalDownloader *d, BalStatus rc, BalError *err) {
    pthread_mutex_lock(&d->lock);
    bool failed = rc == BAL_E_COMM || rc == BAL_E_MEDIA;
    d->failed_in_a_row = failed ? d->failed_in_a_row + 1 : rc == BAL_OK ? 0 : d->failed_in_a_row;
    bool broken = d->failed_in_a_row >= BREAK_AT;
    pthread_mutex_unlock(&d->lock);
    if (!failed || !broken) return rc;
    BalError last = {0};
    if (err) last = *err;
    return BAL_FAIL(
        err, BAL_E_IO,
        "%d downloads in a row failed, so nothing more is tried: is the network there, does the site refuse? "
        "What is made is kept, the same command goes on. The last: %.200s",
        BREAK_AT, last.text);
}

BalStatus bal_download(BalDownloader *d, const char *id, const BalSpan *span, const char *path, BalError *err) {
    BalText text = {0}, part = {0};
    char start_s[32], end_s[32], *argv[MAX_WORDS] = {NULL};
    size_t at[MAX_WORDS];
    if (strlen(id) != 11 || bal_youtube_prefix(bal_field(id)) != 11)
        return BAL_FAIL(err, BAL_E_ARG, "'%.40s' is no YouTube id (11 of A-Z a-z 0-9 _ -)", id);
    snprintf(start_s, sizeof start_s, "%.10g", span ? (double)span->start_ms / 1000 : 0);
    snprintf(end_s, sizeof end_s, "%.10g", span ? (double)span->end_ms / 1000 : 0);
    bal_text_f(&part, "%s.part.mp4", path);
    BalStatus rc = bal_text_ok(&part, err);
    if (rc == BAL_OK) rc = fill(d, &(Values){{id, start_s, end_s, part.data}}, &text, at, err);
    for (int i = 0; rc == BAL_OK && i < d->n_words; i++) argv[i] = text.data + at[i];
    if (rc == BAL_OK) rc = count(d, call_with_retries(d, id, argv, part.data, err), err);
    if (rc == BAL_OK && rename(part.data, path) != 0)
        rc = BAL_FAIL(err, BAL_E_IO, "%s: cannot be renamed: %s", part.data, strerror(errno));
    bal_text_reset(&part);
    bal_text_reset(&text);
    return rc;
}
