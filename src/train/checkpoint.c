/* Claiming a run folder, checkpoints, and the files of a finished run.
 *
 *   DIR/recipe.yaml            the identity of the run: comment lines that say with what it was begun, then the effective recipe.
 *                              Written first; compared line by line when the command is given again, but for the version.
 *   DIR/checkpoint/<position>/ state.safetensors (weights, statistics, moments), method.bin where the method keeps state,
 *                              samples.npy (i64 [n,2]: clip, keep) where it chose what the epochs train on,
 *                              position.json, with the checksums of these, written last: a folder without it was being
 *                              written when the process died.
 *   DIR/run.json               written last of all: the run is complete. The checkpoints are then removed.
 *
 * Positions sort by name, so the newest complete folder is the one to continue from; older ones go only after a newer one is
 * complete. What lies in DIR beside them may be newer than the checkpoint (the record, the best weights): it is cut back to the
 * checkpoint's epoch or written again with the same bytes, because the work after the checkpoint is repeated exactly. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <avbalance/backends.h>
#include <avbalance/version.h>
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/npy.h"
#include "base/option.h"
#include "train/run.h"

static const char *const FILES[] = {"run.json",        "checkpoint",          "confidence.npy", "correct.npy",
                                    "log.jsonl",       "timing.jsonl",        "ids.txt",        "logits.npy",
                                    "predictions.csv", "weights.safetensors", "last_batch.txt", "recipe.yaml"};
enum { N_FILES = sizeof FILES / sizeof *FILES };

/* What determines the numbers of this build: a run is only continued by the code that began it. The version says more (any commit
 * changes it) and so is written down, but not compared. */
static const char code[] =
#include "train/code.inc"
    ;

/* ---- identity ---- */

static const char VERSION_KEY[] = "# version: "; /* begins every recipe.yaml of a run, and none that somebody wrote */

static const char *backend_version(const char *name) {
    const char *version = "";
    for (int i = 0; i < bal_backend_count(); i++)
        if (!strcmp(bal_backend_name(i, NULL, NULL), name)) bal_backend_name(i, NULL, &version);
    return version;
}

/* "2 of 5, 0a1b2c3d" or "none": which clips are held out is part of what a run is. */
static void fold_text(const BalRun *run, BalText *out) {
    const BalFitSpec *s = run->spec;
    if (!s->fold) {
        bal_text_add(out, "none");
        return;
    }
    char hex[65];
    bal_sha256_text(s->fold, (size_t)run->n * sizeof *s->fold, hex);
    bal_text_f(out, "%d of %d, %.12s", s->held_out, s->folds, hex);
}

/* "audio=RUN/weights.safetensors" cut in two. BAL_E_ARG where it is not of that form. */
static BalStatus split_init(const char *init, char prefix[64], const char **path, BalError *err) {
    const size_t n = strcspn(init, "=");
    if (!n || n > 62 || !init[n] || !init[n + 1])
        return BAL_FAIL(err, BAL_E_ARG, "--init %s: must be ENCODER=FILE, as audio=RUN/weights.safetensors", init);
    snprintf(prefix, 64, "%.*s.", (int)n, init);
    *path = init + n + 1;
    return BAL_OK;
}

BalStatus bal_init_for(unsigned inputs, const char *const *init, int n, const char *out[2], int *n_out, BalError *err) {
    static const unsigned tag[2] = {BAL_TAG_AUDIO, BAL_TAG_VISUAL};
    const char *of[2] = {NULL, NULL};
    *n_out = 0;
    for (int i = 0; i < n; i++) {
        char prefix[64];
        const char *path;
        BAL_TRY(split_init(init[i], prefix, &path, err));
        const int m = !strcmp(prefix, "audio.") ? 0 : !strcmp(prefix, "visual.") ? 1 : -1;
        if (m < 0) return BAL_FAIL(err, BAL_E_ARG, "--init %s: the encoder is audio or visual here", init[i]);
        if (of[m]) return BAL_FAIL(err, BAL_E_ARG, "--init %s: the encoder has first weights already", init[i]);
        of[m] = init[i];
    }
    for (int m = 0; m < 2; m++)
        if (of[m] && inputs & tag[m]) out[(*n_out)++] = of[m];
    return BAL_OK;
}

/* Files have names that change and bytes that do not. */
static BalStatus init_text(const BalRun *run, BalText *out, BalError *err) {
    char prefix[64], hex[65];
    const char *path;
    for (int i = 0; i < run->spec->n_init; i++) {
        BalMap map = {0};
        BAL_TRY(split_init(run->spec->init[i], prefix, &path, err));
        BAL_TRY(bal_map_open(&map, path, err));
        bal_sha256_text(map.data, map.size, hex);
        bal_map_close(&map);
        bal_text_f(out, "# first weights of %.*s: %.12s\n", (int)strlen(prefix) - 1, prefix, hex);
    }
    return BAL_OK;
}

/* Parameters of a unimodal network are those of its one encoder and have no prefix. */
static const char *in_network(const BalRun *run, const char *prefix) {
    const unsigned inputs = run->method.ops->inputs;
    const bool only = (inputs == BAL_TAG_AUDIO && !strcmp(prefix, "audio.")) ||
                      (inputs == BAL_TAG_VISUAL && !strcmp(prefix, "visual."));
    return only && !bal_graph_has_under(run->graph, prefix) ? "" : prefix;
}

BalStatus bal_run_init(BalRun *run, BalError *err) {
    char prefix[64];
    const char *path;
    for (int i = 0; i < run->spec->n_init; i++) {
        BAL_TRY(split_init(run->spec->init[i], prefix, &path, err));
        const char *under = in_network(run, prefix);
        BAL_TRY(run->session ? bal_session_load_under(run->session, under, path, err)
                             : bal_graph_fits_under(run->graph, under, path, err));
    }
    return BAL_OK;
}

static BalStatus identity(const BalRun *run, BalText *out, BalError *err) {
    char *yaml = NULL;
    BAL_TRY(bal_recipe_text(&run->recipe, run->method.ops, &yaml, err));
    bal_text_f(out, "%s%s\n", VERSION_KEY, bal_version());
    bal_text_f(out, "# code: %s, %s\n", code, backend_version(run->recipe.train.backend));
    bal_text_f(out, "# method: %s\n# store: %s\n# held out fold: ", run->method.ops->name, bal_store_hash(run->store));
    fold_text(run, out);
    bal_text_char(out, '\n');
    BalStatus rc = init_text(run, out, err);
    bal_text_add(out, yaml);
    bal_recipe_text_free(yaml);
    return rc < 0 ? rc : bal_text_ok(out, err);
}

static size_t line_length(const char *s) {
    return strcspn(s, "\n");
}

/* The text after its first line, which is the version. */
static const char *compared(const char *identity) {
    return identity + line_length(identity) + (identity[line_length(identity)] == '\n');
}

/* old: what a folder says, perhaps anything. */
static BalStatus other_code(const char *dir, const char *old, BalError *err) {
    if (bal_has_prefix(old, VERSION_KEY)) old += sizeof VERSION_KEY - 1;
    return BAL_FAIL(
        err, BAL_E_MISMATCH,
        "%s was begun by version %.*s, this is %s, and what they compute may differ: continue with that one, "
        "give another folder, or -f to start anew",
        dir, (int)line_length(old), old, bal_version());
}

/* Name the first line in which the two texts differ, with the section it stands in. */
static BalStatus differs(const char *dir, const char *old, const char *now, BalError *err) {
    char section[32] = "";
    const char *begun = old;
    old = compared(old);
    now = compared(now);
    if (line_length(old) != line_length(now) || strncmp(old, now, line_length(now))) return other_code(dir, begun, err);
    while (*old && *now && line_length(old) == line_length(now) && !strncmp(old, now, line_length(now))) {
        size_t n = line_length(now);
        if (n && n < sizeof section && now[n - 1] == ':' && *now != ' ')
            snprintf(section, sizeof section, "%.*s.", (int)n - 1, now);
        old += n + (old[n] == '\n');
        now += n + (now[n] == '\n');
    }
    if (*old == '#' || *now == '#') section[0] = '\0';
    old += strspn(old, "# ");
    now += strspn(now, "# ");
    return BAL_FAIL(
        err, BAL_E_MISMATCH,
        "%s was begun with \"%s%.*s\", now it is \"%s%.*s\": give the same settings, another folder, or -f to "
        "start anew",
        dir, section, (int)line_length(old), old, section, (int)line_length(now), now);
}

/* The first n of FILES go. */
static BalStatus empty_folder(const char *dir, int n, BalText *path, BalError *err) {
    for (int i = 0; i < n; i++) {
        BAL_TRY(bal_path_in(path, dir, FILES[i], err));
        if (bal_is_dir(path->data) || bal_file_exists(path->data)) BAL_TRY(bal_remove_tree(path->data, err));
    }
    return BAL_OK;
}

/* A folder that holds anything, but no recipe.yaml, is not ours to write into. */
static BalStatus must_be_empty(const char *dir, BalError *err) {
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(dir, &names, &n, err));
    BalStatus rc = BAL_OK;
    if (n > 0)
        rc = BAL_FAIL(err, BAL_E_EXISTS, "%s exists and holds no run (found %s): choose another folder", dir, names[0]);
    bal_names_free(names, n);
    return rc;
}

/* Did a run get far enough to have something that could be lost? */
static BalStatus has_work(const char *dir, BalText *path, bool *yes, BalError *err) {
    static const char *const kept[] = {"run.json", "checkpoint"};
    *yes = false;
    for (int i = 0; i < 2; i++) {
        BAL_TRY(bal_path_in(path, dir, kept[i], err));
        *yes |= bal_file_exists(path->data);
    }
    return BAL_OK;
}

/* What dir is the folder of. OTHER_RUN: one that may go, because nothing would be lost or -f is given. */
typedef enum Found { NO_RUN, OTHER_RUN, THIS_RUN } Found;

/* What goes with an older run must not be what this one begins from. */
static BalStatus spare_init(const BalRun *run, BalText *path, BalError *err) {
    char prefix[64];
    const char *from;
    BAL_TRY(bal_path_in(path, run->dir, "weights.safetensors", err));
    for (int i = 0; i < run->spec->n_init; i++) {
        BAL_TRY(split_init(run->spec->init[i], prefix, &from, err));
        if (bal_same_file(from, path->data))
            return BAL_FAIL(
                err, BAL_E_ARG,
                "--init %s is read here and would be removed with the older run: copy it, or give another folder",
                run->spec->init[i]);
    }
    return BAL_OK;
}

static BalStatus look(const BalRun *run, BalText *path, BalText *now, BalText *old, Found *found, BalError *err) {
    bool work;
    *found = NO_RUN;
    BAL_TRY(identity(run, now, err));
    BAL_TRY(bal_path_in(path, run->dir, "recipe.yaml", err));
    if (!bal_file_exists(path->data)) return BAL_OK;
    BAL_TRY(bal_file_read(path->data, 0, old, err));
    if (!bal_has_prefix(bal_text_str(old), VERSION_KEY)) /* with -f, too: it and what lies beside it is not ours */
        return BAL_FAIL(err, BAL_E_EXISTS,
                        "%s holds no run, but a recipe.yaml of somebody's own: choose another folder", run->dir);
    *found = !run->spec->force && !strcmp(compared(bal_text_str(old)), compared(now->data)) ? THIS_RUN : OTHER_RUN;
    if (*found == THIS_RUN) return BAL_OK;
    BAL_TRY(has_work(run->dir, path, &work, err));
    if (work && !run->spec->force) return differs(run->dir, bal_text_str(old), now->data, err);
    return spare_init(run, path, err);
}

static BalStatus claim(BalRun *run, BalText *path, BalText *now, BalText *old, bool *done, BalError *err) {
    const char *dir = run->dir;
    Found found;
    BAL_TRY(bal_make_dirs(dir, err));
    BAL_TRY(bal_lock_dir(dir, &run->lock, err));
    BAL_TRY(bal_sweep_tmp(dir, err));
    BAL_TRY(look(run, path, now, old, &found, err));
    if (found == THIS_RUN) {
        BAL_TRY(bal_path_in(path, dir, "run.json", err));
        *done = bal_file_exists(path->data);
        BAL_TRY(bal_path_in(path, dir, "checkpoint", err));
        return *done && bal_is_dir(path->data) ? bal_remove_tree(path->data, err) : BAL_OK; /* killed in between */
    }
    BAL_TRY(found == OTHER_RUN ? empty_folder(dir, N_FILES, path, err) : must_be_empty(dir, err));
    *done = false;
    BAL_TRY(bal_path_in(path, dir, "recipe.yaml", err));
    return bal_file_write(path->data, now->data, now->len, err);
}

BalStatus bal_run_claim(BalRun *run, bool *done, BalError *err) {
    BalText path = {0}, now = {0}, old = {0};
    BalStatus rc = claim(run, &path, &now, &old, done, err);
    bal_text_reset(&path);
    bal_text_reset(&now);
    bal_text_reset(&old);
    return rc;
}

BalStatus bal_run_check(const BalRun *run, BalError *err) {
    BalText path = {0}, now = {0}, old = {0};
    Found found;
    BalStatus rc = look(run, &path, &now, &old, &found, err);
    bal_text_reset(&path);
    bal_text_reset(&now);
    bal_text_reset(&old);
    return rc;
}

BalStatus bal_fit_clear(const char *dir, BalError *err) {
    BalText path = {0}, recipe = {0};
    int lock = -1;
    BalStatus rc = bal_path_in(&path, dir, FILES[N_FILES - 1], err);
    if (rc == BAL_OK && bal_file_exists(path.data)) rc = bal_file_read(path.data, 0, &recipe, err);
    if (rc == BAL_OK && bal_has_prefix(bal_text_str(&recipe), VERSION_KEY)) {
        rc = bal_lock_dir(dir, &lock, err);
        if (rc == BAL_OK) rc = empty_folder(dir, N_FILES - 1, &path, err);
    }
    bal_unlock_dir(&lock);
    bal_text_reset(&path);
    bal_text_reset(&recipe);
    return rc;
}

/* ---- best epoch ---- */

static void add_csv_row(BalText *out, const BalRun *run, int64_t i) {
    const BalStore *s = run->store;
    const float *z = run->best.logits + i * run->ctx.n_classes;
    bool scored = run->best.correct[i] != 255;
    bal_csv_quote(out, bal_store_id(s, i));
    bal_text_char(out, ',');
    bal_csv_quote(out, bal_store_class(s, bal_store_label(s, i)));
    bal_text_f(out, ",%s,", bal_split_name(bal_store_split(s, i)));
    if (scored) bal_csv_quote(out, bal_store_class(s, bal_top(z, run->ctx.n_classes)));
    bal_text_char(out, ',');
    if (scored) bal_text_float(out, run->best.confidence[i]);
    bal_text_char(out, '\n');
}

static BalStatus write_best(BalRun *run, BalText *path, BalText *csv, BalError *err) {
    char epoch[24];
    snprintf(epoch, sizeof epoch, "%lld", (long long)run->at.best_epoch);
    const char *meta[] = {
        "format", "pt",  "producer", "avbalance", "method", run->method.ops->name, "model", run->recipe.train.model,
        "epoch",  epoch, NULL};
    BAL_TRY(bal_path_in(path, run->dir, "weights.safetensors", err));
    BAL_TRY(bal_session_save(run->session, path->data, meta, err));
    const int64_t dim[2] = {run->n, run->ctx.n_classes};
    BAL_TRY(bal_path_in(path, run->dir, "logits.npy", err));
    BAL_TRY(bal_npy_write(path->data, BAL_NPY_F32, dim, 2, run->best.logits, err));
    bal_text_add(csv, "id,label,split,prediction,confidence\n");
    for (int64_t i = 0; i < run->n; i++) add_csv_row(csv, run, i);
    BAL_TRY(bal_text_ok(csv, err));
    BAL_TRY(bal_path_in(path, run->dir, "predictions.csv", err));
    return bal_file_write(path->data, csv->data, csv->len, err);
}

/* The session holds the running weights, which come back afterwards. */
BalStatus bal_run_keep_best(BalRun *run, BalError *err) {
    if (!run->best_weights) return BAL_OK;
    BalText path = {0}, csv = {0};
    float *running = NULL;
    BalStatus rc = bal_session_snapshot(run->session, &running, err);
    if (rc == BAL_OK) rc = bal_session_restore(run->session, run->best_weights, err);
    if (rc == BAL_OK) rc = write_best(run, &path, &csv, err);
    if (running) {
        BalStatus back = bal_session_restore(run->session, running, rc == BAL_OK ? err : NULL);
        if (rc == BAL_OK) rc = back;
    }
    if (rc == BAL_OK) bal_session_release(run->session, &run->best_weights);
    bal_session_release(run->session, &running);
    bal_text_reset(&path);
    bal_text_reset(&csv);
    return rc;
}

/* ---- what a checkpoint is made of ---- */

static BalStatus write_state(BalRun *run, const char *path, BalError *err) {
    return bal_session_save_state(run->session, path, NULL, err);
}

static BalStatus read_state(BalRun *run, const char *path, BalError *err) {
    return bal_session_load_state(run->session, path, err);
}

static BalStatus write_method(BalRun *run, const char *path, BalError *err) {
    BalWriter *w = NULL;
    if (!run->method.ops->save) return BAL_OK;
    BAL_TRY(bal_writer_open(&w, path, err));
    BalStatus rc = run->method.ops->save(run->method.self, &run->ctx, w, err);
    if (rc < 0) {
        bal_writer_abort(&w);
        return rc;
    }
    return bal_writer_commit(&w, err);
}

static BalStatus read_method(BalRun *run, const char *path, BalError *err) {
    BalMap map = {0};
    if (!run->method.ops->load) return BAL_OK;
    BAL_TRY(bal_map_open(&map, path, err));
    BalStatus rc = run->method.ops->load(run->method.self, &run->ctx, &map, err);
    bal_map_close(&map);
    return rc;
}

/* What the epochs train on, where the method chose it. */
static BalStatus write_samples(BalRun *run, const char *path, BalError *err) {
    const int64_t dim[2] = {run->n_sample, 2};
    int64_t *row;
    if (!run->own_sample) return BAL_OK;
    BAL_TRY(bal_alloc(&row, 2 * (size_t)dim[0], sizeof *row, err));
    for (int64_t i = 0; i < dim[0]; i++) {
        row[2 * i] = run->sample[i].clip;
        row[2 * i + 1] = run->sample[i].keep;
    }
    BalStatus rc = bal_npy_write(path, BAL_NPY_I64, dim, 2, row, err);
    bal_free(row);
    return rc;
}

static BalStatus take_samples(BalRun *run, const BalMap *map, const char *path, BalError *err) {
    BalNpy npy;
    BalSample *sample;
    int64_t row[2];
    BAL_TRY(bal_npy_parse(&npy, map->data, map->size, path, err));
    if (npy.type != BAL_NPY_I64 || npy.rank != 2 || npy.dim[1] != 2)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s is no list of samples", path);
    BAL_TRY(bal_alloc(&sample, (size_t)npy.dim[0], sizeof *sample, err));
    for (int64_t i = 0; i < npy.dim[0]; i++) {
        memcpy(row, map->data + npy.data_at + (size_t)i * sizeof row, sizeof row);
        sample[i] = (BalSample){row[0], (unsigned char)row[1]};
    }
    BalStatus rc = bal_run_sample(run, sample, npy.dim[0], err);
    bal_free(sample);
    return rc;
}

static BalStatus read_samples(BalRun *run, const char *path, BalError *err) {
    BalMap map = {0};
    BAL_TRY(bal_map_open(&map, path, err));
    BalStatus rc = take_samples(run, &map, path, err);
    bal_map_close(&map);
    return rc;
}

/* Files of a checkpoint beside position.json, which holds a checksum of each that is there. */
typedef struct Part {
    const char *name;
    BalStatus (*write)(BalRun *run, const char *path, BalError *err); /* may have nothing to write */
    BalStatus (*read)(BalRun *run, const char *path, BalError *err);
} Part;
static const Part PARTS[] = {
    {"state.safetensors", write_state, read_state},
    {"method.bin", write_method, read_method},
    {"samples.npy", write_samples, read_samples},
};
enum { STATE, METHOD, N_PARTS = sizeof PARTS / sizeof *PARTS };

/* ---- position ---- */

static void position_text(const BalPosition *at, const int64_t crc[N_PARTS], BalText *out) {
    BalJsonOut o = bal_json_out(out, true);
    bal_json_open(&o, NULL, '{');
    bal_json_add_int(&o, "epoch", at->epoch);
    bal_json_add_int(&o, "step", at->step);
    bal_json_add_int(&o, "kept", at->kept);
    bal_json_add_real(&o, "loss", at->loss);
    bal_json_add_int(&o, "seen", at->seen);
    bal_json_add_int(&o, "right", at->right);
    bal_json_add_int(&o, "best_epoch", at->best_epoch);
    bal_json_add_real(&o, "best_value", at->best_value);
    bal_json_open(&o, "accuracy", '[');
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) bal_json_add_real(&o, NULL, at->accuracy[k]);
    bal_json_close(&o, ']');
    bal_json_open(&o, "metrics", '[');
    for (int i = 0; i < at->n_metrics; i++) {
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", at->metric[i].name);
        bal_json_add_real(&o, "sum", at->metric[i].sum);
        bal_json_add_int(&o, "n", at->metric[i].n);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_open(&o, "crc32", '{');
    for (int k = 0; k < N_PARTS; k++)
        if (crc[k] >= 0) bal_json_add_int(&o, PARTS[k].name, crc[k]);
    bal_json_close(&o, '}');
    bal_json_close(&o, '}');
}

static void metrics_read(const BalJson *list, BalPosition *at) {
    for (size_t i = 0; i < bal_json_size(list) && i < BAL_MOST_METRICS; i++) {
        const BalJson *j = bal_json_at(list, i);
        BalMetric *m = &at->metric[at->n_metrics++];
        snprintf(m->name, sizeof m->name, "%s", bal_json_text(bal_json_get(j, "name"), ""));
        m->sum = bal_json_real(bal_json_get(j, "sum"), NAN);
        m->n = bal_json_int(bal_json_get(j, "n"), 1);
    }
}

static BalStatus position_read(const char *path, BalPosition *at, int64_t crc[N_PARTS], BalError *err) {
    BalJson *j = NULL;
    BAL_TRY(bal_json_load(&j, path, err));
    *at = (BalPosition){
        .epoch = bal_json_int(bal_json_get(j, "epoch"), -1),
        .step = bal_json_int(bal_json_get(j, "step"), -1),
        .kept = bal_json_int(bal_json_get(j, "kept"), 0),
        .loss = bal_json_real(bal_json_get(j, "loss"), NAN),
        .seen = bal_json_int(bal_json_get(j, "seen"), 0),
        .right = bal_json_int(bal_json_get(j, "right"), 0),
        .best_epoch = bal_json_int(bal_json_get(j, "best_epoch"), 0),
        .best_value = bal_json_real(bal_json_get(j, "best_value"), -INFINITY),
    };
    metrics_read(bal_json_get(j, "metrics"), at);
    for (int k = 0; k < N_PARTS; k++) crc[k] = bal_json_int(bal_json_get(bal_json_get(j, "crc32"), PARTS[k].name), -1);
    for (int k = 0; k < BAL_SPLIT_COUNT; k++)
        at->accuracy[k] = bal_json_real(bal_json_at(bal_json_get(j, "accuracy"), (size_t)k), NAN);
    bal_json_free(&j);
    if (at->epoch < 0 || at->step < 0 || at->best_epoch > at->epoch)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s is not the position of a run", path);
    return BAL_OK;
}

/* ---- checkpoints ---- */

static BalStatus file_crc(const char *path, int64_t *crc, BalError *err) {
    BalMap map = {0};
    BAL_TRY(bal_map_open(&map, path, err));
    *crc = bal_crc32(0, map.data, map.size);
    bal_map_close(&map);
    return BAL_OK;
}

static BalStatus write_parts(BalRun *run, const char *here, BalText *path, int64_t crc[N_PARTS], BalError *err) {
    for (int k = 0; k < N_PARTS; k++) {
        BAL_TRY(bal_path_in(path, here, PARTS[k].name, err));
        BAL_TRY(PARTS[k].write(run, path->data, err));
        crc[k] = -1;
        if (bal_file_exists(path->data)) BAL_TRY(file_crc(path->data, &crc[k], err));
    }
    return BAL_OK;
}

static BalStatus read_parts(BalRun *run, const char *here, BalText *path, const int64_t crc[N_PARTS], BalError *err) {
    int64_t found;
    for (int k = 0; k < N_PARTS; k++) {
        if (crc[k] < 0) continue;
        BAL_TRY(bal_path_in(path, here, PARTS[k].name, err));
        BAL_TRY(file_crc(path->data, &found, err));
        if (found != crc[k])
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: the checksum does not match: the file is damaged", path->data);
        BAL_TRY(PARTS[k].read(run, path->data, err));
    }
    return BAL_OK;
}

/* Remove every checkpoint but `kept` (a name, or NULL: all). */
static BalStatus drop_others(const char *folder, const char *kept, BalText *path, BalError *err) {
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(folder, &names, &n, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc == BAL_OK; i++) {
        if (kept && !strcmp(names[i], kept)) continue;
        rc = bal_path_in(path, folder, names[i], err);
        if (rc == BAL_OK) rc = bal_remove_tree(path->data, err);
    }
    bal_names_free(names, n);
    return rc;
}

static BalStatus write_checkpoint(BalRun *run, BalText *folder, BalText *here, BalText *path, BalError *err) {
    char name[64];
    int64_t crc[N_PARTS];
    BalText json = {0};
    snprintf(name, sizeof name, "%06lld-%09lld-%06lld", (long long)run->at.epoch, (long long)run->at.step,
             (long long)run->at.kept);
    BAL_TRY(bal_path_in(folder, run->dir, "checkpoint", err));
    BAL_TRY(bal_path_in(here, folder->data, name, err));
    BAL_TRY(bal_path_in(path, here->data, "position.json", err));
    if (bal_file_exists(path->data)) return BAL_OK; /* resumed and stopped again at once */
    if (bal_is_dir(here->data)) BAL_TRY(bal_remove_tree(here->data, err));
    BAL_TRY(bal_make_dirs(here->data, err));
    BAL_TRY(write_parts(run, here->data, path, crc, err));
    position_text(&run->at, crc, &json);
    BalStatus rc = bal_text_ok(&json, err);
    if (rc == BAL_OK) rc = bal_path_in(path, here->data, "position.json", err);
    if (rc == BAL_OK) rc = bal_file_write(path->data, json.data, json.len, err);
    bal_text_reset(&json);
    if (rc < 0) return rc;
    return drop_others(folder->data, name, path, err);
}

BalStatus bal_run_checkpoint(BalRun *run, BalError *err) {
    BalText folder = {0}, here = {0}, path = {0};
    BalStatus rc = bal_record_write(&run->record, run->dir, err);
    if (rc == BAL_OK) rc = bal_run_keep_best(run, err);
    if (rc == BAL_OK) rc = write_checkpoint(run, &folder, &here, &path, err);
    if (rc < 0) bal_error_add(err, rc, "while writing a checkpoint of %s", run->dir);
    bal_text_reset(&folder);
    bal_text_reset(&here);
    bal_text_reset(&path);
    return rc;
}

/* Newest complete one, by name: *found is its path, empty where there is none. */
static BalStatus newest(const char *folder, BalText *found, BalText *path, BalError *err) {
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_list_dir(folder, &names, &n, err));
    BalStatus rc = BAL_OK;
    bal_text_clear(found);
    for (int i = n - 1; i >= 0 && rc == BAL_OK && !found->len; i--) {
        rc = bal_path_in(found, folder, names[i], err);
        if (rc == BAL_OK) rc = bal_path_in(path, found->data, "position.json", err);
        if (rc == BAL_OK && !bal_file_exists(path->data)) bal_text_clear(found);
    }
    bal_names_free(names, n);
    return rc;
}

static BalStatus resume(BalRun *run, BalText *folder, BalText *here, BalText *path, BalError *err) {
    int64_t crc[N_PARTS];
    BAL_TRY(bal_path_in(folder, run->dir, "checkpoint", err));
    if (!bal_is_dir(folder->data)) return BAL_OK;
    BAL_TRY(newest(folder->data, here, path, err));
    if (!here->len) return BAL_OK;
    BAL_TRY(bal_path_in(path, here->data, "position.json", err));
    BAL_TRY(position_read(path->data, &run->at, crc, err));
    if (crc[STATE] < 0 || (run->method.ops->load && crc[METHOD] < 0))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s lacks a checksum: the file is damaged", path->data);
    BAL_TRY(read_parts(run, here->data, path, crc, err));
    return bal_record_read(&run->record, run->dir, (int)run->at.epoch, err);
}

BalStatus bal_run_resume(BalRun *run, BalError *err) {
    BalText folder = {0}, here = {0}, path = {0};
    BalStatus rc = resume(run, &folder, &here, &path, err);
    if (rc < 0) bal_error_add(err, rc, "while continuing the run in %s; -f starts it anew", run->dir);
    bal_text_reset(&folder);
    bal_text_reset(&here);
    bal_text_reset(&path);
    return rc;
}

/* ---- the end ---- */

void bal_run_best_test(const BalRun *run, int *epoch, double *accuracy) {
    *epoch = 0;
    *accuracy = NAN;
    for (int e = 0; e < run->record.n_epochs; e++) {
        const uint8_t *correct = run->record.correct + (int64_t)e * run->n;
        int64_t n = 0, right = 0;
        for (int64_t i = 0; i < run->n; i++) {
            if (bal_store_split(run->store, i) != BAL_SPLIT_TEST || correct[i] == 255) continue;
            n++;
            right += correct[i];
        }
        const double a = (double)right / (double)n;
        if (!n || (*epoch && a <= *accuracy)) continue;
        *epoch = e + 1;
        *accuracy = a;
    }
}

static void add_method(const BalRun *run, BalJsonOut *o) {
    BalText value = {0};
    bal_json_add_text(o, "method", run->method.ops->name);
    bal_json_open(o, "method_options", '{');
    for (const BalOption *p = run->method.ops->options; p && p->name; p++) {
        bal_text_clear(&value);
        bal_options_value(p, run->method.self, &value);
        o->text->failed |= value.failed;
        bal_json_add_text(o, p->name, bal_text_str(&value));
    }
    bal_json_close(o, '}');
    bal_text_reset(&value);
}

static BalStatus result_text(const BalRun *run, BalText *out, BalError *err) {
    char hash[65], protocol[65];
    int test_epoch;
    double test_accuracy;
    const BalTrainRecipe *t = &run->recipe.train;
    unsigned in = run->method.ops->inputs;
    BAL_TRY(bal_recipe_hash(&run->recipe, run->method.ops, hash, err));
    BAL_TRY(bal_recipe_hash(&run->recipe, NULL, protocol, err));
    bal_run_best_test(run, &test_epoch, &test_accuracy);
    BalJsonOut o = bal_json_document(out, true, "avbalance/run/1");
    bal_json_add_text(&o, "code", code);
    add_method(run, &o);
    bal_json_add_text(&o, "modality", in == BAL_TAG_AUDIO ? "audio" : in == BAL_TAG_VISUAL ? "visual" : "both");
    bal_json_add_text(&o, "model", t->model);
    bal_json_add_int(&o, "seed", t->seed);
    bal_json_add_int(&o, "fold", run->spec->fold ? run->spec->held_out : -1);
    bal_json_add_int(&o, "folds", run->spec->fold ? run->spec->folds : 0);
    bal_json_add_int(&o, "epochs", run->at.epoch);
    bal_json_add_int(&o, "epochs_used", run->at.best_epoch);
    bal_json_add_int(&o, "best_epoch", run->at.best_epoch);
    bal_json_add_text(&o, "selection",
                      !run->n_val && t->selection != BAL_SELECT_LAST ? "last epoch: the store has no validation split"
                      : t->selection == BAL_SELECT_ACCURACY          ? "best validation accuracy"
                      : t->selection == BAL_SELECT_LOSS              ? "best validation loss"
                                                                     : "last epoch");
    bal_json_open(&o, "accuracy", '{');
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) bal_json_add_real(&o, bal_split_name((BalSplit)k), run->at.accuracy[k]);
    bal_json_close(&o, '}');
    bal_json_open(&o, "best_test", '{'); /* what selection on test data would report; nothing uses it */
    bal_json_add_int(&o, "epoch", test_epoch);
    bal_json_add_real(&o, "accuracy", test_accuracy);
    bal_json_close(&o, '}');
    bal_json_add_int(&o, "n", run->n);
    bal_json_add_int(&o, "n_train", run->n_train);
    bal_json_add_int(&o, "n_classes", run->ctx.n_classes);
    bal_json_open(&o, "classes", '[');
    for (int k = 0; k < run->ctx.n_classes; k++) bal_json_add_text(&o, NULL, bal_store_class(run->store, k));
    bal_json_close(&o, ']');
    bal_json_add_text(&o, "store_hash", bal_store_hash(run->store));
    bal_json_add_text(&o, "recipe_hash", hash);
    bal_json_add_text(&o, "protocol_hash",
                      protocol); /* without the method's options: the same for runs to be compared */
    bal_json_add_text(&o, "backend", t->backend);
    bal_json_add_text(&o, "dtype", t->dtype == BAL_BF16 ? "bf16" : "f32");
    bal_json_add_int(&o, "threads", t->threads);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
    return bal_text_ok(out, err);
}

static BalStatus finish(BalRun *run, BalText *path, BalText *json, BalError *err) {
    BAL_TRY(bal_record_write(&run->record, run->dir, err));
    BAL_TRY(bal_run_keep_best(run, err));
    BAL_TRY(result_text(run, json, err));
    BAL_TRY(bal_path_in(path, run->dir, "run.json", err));
    BAL_TRY(bal_file_write(path->data, json->data, json->len, err));
    BAL_TRY(bal_path_in(path, run->dir, "checkpoint", err));
    return bal_is_dir(path->data) ? bal_remove_tree(path->data, err) : BAL_OK;
}

BalStatus bal_run_finish(BalRun *run, BalError *err) {
    BalText path = {0}, json = {0};
    BalStatus rc = finish(run, &path, &json, err);
    bal_text_reset(&path);
    bal_text_reset(&json);
    return rc;
}

BalStatus bal_run_read_result(const char *dir, BalFitResult *out, BalError *err) {
    BalText path = {0};
    BalJson *j = NULL;
    BalStatus rc = bal_path_in(&path, dir, "run.json", err);
    if (rc == BAL_OK) rc = bal_json_load(&j, path.data, err);
    bal_text_reset(&path);
    if (rc < 0) return bal_error_add(err, rc, "without the file the run is trained again");
    *out = (BalFitResult){
        .n = bal_json_int(bal_json_get(j, "n"), 0),
        .n_train = bal_json_int(bal_json_get(j, "n_train"), 0),
        .epochs = (int)bal_json_int(bal_json_get(j, "epochs"), 0),
        .epochs_used = (int)bal_json_int(bal_json_get(j, "epochs_used"), 0),
        .best_epoch = (int)bal_json_int(bal_json_get(j, "best_epoch"), 0),
        .best_test_epoch = (int)bal_json_int(bal_json_get(bal_json_get(j, "best_test"), "epoch"), 0),
        .best_test_accuracy = bal_json_real(bal_json_get(bal_json_get(j, "best_test"), "accuracy"), NAN),
        .already_done = true,
    };
    for (int k = 0; k < BAL_SPLIT_COUNT; k++)
        out->accuracy[k] = bal_json_real(bal_json_get(bal_json_get(j, "accuracy"), bal_split_name((BalSplit)k)), NAN);
    bal_json_free(&j);
    return BAL_OK;
}
