/* select on a table of many rows, file to file, beside `cat` of the same file; and its solver alone.
 *
 * usage: bench_select PROGRAM DIR [ROWS [ROUNDS]]
 * Makes DIR/select-ROWS.csv (30 classes; d with thin tails, as scores have; above 10^6: whole millions) where it is not there, then runs in
 * turns `cat`, select with one thread and with all, a select that keeps most clips, and verify. JSON lines: medians of seconds and of
 * processor time, MB/s of the table, largest resident size in MB. The solver: microseconds of processor time per plan of 30 x 20 cells. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"
#include "bench/median.h"
#include "bench/run.h"
#include "curate/key.h"
#include "curate/plan.h"

enum { CLASSES = 30, BINS = 20, COMMANDS = 5, MOST = 3 };

static void need(BalStatus rc, const BalError *err) {
    if (rc >= 0) return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static int draw(BalRng *r, double *a, double *v) {
    const int label =
        (int)(CLASSES * pow(bal_rng_uniform(r), 1.3)); /* classes of different sizes that lean differently */
    const double lean = 0.2 * (label - CLASSES / 2) / CLASSES + 0.3 * bal_rng_normal(r), level = bal_rng_uniform(r);
    *a = fmin(1, fmax(0, level + lean / 2));
    *v = fmin(1, fmax(0, level - lean / 2));
    return label;
}

/* Ids are numbered in an order that visits every number once. More than a million rows are copies of a million with other ids. */
static void make_table(const char *path, int64_t rows) {
    enum { PART = 1000000 };
    BalError err = {0};
    BalWriter *w = NULL;
    BalText part = {0};
    static size_t at[PART]; /* of the number of the copy in each row */
    const int64_t n = rows < PART ? rows : PART;
    if (bal_file_exists(path)) return;
    need(bal_writer_open(&w, path, &err), &err);
    need(bal_writer_f(w, &err, "id,label,u_audio,u_visual\n"), &err);
    BalRng r = bal_rng(2, BAL_RNG_TEST, 0, 0);
    for (int64_t i = 0; i < n; i++) {
        double a, v;
        const int label = draw(&r, &a, &v);
        at[i] = part.len + 4;
        bal_text_f(&part, "clip0000-%06lld,class%d,%.6f,%.6f\n", (long long)(i * 7919 % n), label, a, v);
    }
    need(bal_text_ok(&part, &err), &err);
    for (int64_t copy = 0; copy < (rows + PART - 1) / PART; copy++) {
        char number[8];
        snprintf(number, sizeof number, "%04d", (int)(copy % 10000));
        for (int64_t i = 0; i < n; i++) memcpy(part.data + at[i], number, 4);
        need(bal_writer_add(w, part.data, part.len, &err), &err);
    }
    need(bal_writer_commit(&w, &err), &err);
    bal_text_reset(&part);
}

static void measure(char *program, const char *dir, int64_t rows, int rounds) {
    char table[512], out[512], all[512];
    double seconds[COMMANDS][64], cpu[COMMANDS][64], peak[COMMANDS] = {0};
    struct stat st;
    snprintf(table, sizeof table, "%s/select-%lld.csv", dir, (long long)rows);
    snprintf(out, sizeof out, "%s/select-out", dir);
    snprintf(all, sizeof all, "%s/select-all", dir);
    make_table(table, rows);
    char *const command[COMMANDS][16] = {
        {"cat", table, NULL},
        {program, "select", table, "-o", out, "-f", "-q", "--certificate", "--threads", "1", NULL},
        {program, "select", table, "-o", out, "-f", "-q", "--certificate", NULL},
        {program, "select", table, "-o", all, "-f", "-q", "-p", "waterfill", "--budget", "kl=0.2", "--class-max", "0",
         NULL},
        {program, "verify", out, "--scores", table, "-q", NULL}};
    static const char *const name[COMMANDS] = {"cat", "select_1_thread", "select", "select_most", "verify"};
    for (int k = 0; k < rounds; k++)
        for (int c = 0; c < COMMANDS; c++)
            if (c != MOST || rows <= 10000000) seconds[c][k] = run(command[c], &cpu[c][k], &peak[c]);
    stat(table, &st);
    for (int c = 0; c < COMMANDS; c++) {
        if (c == MOST && rows > 10000000) continue; /* what is kept is held in memory */
        const double s = median(seconds[c], rounds);
        printf("{\"bench\":\"select\",\"rows\":%lld,\"what\":\"%s\",\"seconds\":%.3f,\"cpu_s\":%.3f,\"mb_per_s\":%.0f,"
               "\"peak_mb\":%.0f}\n",
               (long long)rows, name[c], s, median(cpu[c], rounds), (double)st.st_size / 1e6 / s, peak[c]);
        fflush(stdout);
    }
}

/* ---- the solver ---- */

static void measure_solver(int64_t rows) {
    static int64_t n[CLASSES * BINS], must[CLASSES * BINS];
    const BalCells cells = {CLASSES, BINS, n, must};
    BalError err = {0};
    BalRng r = bal_rng(2, BAL_RNG_TEST, 0, 0);
    const int64_t draws = rows < 1000000 ? rows : 1000000;
    for (int64_t i = 0; i < draws; i++) {
        double a, v;
        const int label = draw(&r, &a, &v);
        n[label * BINS + bal_bin_of_d(bal_quantise(a), bal_quantise(v), BINS, (uint64_t)i)] += rows / draws;
    }
    for (int p = 0; p < BAL_POLICIES; p++) {
        BalSelectSpec spec = bal_select_spec_default();
        double seconds[21];
        int64_t kept = 0;
        spec.policy = (BalPolicy)p;
        if (p == BAL_POLICY_WATERFILL) spec.level = rows / 100;
        if (p == BAL_POLICY_MIRROR) spec.class_max = 0;
        for (int k = 0; k < 21; k++) {
            BalPlan plan;
            const clock_t start = clock();
            need(bal_plan_make(&plan, &spec, &cells, &err), &err);
            seconds[k] = (double)(clock() - start) / CLOCKS_PER_SEC;
            kept = plan.kept;
            bal_plan_reset(&plan);
        }
        printf("{\"bench\":\"select_solver\",\"rows\":%lld,\"policy\":\"%s\",\"kept\":%lld,\"us\":%.0f}\n",
               (long long)rows, bal_policy_name((BalPolicy)p), (long long)kept, 1e6 * median(seconds, 21));
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: bench_select PROGRAM DIR [ROWS [ROUNDS]]\n");
        return 2;
    }
    const int64_t rows = argc > 3 ? atoll(argv[3]) : 1000000;
    const int rounds = argc > 4 ? atoi(argv[4]) : 5;
    if (rows < 1 || rows > 1000000000 || (rows > 1000000 && rows % 1000000) || rounds < 1 || rounds > 64) return 2;
    measure_solver(rows);
    measure(argv[1], argv[2], rows, rounds);
    return 0;
}
