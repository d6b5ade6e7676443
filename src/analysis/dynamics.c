/* Predictions from the training dynamics of dataset cartography (Swayamdipta et al. 2020): the files dynamics_epoch_K.jsonl with
 *
 *   {"guid": id, "logits_epoch_K": [C], "gold": number of the true class}
 *
 * per line. Which class a number stands for the files do not say; it is learnt from gold and the labels of the scores. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/predictions.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

typedef struct Dynamics {
    BalText path, where; /* of the file; of the line in work */
    char key[40];
    int n;            /* outputs, 0 until the first line */
    int32_t *label;   /* [n] of each class number, BAL_ANSWER_OTHER until seen */
    int32_t *top;     /* [clips] column, -1: none */
    int64_t *gold_at; /* [n] line that told */
    float *z;
} Dynamics;

/* The epoch of "dynamics_epoch_7.jsonl", or -1. */
static int64_t epoch_of(const char *name) {
    char digits[24];
    int64_t epoch;
    if (!bal_has_prefix(name, "dynamics_epoch_") || !bal_has_suffix(name, ".jsonl")) return -1;
    size_t n = strlen(name) - strlen("dynamics_epoch_") - strlen(".jsonl");
    if (n >= sizeof digits) return -1;
    memcpy(digits, name + strlen("dynamics_epoch_"), n);
    digits[n] = '\0';
    return bal_parse_i64(digits, &epoch) && epoch >= 0 ? epoch : -1;
}

/* The file of the last epoch where path is a folder. */
static BalStatus find_dynamics(Dynamics *d, const char *path, BalError *err) {
    char **names = NULL;
    int n = 0;
    int64_t last = -1;
    const char *slash = strrchr(path, '/');
    if (!bal_is_dir(path)) {
        last = epoch_of(slash ? slash + 1 : path);
        bal_text_add(&d->path, path);
    } else {
        BAL_TRY(bal_list_dir(path, &names, &n, err));
        for (int i = 0; i < n; i++) {
            if (epoch_of(names[i]) <= last) continue;
            last = epoch_of(names[i]);
            bal_text_clear(&d->path);
            bal_path_join(&d->path, path, names[i]);
        }
        bal_names_free(names, n);
    }
    BAL_TRY(bal_text_ok(&d->path, err));
    if (last < 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: training dynamics are files called dynamics_epoch_K.jsonl, K the epoch",
                        path);
    snprintf(d->key, sizeof d->key, "logits_epoch_%lld", (long long)last);
    return BAL_OK;
}

/* The outputs of a line into d->z; all lines have equally many. */
static BalStatus take_outputs(Dynamics *d, const BalJson *line, BalError *err) {
    const BalJson *z = bal_json_get(line, d->key);
    size_t n = bal_json_size(z);
    if (bal_json_type(z) != BAL_JSON_ARRAY || n < 2 || n > BAL_MOST_CLASSES)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: needs \"%s\", an array of at least two numbers", d->where.data, d->key);
    if (!d->n) {
        BAL_TRY(bal_alloc(&d->label, n, sizeof *d->label, err));
        BAL_TRY(bal_alloc(&d->gold_at, n, sizeof *d->gold_at, err));
        BAL_TRY(bal_alloc(&d->z, n, sizeof *d->z, err));
        for (size_t k = 0; k < n; k++) d->label[k] = BAL_ANSWER_OTHER;
        d->n = (int)n;
    }
    if (n != (size_t)d->n)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: has %zu outputs, the lines before have %d", d->where.data, n, d->n);
    for (size_t k = 0; k < n; k++) d->z[k] = (float)bal_json_real(bal_json_at(z, k), NAN);
    return BAL_OK;
}

/* That a clip of this label has this class number must hold for all its clips, and for no other label. */
static BalStatus learn_class(const BalJoin *j, Dynamics *d, int64_t gold, int64_t clip, int64_t at, BalError *err) {
    const int32_t label = j->scores->label[clip];
    if (label < 0) return BAL_OK;
    int other = 0;
    while (other < d->n && d->label[other] != label) other++;
    if (other < d->n && other != gold)
        return BAL_FAIL(
            err, BAL_E_FORMAT,
            "%s: \"gold\" is %lld for clip \"%s\" of label \"%s\", which is class %d in line %lld; are these of "
            "the same dataset?",
            d->where.data, (long long)gold, j->scores->id[clip], j->scores->labels[label], other,
            (long long)d->gold_at[other]);
    if (d->label[gold] != BAL_ANSWER_OTHER && d->label[gold] != label)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: \"gold\" is %lld for clip \"%s\" of label \"%s\", but for one of \"%s\" in line %lld",
                        d->where.data, (long long)gold, j->scores->id[clip], j->scores->labels[label],
                        j->scores->labels[d->label[gold]], (long long)d->gold_at[gold]);
    d->label[gold] = label;
    if (!d->gold_at[gold]) d->gold_at[gold] = at;
    return BAL_OK;
}

static BalStatus take_dynamics(BalJoin *j, Dynamics *d, const BalJson *line, int64_t at, BalError *err) {
    const BalJson *guid = bal_json_get(line, "guid");
    char number[24] = "";
    int64_t gold = bal_json_int(bal_json_get(line, "gold"), -1), clip;
    int top;
    if (bal_json_type(guid) == BAL_JSON_INT) snprintf(number, sizeof number, "%lld", (long long)bal_json_int(guid, 0));
    const char *id = bal_json_text(guid, number);
    BAL_TRY(take_outputs(d, line, err));
    if (gold < 0 || gold >= d->n)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: needs \"gold\", the number of the true class, from 0 to %d",
                        d->where.data, d->n - 1);
    BAL_TRY(bal_top_output(j, d->z, d->n, id, at, &top, err));
    BAL_TRY(bal_join_clip(j, id, strlen(id), at, &clip, err));
    if (clip < 0) return BAL_OK;
    d->top[clip] = top;
    return learn_class(j, d, gold, clip, at, err);
}

static BalStatus read_dynamics(BalJoin *j, Dynamics *d, const BalMap *map, BalError *err) {
    const char *s = (const char *)map->data, *end = s + map->size;
    const int64_t n = j->scores->n;
    BAL_TRY(bal_alloc(&d->top, (size_t)n, sizeof *d->top, err));
    for (int64_t i = 0; i < n; i++) d->top[i] = -1;
    bal_join_begin(j, d->path.data, "line");
    for (int64_t at = 1; s < end; at++) {
        const char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl : end;
        BalJson *line = NULL;
        bal_text_clear(&d->where);
        bal_text_f(&d->where, "%s: line %lld", d->path.data, (long long)at);
        BAL_TRY(bal_text_ok(&d->where, err));
        if (stop > s && !(stop - s == 1 && *s == '\r')) {
            BalStatus rc = bal_json_parse(&line, s, (size_t)(stop - s), d->where.data, err);
            if (rc == BAL_E_FORMAT)
                return bal_error_add(err, rc,
                                     "a line is one JSON object, in which NaN is no number; predict that clip again");
            if (rc >= 0) rc = take_dynamics(j, d, line, at, err);
            bal_json_free(&line);
            BAL_TRY(rc);
        }
        s = stop + (nl != NULL);
    }
    for (int64_t i = 0; i < n; i++)
        if (d->top[i] >= 0) j->out->answer[i] = d->label[d->top[i]];
    return bal_join_end(j, err);
}

BalStatus bal_read_dynamics(BalJoin *j, const char *path, BalError *err) {
    Dynamics d = {0};
    BalMap map = {0};
    BalStatus rc;
    BAL_TRY_OR(done, find_dynamics(&d, path, err));
    BAL_TRY_OR(done, bal_map_open(&map, d.path.data, err));
    rc = read_dynamics(j, &d, &map, err);
done:
    bal_map_close(&map);
    bal_text_reset(&d.path);
    bal_text_reset(&d.where);
    bal_free(d.label);
    bal_free(d.gold_at);
    bal_free(d.top);
    bal_free(d.z);
    return rc;
}
