/* avbalance score: what a pretrained network says of clips. */
#include <math.h>
#include <string.h>
#include <avbalance/score.h>
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "curate/score_job.h"

typedef struct Score {
    const char *out, *scorer, *weights, *classes, *view, *categories, *backend, *dialect, *media_dir, *media_pattern;
    int average, dtype, on_error;
    int64_t workers, top;
    double clip_limit_s;
} Score;

static const char *const averages[] = {"auto", "probabilities", "before", NULL};
static const char *const dtypes[] = {"f32", "bf16", NULL};
static const char *const on_error[] = {"skip", "stop", NULL};

/* ---- what is printed ---- */
static void list_json(BalText *out) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/scorers/1");
    bal_json_open(&o, "scorers", '[');
    for (int i = 0; i < bal_scorer_count(); i++) {
        const BalScorerInfo *s = bal_scorer_at(i);
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", s->name);
        bal_json_add_text(&o, "side", s->side == BAL_AUDIO ? "audio" : "visual");
        bal_json_add_text(&o, "summary", s->summary);
        bal_json_add_text(&o, "paper", s->paper);
        bal_json_open(&o, "views", '[');
        for (const BalScorerView *v = s->view; v->name; v++) bal_json_add_text(&o, NULL, v->name);
        bal_json_close(&o, ']');
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void list_text(BalText *out) {
    for (int i = 0; i < bal_scorer_count(); i++) {
        const BalScorerInfo *s = bal_scorer_at(i);
        bal_text_f(out, "  %-18s %s\n  %-18s %s\n", s->name, s->summary, "", s->paper);
        for (const BalScorerView *v = s->view; v[1].name || v != s->view; v++) {
            if (!v->name) break;
            bal_text_f(out, "  %-18s --view %s%s: %s\n", "", v->name, v == s->view ? " (default)" : "", v->summary);
        }
        if (s->before)
            bal_text_f(out, "  %-18s --average auto: %s; before: %s\n", "",
                       s->average_before ? s->before : "probabilities", s->before);
    }
}

static void print_json(BalText *out, const Score *self, const BalScoreResult *r) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/score/1");
    bal_json_add_text(&o, "out", self->out);
    bal_json_add_text(&o, "scorer", self->scorer);
    bal_json_add_text(&o, "weights_sha256", r->weights_sha256);
    bal_json_add_text(&o, "view", r->view);
    bal_json_add_text(&o, "average", r->average);
    bal_json_add_int(&o, "n", r->clips.n);
    bal_json_add_int(&o, "scored", r->clips.stored);
    bal_json_add_int(&o, "rejected", r->clips.rejected);
    bal_json_add_int(&o, "resumed", r->clips.resumed);
    bal_json_open(&o, "reasons", '[');
    for (int i = 0; i < r->clips.n_reasons; i++) {
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "reason", r->clips.reason[i].text);
        bal_json_add_int(&o, "n", r->clips.reason[i].n);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_add_int(&o, "classes", r->n_classes);
    bal_json_add_int(&o, "macs_per_clip", r->macs);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void print_text(BalText *out, const Score *self, const BalScoreResult *r) {
    bal_text_f(out, "%s: %lld of %lld clips scored by %s, view %s, %d classes, mean of %s; %.3g GMAC per clip\n",
               self->out, (long long)r->clips.stored, (long long)r->clips.n, self->scorer, r->view, r->n_classes,
               r->average, (double)r->macs * 1e-9);
    if (!r->clips.rejected) return;
    bal_text_f(out, "%lld rejected; each stands with its reason in %s/rejected.csv\n", (long long)r->clips.rejected,
               self->out);
    for (int i = 0; i < r->clips.n_reasons; i++)
        bal_text_f(out, "%8lld  %s\n", (long long)r->clips.reason[i].n, r->clips.reason[i].text);
}

/* ---- clips ---- */
/* A list of clips; everything else is a media file. */
static bool is_list(const char *path) {
    static const char *const ending[] = {".csv", ".tsv", ".json", ".jsonl", ".txt"};
    if (bal_is_dir(path)) return true;
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (bal_has_suffix(path, ending[i])) return true;
    return false;
}

/* Media files as clips: the id is the file's name without its ending. */
static BalStatus clips_of_media(BalManifest *m, BalText *ids, const char *const *path, int n, BalError *err) {
    size_t at[64];
    if (n > 64) return BAL_FAIL(err, BAL_E_ARG, "more than 64 media files: write them into a manifest (see ingest)");
    for (int i = 0; i < n; i++) {
        const char *slash = strrchr(path[i], '/'), *name = slash ? slash + 1 : path[i], *dot = strrchr(name, '.');
        at[i] = ids->len;
        bal_text_add_n(ids, name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
        bal_text_char(ids, '\0');
    }
    BAL_TRY(bal_text_ok(ids, err));
    BAL_TRY(bal_alloc(&m->clip, (size_t)n, sizeof *m->clip, err));
    for (int i = 0; i < n; i++) {
        m->clip[i] = (BalClip){.id = ids->data + at[i],
                               .media = path[i],
                               .source = "",
                               .label = -1,
                               .split = BAL_SPLIT_TEST,
                               .start_s = NAN,
                               .duration_s = NAN,
                               .line = i + 1};
        for (int k = 0; k < i; k++)
            if (!strcmp(m->clip[k].id, m->clip[i].id))
                return BAL_FAIL(err, BAL_E_ARG, "%s and %s would both be the clip %s: write a manifest with ids",
                                path[k], path[i], m->clip[i].id);
    }
    m->n = n;
    return BAL_OK;
}

static BalStatus load_clips(BalCli *cli, BalManifest *m, BalText *ids, bool *media, BalError *err) {
    const Score *self = cli->self;
    int lists = 0;
    for (int i = 0; i < cli->n_args; i++) lists += is_list(cli->args[i]);
    if (lists && lists < cli->n_args) return BAL_FAIL(err, BAL_E_ARG, "give lists of clips or media files, not both");
    *media = !lists;
    if (*media) return clips_of_media(m, ids, cli->args, cli->n_args, err);
    BalManifestSpec spec = bal_manifest_spec_default();
    spec.dialect = self->dialect;
    spec.media_dir = self->media_dir;
    spec.media_pattern = self->media_pattern;
    BAL_TRY(bal_manifest_load_all(m, cli->args, cli->n_args, &spec, err));
    if (m->note && m->note[0]) bal_cli_note(cli, "%s", m->note);
    return BAL_OK;
}

/* ---- what is done ---- */
static BalStatus score(BalCli *cli, const BalManifest *m, BalError *err) {
    const Score *self = cli->self;
    BalCliRoom room = {cli, self->out, &bal_score_output};
    BalScoreSpec spec = bal_score_spec_default();
    BalScoreResult r;
    spec.scorer = self->scorer;
    spec.weights = self->weights;
    spec.classes = self->classes;
    spec.view = self->view;
    spec.categories = self->categories;
    spec.average = self->average;
    spec.backend = self->backend;
    spec.dtype = (BalDtype)self->dtype;
    spec.threads = cli->threads;
    spec.workers = self->workers ? (int)self->workers : 1 + cli->threads / 8;
    spec.top = (int)self->top;
    spec.stop_on_error = self->on_error == 1;
    spec.clip_limit_s = self->clip_limit_s;
    spec.room = (BalRoom){bal_cli_room, &room};
    bal_mem_keep();
    BAL_TRY(bal_score(m, &spec, self->out, cli->progress, &r, err));
    if (r.clips.resumed == r.clips.n)
        bal_cli_note(cli, "%s was complete already; -f makes it anew", self->out);
    else if (r.clips.resumed)
        bal_cli_note(cli, "continued after %lld clips", (long long)r.clips.resumed);
    if (!self->classes && !bal_is_dir(self->weights))
        bal_cli_warn(cli, "the weights do not say what their classes are called: columns have numbers; see --classes");
    if (cli->json)
        print_json(&cli->out, self, &r);
    else
        print_text(&cli->out, self, &r);
    return BAL_OK;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Score *self = cli->self;
    BalManifest m = {0};
    BalText ids = {0};
    bool media = false;
    if (!strcmp(self->scorer, "help")) {
        if (cli->json)
            list_json(&cli->out);
        else
            list_text(&cli->out);
        return BAL_OK;
    }
    if (!self->out) return BAL_FAIL(err, BAL_E_ARG, "say where the scores shall be: -o DIR");
    if (!self->weights) return BAL_FAIL(err, BAL_E_ARG, "say which weights to use: --weights FILE");
    if (!cli->n_args) return BAL_FAIL(err, BAL_E_ARG, "say which clips to score: a manifest, or media files");
    BalStatus rc = load_clips(cli, &m, &ids, &media, err);
    if (rc >= 0) rc = score(cli, &m, err);
    if (media)
        bal_free(m.clip);
    else
        bal_manifest_reset(&m);
    bal_text_reset(&ids);
    return rc;
}

static void more_help(BalText *out) {
    bal_text_add(out, "Scorers:\n");
    list_text(out);
}

#define AT(field) .offset = offsetof(Score, field)
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder for what is made (required)", AT(out)},
    {"scorer", 's', BAL_FLAG_STRING, "NAME", "the network; `help` lists them (required)", AT(scorer), .required = true},
    {"weights", 'w', BAL_FLAG_STRING, "FILE|RUN",
     "its weights: safetensors (import makes them of published checkpoints), or a run of train (required)",
     AT(weights)},
    {"classes", 0, BAL_FLAG_STRING, "FILE", "names of its classes, one per line (default: the run's, else numbers)",
     AT(classes)},
    {"view", 0, BAL_FLAG_STRING, "NAME", "how much of a clip is looked at; see below", AT(view)},
    {"average", 0, BAL_FLAG_ENUM, NULL,
     "what is averaged over positions or patches: probabilities, or what comes before the softmax", AT(average),
     .def = "auto", .choices = averages},
    {"categories", 0, BAL_FLAG_STRING, "NAME|FILE",
     "also write the confidence in each category of a table (see triage)", AT(categories)},
    {"top", 'k', BAL_FLAG_INT, "K", "most probable classes per clip in topk.csv", AT(top), .def = "5", .min = 0,
     .max = 100000},
    {"dtype", 0, BAL_FLAG_ENUM, NULL, "arithmetic of the network: bf16 takes half the time and costs some digits",
     AT(dtype), .def = "f32", .choices = dtypes},
    {"backend", 0, BAL_FLAG_STRING, "NAME", "who computes (default: the best of this build)", AT(backend)},
    {"workers", 0, BAL_FLAG_INT, "N",
     "clips decoded at once, beside --threads for the network (default: an eighth of them)", AT(workers), .min = 1,
     .max = 1024},
    {"dialect", 0, BAL_FLAG_STRING, "NAME", "form of the manifest where it cannot be told; see ingest", AT(dialect)},
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "folder of the media (default: the manifest's)", AT(media_dir)},
    {"media-pattern", 0, BAL_FLAG_STRING, "TEXT", "path of a clip's file, such as {label}/{id}.mp4", AT(media_pattern)},
    {"on-error", 0, BAL_FLAG_ENUM, NULL, "a clip that cannot be scored: record it and go on, or stop", AT(on_error),
     .def = "skip", .choices = on_error},
    {"clip-limit", 0, BAL_FLAG_REAL, "S", "seconds that decoding one clip may take", AT(clip_limit_s), .def = "60",
     .min = 0.1, .max = 86400},
    {0}};

const BalCommand bal_cmd_score = {
    .name = "score",
    .usage = "CLIPS... --scorer NAME --weights FILE -o DIR",
    .summary = "Score clips with a pretrained network",
    .details =
        "CLIPS are manifests, as ingest reads them, or media files. DIR gets probabilities.npy (clips x classes),\n"
        "ids.txt, classes.txt, topk.csv, categories.csv where asked for, rejected.csv and score.json; triage and\n"
        "calibrate read it. Clips that cannot be scored are rows of NaN, with their reason in DIR/rejected.csv.\n"
        "Interrupted, the same command continues and ends with the same bytes.",
    .min_args = 0,
    .max_args = -1,
    .flags = flags,
    .self_size = sizeof(Score),
    .run = run,
    .more_help = more_help,
};
