/* A table of scores in memory, and its file. */
#include <math.h>
#include <string.h>

#include "analysis/scores_build.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

/* All text of a table stands in blocks that never move, so that ids can be pointers. */
#define BLOCK_BYTES ((size_t)1 << 20)

struct BalScoresText {
    struct BalScoresText *before;
    size_t used, cap;
    char data[];
};

static BalStatus keep_text(BalScores *s, const char *text, size_t n, const char **out, BalError *err) {
    struct BalScoresText *b = s->text;
    if (!b || b->cap - b->used < n + 1) {
        size_t cap = n + 1 > BLOCK_BYTES ? n + 1 : BLOCK_BYTES;
        BAL_TRY(bal_alloc(&b, sizeof *b + cap, 1, err));
        b->before = s->text;
        b->cap = cap;
        s->text = b;
    }
    char *to = b->data + b->used;
    memcpy(to, text, n);
    to[n] = '\0';
    b->used += n + 1;
    *out = to;
    return BAL_OK;
}

void bal_scores_reset(BalScores *s) {
    bal_free(s->id);
    bal_free(s->label);
    bal_free(s->split);
    bal_free(s->labels);
    bal_free(s->splits);
    for (int c = 0; c < BAL_SCORE_COLUMNS; c++) bal_free(s->value[c]);
    for (struct BalScoresText *b = s->text, *before; b; b = before) {
        before = b->before;
        bal_free(b);
    }
    *s = (BalScores){0};
}

BalStatus bal_scores_make(BalScores *s, int64_t n, const bool *has, BalError *err) {
    *s = (BalScores){0};
    BalStatus rc;
    BAL_TRY_OR(fail, bal_alloc(&s->id, (size_t)n, sizeof *s->id, err));
    BAL_TRY_OR(fail, bal_alloc(&s->label, (size_t)n, sizeof *s->label, err));
    BAL_TRY_OR(fail, bal_alloc(&s->split, (size_t)n, sizeof *s->split, err));
    for (int c = 0; c < BAL_SCORE_COLUMNS; c++)
        if (has[c]) BAL_TRY_OR(fail, bal_alloc(&s->value[c], (size_t)n, sizeof *s->value[c], err));
    return BAL_OK;
fail:
    bal_scores_reset(s);
    return rc;
}

/* Index of a name in a list that grows; -1 for the empty name. Neighbours mostly have the same name, so the last hit is tried first. */
static BalStatus find_name(BalScores *s, const char ***names, int *n, int guess, const char *text, size_t len,
                           int32_t *out, BalError *err) {
    *out = -1;
    if (!len) return BAL_OK;
    for (int step = 0; step < *n; step++) {
        int i = (guess < 0 ? 0 : guess) + step;
        if (i >= *n) i -= *n;
        if (strlen((*names)[i]) == len && !memcmp((*names)[i], text, len)) {
            *out = i;
            return BAL_OK;
        }
    }
    size_t cap = (size_t)*n;
    if ((*n & (*n - 1)) == 0) BAL_TRY(bal_resize(names, cap ? 2 * cap : 1, sizeof **names, err));
    BAL_TRY(keep_text(s, text, len, &(*names)[*n], err));
    *out = (*n)++;
    return BAL_OK;
}

BalStatus bal_scores_put(BalScores *s, int64_t i, BalScoreText id, BalScoreText label, BalScoreText split,
                         BalError *err) {
    BAL_TRY(keep_text(s, id.s, id.n, &s->id[i], err));
    int32_t near_label = i ? s->label[i - 1] : -1, near_split = i ? s->split[i - 1] : -1;
    BAL_TRY(find_name(s, &s->labels, &s->n_labels, near_label, label.s, label.n, &s->label[i], err));
    return find_name(s, &s->splits, &s->n_splits, near_split, split.s, split.n, &s->split[i], err);
}

/* ---- reading ---- */

typedef struct Load {
    BalScores *scores;
    int64_t rows; /* as many as were counted: there is room for no more */
    const char *path;
} Load;

static BalStatus load_rows(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk;
    (void)worker;
    const Load *l = user;
    BalScores *s = l->scores;
    if (n > l->rows - s->n) return BAL_FAIL(err, BAL_E_IO, "%s: was changed while it was read", l->path);
    for (int k = 0; k < n; k++) {
        int64_t i = s->n;
        BAL_TRY(bal_scores_put(s, i, row[k].id, row[k].label, row[k].split, err));
        for (int c = 0; c < BAL_SCORE_COLUMNS; c++)
            if (s->value[c])
                s->value[c][i] = c == BAL_SCORE_U_AUDIO    ? row[k].u_audio
                                 : c == BAL_SCORE_U_VISUAL ? row[k].u_visual
                                                           : row[k].extra[c];
        s->n++;
    }
    return BAL_OK;
}

static BalStatus count_nothing(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)chunk, (void)worker, (void)row, (void)err;
    *(int64_t *)user += n;
    return BAL_OK;
}

BalStatus bal_scores_load(BalScores *out, const char *path, const BalScoresSpec *spec, BalError *err) {
    BalScoresSpec alone = spec ? *spec : (BalScoresSpec){0};
    alone.threads = 1; /* rows are kept in file order */
    BalScoresFile *f = NULL;
    BalScores s = {0};
    bool has[BAL_SCORE_COLUMNS];
    int64_t n = 0;
    BalStatus rc;
    BAL_TRY_OR(done, bal_scores_open(&f, path, &alone, true, err));
    BAL_TRY_OR(done, bal_scores_scan(f, count_nothing, &n, err));
    for (int c = 0; c < BAL_SCORE_COLUMNS; c++) has[c] = bal_scores_has(f, (BalScoreColumn)c);
    BAL_TRY_OR(done, bal_scores_make(&s, n, has, err));
    BAL_TRY_OR(done, bal_scores_scan(f, load_rows, &(Load){&s, n, path}, err));
    *out = s;
    s = (BalScores){0};
done:
    bal_scores_reset(&s);
    bal_scores_close(&f);
    return rc;
}

/* ---- writing ---- */

BalStatus bal_scores_save(const BalScores *s, const char *path, BalError *err) {
    BalWriter *w = NULL;
    BalText line = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_writer_open(&w, path, err));
    bal_text_add(&line, "id,label,split,u_audio,u_visual,discrepancy");
    for (int c = BAL_SCORE_SD_AUDIO; c < BAL_SCORE_COLUMNS; c++)
        if (s->value[c]) bal_text_f(&line, ",%s", bal_score_column_name((BalScoreColumn)c));
    bal_text_char(&line, '\n');
    for (int64_t i = 0; i <= s->n; i++) {
        BAL_TRY_OR(done, bal_text_ok(&line, err));
        BAL_TRY_OR(done, bal_writer_add(w, line.data, line.len, err));
        if (i == s->n) break;
        bal_text_clear(&line);
        bal_csv_quote(&line, s->id[i]);
        bal_text_char(&line, ',');
        bal_csv_quote(&line, s->label[i] >= 0 ? s->labels[s->label[i]] : "");
        bal_text_char(&line, ',');
        bal_csv_quote(&line, s->split[i] >= 0 ? s->splits[s->split[i]] : "");
        double a = s->value[BAL_SCORE_U_AUDIO][i], v = s->value[BAL_SCORE_U_VISUAL][i], first[3] = {a, v, a - v};
        for (int k = 0; k < 3; k++) {
            bal_text_char(&line, ',');
            bal_text_real(&line, first[k]);
        }
        for (int c = BAL_SCORE_SD_AUDIO; c < BAL_SCORE_COLUMNS; c++) {
            if (!s->value[c]) continue;
            bal_text_char(&line, ',');
            if (!isnan(s->value[c][i])) bal_text_real(&line, s->value[c][i]);
        }
        bal_text_char(&line, '\n');
    }
    rc = bal_writer_commit(&w, err);
done:
    bal_writer_abort(&w);
    bal_text_reset(&line);
    return rc;
}
