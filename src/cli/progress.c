/* Progress on stderr, in one of three dresses: a bar that redraws itself (terminal), plain lines now and then (log files), JSON
 * lines (programs that drive this one).
 *
 * The library calls the sink as often as it likes; what is shown is limited here by time. Rate and time left come from what was
 * done since the stage was first seen, so that a resumed stage, which begins at 900 of 1000, does not boast.
 *
 * Work that runs side by side reports in lanes, each of which has a line of its own; all else is lane 0. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"

typedef struct Lane {
    char stage[80];
    int64_t first, shown;             /* done when the stage was first seen, and when it was last shown (-1: never) */
    double begun_s, shown_s, pause_s; /* pause: seconds to the next plain line */
    char line[512];                   /* of the bar; empty: none */
} Lane;
static Lane lanes[BAL_PROGRESS_LANES];
static BalProgressStyle style;
static int rows; /* lines of bars on the screen, the cursor is in the last */

static int terminal_width(void) {
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20) return w.ws_col;
    return 80;
}

/* "1:02:03", "4:05"; "-:--" where unknown. */
static void put_time(char *out, size_t n, double s) {
    if (!(s >= 0) || s > 360000)
        snprintf(out, n, "-:--");
    else if (s >= 3600)
        snprintf(out, n, "%d:%02d:%02d", (int)s / 3600, (int)s / 60 % 60, (int)s % 60);
    else
        snprintf(out, n, "%d:%02d", (int)s / 60, (int)s % 60);
}

static void put_rate(char *out, size_t n, double rate, const char *unit) {
    if (!(rate > 0))
        out[0] = 0;
    else if (rate >= 10)
        snprintf(out, n, "%.0f %s/s", rate, unit);
    else if (rate >= 0.1)
        snprintf(out, n, "%.1f %s/s", rate, unit);
    else
        snprintf(out, n, "%.1f s/%s", 1 / rate, unit);
}

typedef struct Pace {
    double elapsed_s, rate, left_s; /* rate per second; NaN where not known yet */
} Pace;

static Pace pace(const Lane *l, const BalProgress *p) {
    Pace x = {bal_now_s() - l->begun_s, NAN, NAN};
    if (x.elapsed_s > 0.2 && p->done > l->first) x.rate = (double)(p->done - l->first) / x.elapsed_s;
    if (p->total > 0 && x.rate > 0) x.left_s = (double)(p->total - p->done) / x.rate;
    return x;
}

static void draw_lanes(void) {
    bal_progress_pause();
    for (int i = 0; i < BAL_PROGRESS_LANES; i++)
        if (lanes[i].line[0]) fprintf(stderr, "%s%.*s", rows++ ? "\n" : "", terminal_width() - 1, lanes[i].line);
    fflush(stderr);
}

static void draw_bar(Lane *l, const BalProgress *p, Pace x) {
    char rate[64], left[32], bar[32] = "";
    put_rate(rate, sizeof rate, x.rate, p->unit ? p->unit : "");
    put_time(left, sizeof left, p->total > 0 && p->done >= p->total ? x.elapsed_s : x.left_s);
    if (p->total > 0) {
        int full = (int)(20 * p->done / p->total);
        for (int i = 0; i < 20; i++) bar[i] = i < full ? '=' : i == full ? '>' : ' ';
        snprintf(l->line, sizeof l->line, "%s [%.20s] %3d%% %lld/%lld  %s  %s %s  %s", p->stage, bar,
                 (int)(100 * p->done / p->total), (long long)p->done, (long long)p->total, rate,
                 p->done >= p->total ? "took" : "left", left, p->note ? p->note : "");
    } else {
        snprintf(l->line, sizeof l->line, "%s %lld %s  %s  %s", p->stage, (long long)p->done, p->unit ? p->unit : "",
                 rate, p->note ? p->note : "");
    }
    if (p->total > 0 && p->done >= p->total) { /* stays as the summary of the stage */
        bal_progress_pause();
        fprintf(stderr, "%.*s\n", terminal_width() - 1, l->line);
        l->line[0] = 0;
    }
    draw_lanes();
}

static void print_plain(const BalProgress *p, Pace x) {
    char rate[64], left[32];
    put_rate(rate, sizeof rate, x.rate, p->unit ? p->unit : "");
    fprintf(stderr, "%s: %lld", p->stage, (long long)p->done);
    if (p->total > 0) fprintf(stderr, "/%lld", (long long)p->total);
    fprintf(stderr, " %s", p->unit ? p->unit : "");
    if (rate[0]) fprintf(stderr, ", %s", rate);
    bool finished = p->total > 0 && p->done >= p->total;
    put_time(left, sizeof left, finished ? x.elapsed_s : x.left_s);
    if (finished || x.left_s >= 0) fprintf(stderr, ", %s %s", finished ? "took" : "left", left);
    if (p->note) fprintf(stderr, ", %s", p->note);
    fputc('\n', stderr);
}

static void print_json(const BalProgress *p, Pace x) {
    BalText t = {0};
    BalJsonOut o = bal_json_out(&t, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "schema", "avbalance/progress/1");
    bal_json_add_text(&o, "stage", p->stage);
    bal_json_add_int(&o, "done", p->done);
    bal_json_add_int(&o, "total", p->total);
    bal_json_add_text(&o, "unit", p->unit);
    bal_json_add_text(&o, "note", p->note);
    bal_json_add_real(&o, "elapsed_s", x.elapsed_s);
    bal_json_add_real(&o, "per_s", x.rate);
    bal_json_add_real(&o, "left_s", x.left_s);
    bal_json_close(&o, '}');
    fprintf(stderr, "%s\n", bal_text_str(&t));
    bal_text_reset(&t);
}

void bal_progress_pause(void) {
    for (; rows > 0; rows--) fputs(rows > 1 ? "\r\033[K\033[A" : "\r\033[K", stderr);
}

static void enter_stage(Lane *l, const BalProgress *p) {
    bal_progress_pause();
    snprintf(l->stage, sizeof l->stage, "%s", p->stage);
    l->line[0] = 0;
    l->first = p->done;
    l->shown = -1;
    l->begun_s = l->shown_s = bal_now_s();
    l->pause_s = 2;
}

/* Is it time to show something? The end of a stage always is, once. Plain lines come after 2 s, then ever more slowly up to one
 * in 30 s, so that a night's log stays readable and a short job says little. */
static bool due(const Lane *l, const BalProgress *p, double now_s) {
    if (p->done == l->shown) return false;
    if (p->total > 0 && p->done >= p->total)
        return l->shown >= 0 || style == BAL_PROGRESS_JSON ||
               now_s - l->begun_s >= 0.5; /* what took no time is no news */
    double pause_s = style == BAL_PROGRESS_BAR ? 0.1 : style == BAL_PROGRESS_JSON ? 0.2 : l->pause_s;
    return now_s - l->shown_s >= pause_s;
}

static bool show(void *user, const BalProgress *p) {
    Lane *l = user;
    if (style != BAL_PROGRESS_NONE) {
        if (strncmp(l->stage, p->stage, sizeof l->stage - 1) != 0) enter_stage(l, p);
        double now_s = bal_now_s();
        if (due(l, p, now_s)) {
            Pace x = pace(l, p);
            if (style == BAL_PROGRESS_BAR)
                draw_bar(l, p, x);
            else if (style == BAL_PROGRESS_JSON)
                print_json(p, x);
            else
                print_plain(p, x);
            l->shown = p->done;
            l->shown_s = now_s;
            l->pause_s = fmin(l->pause_s * 1.5, 30);
        }
    }
    return !bal_cli_cancelled();
}

BalProgressSink bal_progress_lane(int i) {
    return (BalProgressSink){show, &lanes[i]};
}

void bal_progress_leave(int i) {
    bal_progress_pause();
    lanes[i] = (Lane){.shown = -1};
}

BalProgressSink bal_progress_open(BalProgressStyle wanted) {
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    style = wanted != BAL_PROGRESS_AUTO ? wanted : terminal ? BAL_PROGRESS_BAR : BAL_PROGRESS_PLAIN;
    lanes[0].stage[0] = 0;
    return bal_progress_lane(0);
}
