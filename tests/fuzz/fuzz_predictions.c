/* Files of predictions and published tables. The first byte says what the rest is: a CSV, its list of classes, logits, ids of logits,
 * training dynamics, run.json, a published table. What is not mutated stays good, so that the bytes get far. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <avbalance/analysis.h>
#include "base/file.h"
#include "base/npy.h"
#include "fuzz/target.h"

enum { N_LABELS = 2, N = 4 };

static char dir[64];
static BalScores scores;

static const char *in_dir(const char *name) {
    static char path[4][128];
    static int k;
    char *p = path[k++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const void *data, size_t n) {
    FILE *f = fopen(in_dir(name), "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0) abort();
}

static void put_text(const char *name, const char *text) {
    put(name, text, strlen(text));
}

static void drop_dir(void) {
    bal_scores_reset(&scores);
    (void)!bal_remove_tree(dir, NULL);
}

static void open_dir(void) {
    static const float z[2 * N] = {0, 1, 2, 3, -1, 4, 0.5F, 0.5F};
    const int64_t dim[2] = {N, 2};
    strcpy(dir, access("/dev/shm", W_OK) ? "/tmp/avbalance-fuzz-XXXXXX" : "/dev/shm/avbalance-fuzz-XXXXXX");
    if (!mkdtemp(dir) || bal_make_dirs(in_dir("run"), NULL) < 0) abort();
    atexit(drop_dir);
    put_text("scores.csv", "id,label,u_audio,u_visual\na,x,0.5,0.1\nb,y,0.1,0.9\nc,x,1,1\nd,y,0,0\n");
    if (bal_scores_load(&scores, in_dir("scores.csv"), NULL, NULL) < 0) abort();
    put_text("good.csv", "id,prediction\na,0\nb,1\nc,x\nd,y\n");
    put_text("classes.txt", "x\ny\n");
    put_text("ids.txt", "a\nb\nc\nd\n");
    put_text("run/ids.txt", "a\nb\nc\nd\n");
    put_text("run/predictions.csv",
             "id,label,split,prediction,confidence\na,x,test,y,1\nb,y,test,y,1\nc,x,,y,0\nd,y,test,x,1\n");
    if (bal_npy_write(in_dir("good.npy"), BAL_NPY_F32, dim, 2, z, NULL) < 0) abort();
    if (bal_npy_write(in_dir("run/logits.npy"), BAL_NPY_F32, dim, 2, z, NULL) < 0) abort();
}

static void check_load(const char *name, const BalPredictionsSpec *spec) {
    BalPredictions p = {0};
    BalError err = {0};
    BalStatus rc = bal_predictions_load(&p, in_dir(name), &scores, spec, &err);
    FUZZ_CHECK(rc == BAL_OK || (err.text[0] && !p.answer));
    for (int i = 0; rc == BAL_OK && i < N; i++) FUZZ_CHECK(p.answer[i] >= BAL_ANSWER_NONE && p.answer[i] < N_LABELS);
    for (int k = 0; rc == BAL_OK && p.logits && k < p.n_columns * N; k++)
        FUZZ_CHECK(!(isinf(p.logits[k]) && p.logits[k] > 0));
    bal_predictions_reset(&p);
}

static void check_table(const char *name) {
    BalPublished p = {0};
    BalError err = {0};
    BalStatus rc = bal_published_load(&p, in_dir(name), &err);
    FUZZ_CHECK(rc == BAL_OK ? p.n > 0 && !isnan(p.max_residual) : err.text[0] && !p.row);
    for (int i = 0; i < p.n; i++) FUZZ_CHECK(p.row[i].method && p.row[i].overall >= 0 && p.row[i].overall <= 1);
    bal_published_reset(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!dir[0]) open_dir();
    if (!size) return 0;
    const uint8_t *rest = data + 1;
    const size_t n = size - 1;
    char file[128];
    snprintf(file, sizeof file, "%s", in_dir("bytes.txt"));
    switch (data[0]) {
    case 'c':
        put("bytes.csv", rest, n);
        check_load("bytes.csv", &(BalPredictionsSpec){.classes = in_dir("classes.txt"), .ignore_unknown = true});
        break;
    case 'k':
        put("bytes.txt", rest, n);
        check_load("good.csv", &(BalPredictionsSpec){.classes = file});
        break;
    case 'n':
        put("bytes.npy", rest, n);
        check_load("bytes.npy", &(BalPredictionsSpec){.name = "audio"});
        break;
    case 'i':
        put("bytes.txt", rest, n);
        check_load("good.npy", &(BalPredictionsSpec){.name = "audio", .ids = file, .ignore_unknown = true});
        break;
    case 'd':
        put("dynamics_epoch_0.jsonl", rest, n);
        check_load("dynamics_epoch_0.jsonl", &(BalPredictionsSpec){.ignore_unknown = true});
        break;
    case 'r':
        put("run/run.json", rest, n);
        check_load("run", NULL);
        break;
    default:
        put("bytes.csv", rest, n);
        check_table("bytes.csv");
    }
    return 0;
}
