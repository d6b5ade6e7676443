/* heatmap and split on a table of many rows, beside `wc -l` and `cut` on the same file.
 *
 * usage: bench_scores PROGRAM DIR [ROWS [ROUNDS]]
 * Makes DIR/ordered.csv and DIR/shuffled.csv (id,label,u_audio,u_visual; ROWS rows, default 10^7), then runs the four programs in
 * turns and prints the medians and the largest resident size, one JSON line per file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"
#include "bench/median.h"
#include "bench/run.h"

static void need(BalStatus rc, const BalError *err) {
    if (rc >= 0) return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

/* Ids are numbered in order, or by a multiplication that visits every number once (7919 and the row count have no common factor). */
static void make_table(const char *path, int64_t rows, bool shuffled) {
    BalError err = {0};
    BalWriter *w = NULL;
    BalText line = {0};
    if (bal_file_exists(path)) return;
    need(bal_writer_open(&w, path, &err), &err);
    need(bal_writer_f(w, &err, "id,label,u_audio,u_visual\n"), &err);
    BalRng r = bal_rng(1, BAL_RNG_TEST, 0, 0);
    for (int64_t i = 0; i < rows; i++) {
        int64_t id = shuffled ? i * 7919 % rows : i;
        bal_text_clear(&line);
        bal_text_f(&line, "clip%08lld,class%u,0.%06u,0.%06u\n", (long long)id, (unsigned)bal_rng_below(&r, 30),
                   (unsigned)bal_rng_below(&r, 1000000), (unsigned)bal_rng_below(&r, 1000000));
        need(bal_writer_add(w, line.data, line.len, &err), &err);
    }
    need(bal_writer_commit(&w, &err), &err);
    bal_text_reset(&line);
}

static void measure(char *program, const char *dir, const char *name, int64_t rows, int rounds) {
    BalError err = {0};
    char table[512], lists[512], figure[512];
    double seconds[4][64], peak[4] = {0};
    snprintf(table, sizeof table, "%s/%s.csv", dir, name);
    snprintf(lists, sizeof lists, "%s/%s-lists", dir, name);
    snprintf(figure, sizeof figure, "%s/%s.png", dir, name);
    make_table(table, rows, !strcmp(name, "shuffled"));
    char *const command[4][9] = {{"wc", "-l", table, NULL},
                                 {"cut", "-d,", "-f1,3", table, NULL},
                                 {program, "heatmap", table, "-o", figure, "-f", "-q", NULL},
                                 {program, "split", table, "-o", lists, "-f", "-q", NULL}};
    for (int k = 0; k < rounds; k++)
        for (int c = 0; c < 4; c++) {
            if (c == 3)
                need(bal_remove_tree(lists, &err), &err); /* a first split, not one that also clears old lists away */
            seconds[c][k] = run(command[c], NULL, &peak[c]);
        }
    double t[4];
    for (int c = 0; c < 4; c++) t[c] = median(seconds[c], rounds);
    printf("{\"bench\":\"scores\",\"table\":\"%s\",\"rows\":%lld,\"wc_s\":%.3f,\"cut_s\":%.3f,\"heatmap_s\":%.3f,"
           "\"split_s\":%.3f,"
           "\"ratio\":%.2f,\"heatmap_mb\":%.0f,\"split_mb\":%.0f}\n",
           name, (long long)rows, t[0], t[1], t[2], t[3], (t[2] + t[3]) / (t[0] + t[1]), peak[2], peak[3]);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: bench_scores PROGRAM DIR [ROWS [ROUNDS]]\n");
        return 2;
    }
    BalError err = {0};
    int64_t rows = argc > 3 ? atoll(argv[3]) : 10000000;
    int rounds = argc > 4 ? atoi(argv[4]) : 5;
    if (rows < 1 || rounds < 1 || rounds > 64) return 2;
    need(bal_make_dirs(argv[2], &err), &err);
    measure(argv[1], argv[2], "ordered", rows, rounds);
    measure(argv[1], argv[2], "shuffled", rows, rounds);
    return 0;
}
