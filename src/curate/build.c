/* Build: which stages are done, and doing the others.
 *
 * build.jsonl has a line per stage: {"stage": .., "config": sha256, "done": true, "outputs": {"triage/triage.csv": sha256, ..}}. The
 * config of a stage is a hash over its options, the content of the files that they name, and what the outputs of all stages before it
 * are; for stages that take seconds also the program's version. A stage is done where its line has the present config and its outputs have the content that the line states; so changed
 * settings reach as far as they change something, and no further. A stage that goes on in its own folder has a line with "done": false
 * while it works: only with the same config may it find what is there.
 *
 * The file is small and written whole and atomically; a line that cannot be read is no line. */
#include "curate/build.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <avbalance/version.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"

#define JOURNAL "build.jsonl"

static const BalBuildStage stages[] = {
    /* the folder of the clips knows by itself what of it is still right: videos are added one by one */
    {"clips",
     "clips.videos clips.manifest clips.grid clips.seconds clips.per_video clips.technical clips.duplicates build.seed",
     NULL, true, "candidates.csv places.csv clips/clips.csv clips/rejects.csv candidates-rejects.csv", bal_build_clips},
    {"score", "score. triage.run triage.categories build.seed", "score", true,
     "score/audio/run.json score/visual/run.json score/audio/score.json score/visual/score.json score/calibration.json",
     bal_build_score},
    {"triage", "triage. score. clips.origin build.seed", "triage", false,
     "triage/manifest.csv triage/triage.csv triage/rejects.csv =triage/triage.json", bal_build_triage},
    {"ingest", "estimate. build.seed", "store", true, "store/store.json store/rejected.csv", bal_build_ingest},
    {"estimate", "estimate. build.seed", "estimate", true, "estimate/scores.csv =estimate/estimate.json",
     bal_build_estimate},
    {"noise", "noise. build.takedown build.seed", "noise", false,
     "noise/scores.csv noise/rejects.csv =noise/noise.json =noise/takedown.json", bal_build_noise},
    {"select", "select. build.seed", "select", false, "select/selected.csv =select/select.json", bal_build_select},
    /* report.json states every option */
    {"export", "build. clips. score. triage. estimate. noise. select. split. export.", NULL, false,
     "manifest.tsv rejects.tsv report.json", bal_build_export},
};
const BalOutput bal_build_output = {
    .mark = {{JOURNAL, "{\"stage\""}},
    .holds = JOURNAL " candidates.csv candidates.csv.classes.json candidates-rejects.csv " BAL_BUILD_PLACES
                     " clips duplicates score triage store estimate noise select manifest.tsv manifest.csv "
                     "manifest.csv.classes.json rejects.tsv report.json heatmap.json heatmap-before.png "
                     "heatmap-after.png croissant.json dataset.lock.json train.csv val.csv test.csv vggsound.csv "
                     "kinetics.csv"};
enum { N_STAGES = sizeof stages / sizeof *stages, MOST_OUTPUTS = 8 };

/* ---- paths ---- */

void bal_paths_reset(BalPaths *p) {
    for (int k = 0; k < p->n; k++) bal_free(p->path[k]);
    p->n = 0;
}

BalStatus bal_paths_add(BalPaths *p, const char *path, BalError *err) {
    if (p->n == BAL_MOST_LIST) return BAL_FAIL(err, BAL_E_ARG, "more than %d paths", BAL_MOST_LIST);
    BAL_TRY(bal_strdup(&p->path[p->n], path, err));
    p->n++;
    return BAL_OK;
}

BalStatus bal_paths_split(BalPaths *p, const char *base_dir, const char *list, BalError *err) {
    BalText one = {0}, path = {0};
    BalStatus rc = BAL_OK;
    p->n = 0;
    for (size_t n; *list && rc >= 0; list += n + (list[n] == ',')) {
        const size_t blank = strspn(list, " ");
        size_t end = n = strcspn(list, ",");
        while (end > blank && list[end - 1] == ' ') end--;
        if (end <= blank) continue;
        bal_text_clear(&one);
        bal_text_clear(&path);
        bal_text_add_n(&one, list + blank, end - blank);
        rc = bal_text_ok(&one, err);
        if (rc >= 0 && base_dir) bal_path_join(&path, base_dir, one.data);
        if (rc >= 0) rc = bal_text_ok(&path, err);
        if (rc >= 0) rc = bal_paths_add(p, base_dir ? path.data : one.data, err);
    }
    bal_text_reset(&one);
    bal_text_reset(&path);
    if (rc < 0) bal_paths_reset(p);
    return rc;
}

BalStatus bal_build_path(const BalBuilding *b, const char *name, BalText *path, BalError *err) {
    bal_text_clear(path);
    bal_path_join(path, b->dir, name);
    return bal_text_ok(path, err);
}

BalStatus bal_build_given(const BalBuilding *b, const char *name, BalText *path, BalError *err) {
    bal_text_clear(path);
    if (*name) bal_path_join(path, b->spec->base_dir, name);
    return bal_text_ok(path, err);
}

bool bal_build_is_file(const char *which) {
    return strchr(which, '/') || strchr(which, '.');
}

BalStatus bal_build_named(const BalBuilding *b, const char *which, BalText *path, BalError *err) {
    if (bal_build_is_file(which)) return bal_build_given(b, which, path, err);
    bal_text_clear(path);
    bal_text_add(path, which);
    return bal_text_ok(path, err);
}

/* ---- journal ---- */

/* Next of the words of a text, parted by blanks; NULL: there is none. */
static const char *next_word(const char *s, char *out, size_t cap) {
    s += strspn(s, " ");
    const size_t n = strcspn(s, " ");
    if (!n) return NULL;
    snprintf(out, cap, "%.*s", (int)n, s);
    return s + n;
}

/* Next of a stage's outputs; *told: it only tells about the stage, and decides nothing but the export, which repeats it. */
static const char *next_output(const char *s, char *out, size_t cap, bool *told) {
    s = next_word(s, out, cap);
    *told = s && out[0] == '=';
    if (*told) memmove(out, out + 1, strlen(out));
    return s;
}

typedef struct Line {
    char config[65], output[MOST_OUTPUTS][65]; /* empty: the file is not there */
    bool there, done;
} Line;

typedef struct Journal {
    Line line[N_STAGES];
} Journal;

static void take_line(Journal *j, const BalJson *v) {
    char word[64];
    const char *stage = bal_json_text(bal_json_get(v, "stage"), "");
    for (int k = 0; k < N_STAGES; k++) {
        if (strcmp(stage, stages[k].name)) continue;
        Line *l = &j->line[k];
        *l = (Line){.there = true, .done = bal_json_bool(bal_json_get(v, "done"), false)};
        snprintf(l->config, sizeof l->config, "%s", bal_json_text(bal_json_get(v, "config"), ""));
        const char *at = stages[k].outputs;
        bool told;
        for (int i = 0; (at = next_output(at, word, sizeof word, &told)); i++)
            snprintf(l->output[i], sizeof l->output[i], "%s",
                     bal_json_text(bal_json_get(bal_json_get(v, "outputs"), word), ""));
    }
}

static BalStatus read_journal(const BalBuilding *b, Journal *j, BalError *err) {
    BalText path = {0}, text = {0};
    BalStatus rc = bal_build_path(b, JOURNAL, &path, err);
    *j = (Journal){0};
    if (rc >= 0 && bal_file_exists(path.data)) rc = bal_file_read(path.data, 1 << 20, &text, err);
    for (const char *s = bal_text_str(&text); rc >= 0 && *s;) {
        const size_t n = strcspn(s, "\n");
        BalJson *v = NULL;
        const BalStatus parsed = bal_json_parse(&v, s, n, path.data, err);
        if (parsed == BAL_E_NOMEM) rc = parsed;
        if (parsed >= 0) take_line(j, v); /* a torn line is none */
        bal_json_free(&v);
        s += n + (s[n] == '\n');
    }
    bal_text_reset(&path);
    bal_text_reset(&text);
    return rc;
}

static BalStatus write_journal(const BalBuilding *b, const Journal *j, BalError *err) {
    BalText path = {0}, text = {0};
    char word[64];
    for (int k = 0; k < N_STAGES; k++) {
        const Line *l = &j->line[k];
        if (!l->there) continue;
        BalJsonOut o = bal_json_out(&text, false);
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "stage", stages[k].name);
        bal_json_add_text(&o, "config", l->config);
        bal_json_add_bool(&o, "done", l->done);
        bal_json_open(&o, "outputs", '{');
        const char *at = stages[k].outputs;
        bool told;
        for (int i = 0; (at = next_output(at, word, sizeof word, &told)); i++)
            if (l->output[i][0]) bal_json_add_text(&o, word, l->output[i]);
        bal_json_close(&o, '}');
        bal_json_close(&o, '}');
        bal_text_char(&text, '\n');
    }
    BalStatus rc = bal_text_ok(&text, err);
    if (rc >= 0) rc = bal_build_path(b, JOURNAL, &path, err);
    if (rc >= 0) rc = bal_file_write(path.data, bal_text_str(&text), text.len, err);
    bal_text_reset(&path);
    bal_text_reset(&text);
    return rc;
}

/* ---- what a stage depends on ---- */

/* A file by its content; a large one, and every file in a folder, by name, size and time of change. */
static BalStatus hash_input(const char *path, int depth, BalSha256 *h, BalError *err) {
    struct stat st;
    char **names = NULL, hex[65];
    int n = 0;
    BalText below = {0};
    BalStatus rc = BAL_OK;
    bal_sha256_add(h, path, strlen(path) + 1);
    if (stat(path, &st) != 0) return BAL_FAIL(err, BAL_E_IO, "%s: is not there", path);
    if (!S_ISDIR(st.st_mode)) {
        if (!depth && st.st_size < 64 << 20) {
            BAL_TRY(bal_sha256_file(path, hex, err));
            bal_sha256_add(h, hex, 64);
            return BAL_OK;
        }
        const int64_t facts[3] = {st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
        bal_sha256_add(h, facts, sizeof facts);
        return BAL_OK;
    }
    if (depth > 4) return BAL_OK;
    BAL_TRY(bal_list_dir(path, &names, &n, err));
    for (int i = 0; i < n && rc >= 0; i++) {
        bal_text_clear(&below);
        bal_path_join(&below, path, names[i]);
        rc = bal_text_ok(&below, err);
        if (rc >= 0) rc = hash_input(below.data, depth + 1, h, err);
    }
    bal_names_free(names, n);
    bal_text_reset(&below);
    return rc;
}

static BalStatus hash_inputs(const BalBuilding *b, const char *list, BalSha256 *h, BalError *err) {
    BalPaths p;
    BAL_TRY(bal_paths_split(&p, b->spec->base_dir, list, err));
    BalStatus rc = BAL_OK;
    for (int k = 0; k < p.n && rc >= 0; k++) rc = hash_input(p.path[k], 0, h, err);
    bal_paths_reset(&p);
    return rc;
}

/* "NAME=PATH,NAME=PATH" */
static BalStatus hash_supplements(const BalBuilding *b, const char *list, BalSha256 *h, BalError *err) {
    BalPaths p;
    BAL_TRY(bal_paths_split(&p, NULL, list, err));
    BalStatus rc = BAL_OK;
    for (int k = 0; k < p.n && rc >= 0; k++) {
        const char *equal = strchr(p.path[k], '=');
        if (equal) rc = hash_inputs(b, equal + 1, h, err);
    }
    bal_paths_reset(&p);
    return rc;
}

/* Content of the files that the recipe names for a stage. */
static BalStatus hash_files(const BalBuilding *b, const char *stage, BalSha256 *h, BalError *err) {
    const BalBuildRecipe *r = b->recipe;
    const struct {
        const char *stage, *list;
        bool named; /* or the name of what this build has */
    } input[] = {{"clips", r->videos, false},      {"clips", r->manifest, false},    {"score", r->reference, false},
                 {"score", r->held_out[0], false}, {"score", r->held_out[1], false}, {"score", r->outputs[0], false},
                 {"score", r->outputs[1], false},  {"score", r->weights[0], false},  {"score", r->weights[1], false},
                 {"score", r->classes[0], false},  {"score", r->classes[1], false},  {"score", r->scorer, true},
                 {"score", r->categories, true},   {"triage", r->outputs[0], false}, {"triage", r->outputs[1], false},
                 {"triage", r->categories, true},  {"ingest", r->recipe, true},      {"estimate", r->scores, false},
                 {"estimate", r->recipe, true},    {"noise", r->takedown, false},    {"select", r->must_keep, false},
                 {"export", r->licences, false}};
    for (size_t k = 0; k < sizeof input / sizeof *input; k++)
        if (!strcmp(stage, input[k].stage) && (!input[k].named || bal_build_is_file(input[k].list)))
            BAL_TRY(hash_inputs(b, input[k].list, h, err));
    return strcmp(stage, "triage") ? BAL_OK : hash_supplements(b, r->supplement, h, err);
}

/* Names and ends, too: folds 2 and seeds 11 are not folds 21 and seeds 1. */
static BalStatus hash_options(const BalBuilding *b, const char *prefixes, BalSha256 *h, BalError *err) {
    char prefix[64];
    BalText value = {0};
    while ((prefixes = next_word(prefixes, prefix, sizeof prefix)))
        for (const BalOption *o = bal_build_options(); o->name; o++) {
            if (!bal_has_prefix(o->name, prefix)) continue;
            bal_text_f(&value, "%s=", o->name);
            bal_options_value(o, b->recipe, &value);
            bal_text_char(&value, '\0');
        }
    BalStatus rc = bal_text_ok(&value, err);
    bal_sha256_add(h, bal_text_str(&value), value.len + 1);
    bal_text_reset(&value);
    return rc;
}

static BalStatus config_of(const BalBuilding *b, const BalBuildStage *s, const char chain[65], char config[65],
                           BalError *err) {
    BalSha256 h;
    bal_sha256_init(&h);
    bal_sha256_add(&h, s->name, strlen(s->name) + 1);
    bal_sha256_add(&h, chain, 64);
    if (!s->resumes) bal_sha256_add(&h, bal_version(), strlen(bal_version()) + 1); /* the others know by themselves */
    BalStatus rc = hash_options(b, s->options, &h, err);
    if (rc >= 0) rc = hash_files(b, s->name, &h, err);
    bal_sha256_hex(&h, config);
    return rc;
}

/* ---- stages ---- */

static BalStatus hash_outputs(const BalBuilding *b, const BalBuildStage *s, char out[MOST_OUTPUTS][65], BalError *err) {
    char word[64];
    BalText path = {0};
    const char *at = s->outputs;
    BalStatus rc = BAL_OK;
    bool told;
    for (int i = 0; rc >= 0 && (at = next_output(at, word, sizeof word, &told)); i++) {
        out[i][0] = '\0';
        rc = bal_build_path(b, word, &path, err);
        if (rc >= 0 && bal_file_exists(path.data)) rc = bal_sha256_file(path.data, out[i], err);
    }
    bal_text_reset(&path);
    return rc;
}

static BalStatus is_done(const BalBuilding *b, const BalBuildStage *s, const Line *l, const char *config, bool *done,
                         BalError *err) {
    char now[MOST_OUTPUTS][65] = {{0}};
    *done = false;
    if (!l->there || !l->done || strcmp(l->config, config)) return BAL_OK;
    BAL_TRY(hash_outputs(b, s, now, err));
    *done = true;
    for (int i = 0; i < MOST_OUTPUTS; i++) *done &= !strcmp(now[i], l->output[i]);
    return BAL_OK;
}

static BalStatus do_stage(const BalBuilding *b, const BalBuildStage *s, Journal *j, Line *l, const char *config,
                          BalError *err) {
    BalText folder = {0};
    const bool goes_on = s->resumes && l->there && !strcmp(l->config, config);
    BalStatus rc = BAL_OK;
    if (s->folder && !goes_on) {
        /* No line may vouch for a folder that a kill leaves half removed, not even that of settings which come back. */
        const bool vouched = l->there;
        *l = (Line){0};
        if (vouched) rc = write_journal(b, j, err);
        if (rc >= 0) rc = bal_build_path(b, s->folder, &folder, err);
        if (rc >= 0) rc = bal_remove_tree(folder.data, err);
        bal_text_reset(&folder);
    }
    *l = (Line){.there = true};
    memcpy(l->config, config, sizeof l->config);
    if (rc >= 0) rc = write_journal(b, j, err);
    if (rc >= 0) rc = s->run(b, err);
    if (rc >= 0) rc = hash_outputs(b, s, l->output, err);
    l->done = rc >= 0;
    return rc < 0 ? rc : write_journal(b, j, err);
}

static void extend_chain(char chain[65], const BalBuildStage *s, const Line *l, bool with_told) {
    BalSha256 h;
    char word[64];
    const char *at = s->outputs;
    bool told;
    bal_sha256_init(&h);
    bal_sha256_add(&h, chain, 64);
    for (int i = 0; (at = next_output(at, word, sizeof word, &told)); i++)
        if (!told || with_told) bal_sha256_add(&h, l->output[i], sizeof l->output[i]);
    bal_sha256_hex(&h, chain);
}

static BalStatus run_stages(const BalBuilding *b, BalError *err) {
    Journal *j = NULL;
    char chain[2][65], config[65]; /* what stages rest on; what export does, which also repeats what they tell */
    for (int k = 0; k < 2; k++) bal_sha256_text("", 0, chain[k]);
    BAL_TRY(bal_alloc(&j, 1, sizeof *j, err));
    BalStatus rc = read_journal(b, j, err);
    for (int k = 0; k < N_STAGES && rc >= 0; k++) {
        const BalBuildStage *s = &stages[k];
        bool done = false;
        rc = config_of(b, s, chain[k == N_STAGES - 1], config, err);
        if (rc >= 0) rc = is_done(b, s, &j->line[k], config, &done, err);
        if (rc >= 0 && !done) rc = do_stage(b, s, j, &j->line[k], config, err);
        if (rc < 0) bal_error_add(err, rc, "stage %s", s->name);
        if (rc >= 0 && b->spec->told) b->spec->told(b->spec->user, s->name, done);
        for (int c = 0; c < 2; c++) extend_chain(chain[c], s, &j->line[k], c);
    }
    bal_free(j);
    return rc;
}

/* What the last stage wants is looked for before hours go into the first, and before an older build makes room. */
static BalStatus check_inputs(const BalBuilding *b, BalError *err) {
    const char chain[65] = "";
    char config[65];
    for (int k = 0; k < N_STAGES; k++) {
        BalStatus rc = config_of(b, &stages[k], chain, config, err);
        if (rc < 0) return bal_error_add(err, rc, "stage %s", stages[k].name);
    }
    return BAL_OK;
}

/* A folder that is not ours is left alone. */
static BalStatus check_folder(const BalBuilding *b, BalError *err) {
    BalText path = {0};
    char **names = NULL;
    int n = 0, foreign = 0;
    BAL_TRY(bal_build_path(b, JOURNAL, &path, err));
    const bool ours = bal_file_exists(path.data);
    bal_text_reset(&path);
    if (ours) return BAL_OK;
    BAL_TRY(bal_list_dir(b->dir, &names, &n, err));
    for (int i = 0; i < n; i++) foreign += names[i][0] != '.' && !strstr(names[i], BAL_TMP_MARK);
    bal_names_free(names, n);
    if (!foreign) return BAL_OK;
    return BAL_FAIL(err, BAL_E_EXISTS, "%s holds something else than a build; name another folder", b->dir);
}

/* What a killed call had not finished writing, in the folder and in those of the stages. */
static BalStatus sweep(const char *dir, BalError *err) {
    BalText path = {0};
    char **names = NULL;
    int n = 0;
    BAL_TRY(bal_sweep_tmp(dir, err));
    BAL_TRY(bal_list_dir(dir, &names, &n, err));
    BalStatus rc = BAL_OK;
    for (int i = 0; i < n && rc >= 0; i++) {
        bal_text_clear(&path);
        bal_path_join(&path, dir, names[i]);
        rc = bal_text_ok(&path, err);
        if (rc >= 0 && bal_is_dir(path.data)) rc = bal_sweep_tmp(path.data, err);
    }
    bal_names_free(names, n);
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_build(const BalBuildSpec *spec, BalError *err) {
    const BalBuilding b = {.spec = spec, .recipe = spec->recipe, .dir = spec->dir};
    int lock = -1;
    BAL_TRY(check_inputs(&b, err));
    if (spec->room.make) BAL_TRY(spec->room.make(spec->room.user, err));
    BAL_TRY(bal_make_dirs(spec->dir, err));
    BalStatus rc = bal_lock_dir(spec->dir, &lock, err);
    if (rc >= 0) rc = check_folder(&b, err);
    if (rc >= 0) rc = sweep(spec->dir, err);
    if (rc >= 0) rc = run_stages(&b, err);
    bal_unlock_dir(&lock);
    return rc;
}
