/* avbalance ingest: a manifest's clips, decoded once, as a store. */
#include <stdio.h>
#include <string.h>
#include <avbalance/dataset.h>
#include <avbalance/train.h>
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "dataset/store_files.h"

typedef struct Ingest {
    const char *out, *recipe, *dialect, *classes, *media_dir, *media_pattern;
    BalList set;
    int64_t workers;
    int on_error, split;
    double val_share, clip_limit_s, shard_mb;
} Ingest;

static const char *const on_error[] = {"skip", "stop", NULL};
static const char *const splits[] = {"auto", "train", "val", "test", NULL};

/* ---- what is printed ---- */

static void print_json(BalText *out, const Ingest *self, const BalManifest *m, const BalStore *s,
                       const BalIngestResult *r, const int64_t *in_split) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/ingest/1");
    bal_json_add_text(&o, "store", self->out);
    bal_json_add_text(&o, "hash", bal_store_hash(s));
    bal_json_add_text(&o, "dialect", m->dialect);
    bal_json_add_int(&o, "n", r->n);
    bal_json_add_int(&o, "stored", r->stored);
    bal_json_add_int(&o, "rejected", r->rejected);
    bal_json_add_int(&o, "resumed", r->resumed);
    bal_json_open(&o, "reasons", '[');
    for (int i = 0; i < r->n_reasons; i++) {
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "reason", r->reason[i].text);
        bal_json_add_int(&o, "n", r->reason[i].n);
        bal_json_close(&o, '}');
    }
    bal_json_close(&o, ']');
    bal_json_open(&o, "splits", '{');
    for (int k = 0; k < BAL_SPLIT_COUNT; k++) bal_json_add_int(&o, bal_split_name((BalSplit)k), in_split[k]);
    bal_json_close(&o, '}');
    bal_json_add_int(&o, "classes", bal_store_n_classes(s));
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void print_text(BalText *out, const Ingest *self, const BalStore *s, const BalIngestResult *r,
                       const int64_t *in_split) {
    bal_text_f(out, "%s: %lld of %lld clips stored, %d classes;", self->out, (long long)r->stored, (long long)r->n,
               bal_store_n_classes(s));
    for (int k = 0; k < BAL_SPLIT_COUNT; k++)
        bal_text_f(out, " %s %lld", bal_split_name((BalSplit)k), (long long)in_split[k]);
    bal_text_char(out, '\n');
    if (!r->rejected) return;
    bal_text_f(out, "%lld rejected; each stands with its reason in %s/rejected.csv\n", (long long)r->rejected,
               self->out);
    for (int i = 0; i < r->n_reasons; i++) bal_text_f(out, "%8lld  %s\n", (long long)r->reason[i].n, r->reason[i].text);
}

static BalStatus print(BalCli *cli, const BalManifest *m, const BalIngestResult *r, BalError *err) {
    const Ingest *self = cli->self;
    BalStore *s = NULL;
    int64_t in_split[BAL_SPLIT_COUNT] = {0};
    BAL_TRY(bal_store_open(&s, self->out, err));
    for (int64_t i = 0; i < bal_store_count(s); i++)
        if (bal_store_split(s, i) >= 0) in_split[bal_store_split(s, i)]++;
    if (cli->json)
        print_json(&cli->out, self, m, s, r, in_split);
    else
        print_text(&cli->out, self, s, r, in_split);
    bal_store_close(&s);
    return BAL_OK;
}

static void print_dialects(BalText *out, bool json) {
    BalJsonOut o = {0};
    if (json) {
        o = bal_json_document(out, true, "avbalance/dialects/1");
        bal_json_open(&o, "dialects", '[');
    }
    for (int i = 0; i < bal_dialect_count(); i++) {
        const char *summary, *name = bal_dialect_name(i, &summary);
        if (!json) {
            bal_text_f(out, "%-20s %s\n", name, summary);
            continue;
        }
        bal_json_open(&o, NULL, '{');
        bal_json_add_text(&o, "name", name);
        bal_json_add_text(&o, "summary", summary);
        bal_json_close(&o, '}');
    }
    if (!json) return;
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

/* A store may hold clips without a label, or of one class, but training refuses it: better said before hours of decoding. */
static void tell_labels(const BalCli *cli, const BalManifest *m) {
    int64_t n = 0, first = 0;
    for (int64_t i = m->n - 1; i >= 0; i--)
        if (m->clip[i].label < 0) {
            first = i;
            n++;
        }
    if (n)
        bal_cli_warn(cli, "%lld of %lld clips have no label, first: %s (line %lld of the manifest); training needs one",
                     (long long)n, (long long)m->n, m->clip[first].id, (long long)m->clip[first].line);
    if (m->n_classes == 1)
        bal_cli_warn(cli, "every clip has the label %s: is that column the label? training needs two at least",
                     m->classes[0]);
}

/* ---- what is done ---- */

static BalStatus ingest(BalCli *cli, const BalManifest *m, const BalFeatureRecipe *recipe, BalError *err) {
    const Ingest *self = cli->self;
    BalCliRoom room = {cli, self->out, &bal_store_output};
    BalIngestSpec spec = bal_ingest_spec_default();
    BalIngestResult r = {0};
    spec.workers = self->workers ? (int)self->workers : cli->threads;
    spec.stop_on_error = self->on_error == 1;
    spec.clip_limit_s = self->clip_limit_s;
    spec.val_share = self->val_share;
    spec.seed = (uint64_t)cli->seed;
    spec.shard_bytes = (int64_t)(self->shard_mb * (1 << 20));
    spec.room = (BalRoom){bal_cli_room, &room};
    bal_mem_keep();
    BAL_TRY(bal_ingest(m, recipe, &spec, self->out, cli->progress, &r, err));
    if (r.resumed == r.n)
        bal_cli_note(cli, "%s was complete already; -f makes it anew", self->out);
    else if (r.resumed)
        bal_cli_note(cli, "continued after %lld clips", (long long)r.resumed);
    return print(cli, m, &r, err);
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Ingest *self = cli->self;
    if (self->dialect && !strcmp(self->dialect, "help")) {
        print_dialects(&cli->out, cli->json);
        return BAL_OK;
    }
    if (!self->out) return BAL_FAIL(err, BAL_E_ARG, "say where the store shall be: -o STORE");
    if (!cli->n_args) return BAL_FAIL(err, BAL_E_ARG, "say which manifest to read; `avbalance ingest --help` explains");
    BalRecipe recipe = bal_recipe_default(); /* a whole one may be given: only its audio.* and visual.* count here */
    BAL_TRY(bal_recipe_load(&recipe, self->recipe, self->set.v, self->set.n, err));
    BalManifestSpec spec = bal_manifest_spec_default();
    spec.dialect = self->dialect;
    spec.classes = self->classes;
    spec.media_dir = self->media_dir;
    spec.media_pattern = self->media_pattern;
    spec.split = (BalSplit)(self->split - 1);
    BalManifest m = {0};
    BAL_TRY(bal_manifest_load_all(&m, cli->args, cli->n_args, &spec, err));
    if (m.note && m.note[0]) bal_cli_note(cli, "%s", m.note);
    tell_labels(cli, &m);
    BalStatus rc = ingest(cli, &m, &recipe.feature, err);
    bal_manifest_reset(&m);
    return rc;
}

static void more_help(BalText *out) {
    bal_text_add(out, "Keys of a recipe (--set KEY=VALUE):\n");
    bal_options_help(bal_feature_options(), out);
}

#define AT(field) .offset = offsetof(Ingest, field)
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "STORE", "folder of the store (required)", AT(out)},
    {"recipe", 'r', BAL_FLAG_STRING, "NAME|FILE",
     "a recipe of this build (see `recipes`) or a YAML file; its audio.* and visual.* say what is kept of a clip",
     AT(recipe)},
    {"set", 's', BAL_FLAG_LIST, "KEY=VALUE", "override one value of the recipe", AT(set)},
    {"workers", 'w', BAL_FLAG_INT, "N", "clips decoded at once (default: --threads)", AT(workers), .min = 1,
     .max = 1024},
    {"dialect", 0, BAL_FLAG_STRING, "NAME", "form of the manifest where it cannot be told; `help` lists them",
     AT(dialect)},
    {"classes", 0, BAL_FLAG_STRING, "FILE", "class list, where the manifest needs one", AT(classes)},
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "folder of the media (default: the manifest's)", AT(media_dir)},
    {"media-pattern", 0, BAL_FLAG_STRING, "TEXT", "path of a clip's file, such as {label}/{id}.mp4", AT(media_pattern)},
    {"split", 0, BAL_FLAG_ENUM, NULL, "split of clips whose manifest names none", AT(split), .def = "auto",
     .choices = splits},
    {"val-share", 0, BAL_FLAG_REAL, NULL, "share of train held out where there is no val; whole sources; 0: none",
     AT(val_share), .def = "0.1", .min = 0, .max = 0.9},
    {"on-error", 0, BAL_FLAG_ENUM, NULL, "a clip that cannot be used: record it and go on, or stop", AT(on_error),
     .def = "skip", .choices = on_error},
    {"clip-limit", 0, BAL_FLAG_REAL, "S", "seconds that one clip may take", AT(clip_limit_s), .def = "60", .min = 0.1,
     .max = 86400},
    {"shard-mb", 0, BAL_FLAG_REAL, "MIB", "size of a shard", AT(shard_mb), .def = "256", .min = 0.001, .max = 65536},
    {0}};

const BalCommand bal_cmd_ingest = {
    .name = "ingest",
    .usage = "MANIFEST... -o STORE",
    .summary = "Decode every clip once and store what networks see of it",
    .details =
        "A manifest is a CSV file (id,media,label,split[,start,duration,source]), one of the known annotation forms\n"
        "(--dialect help), or a folder with one folder per class; several are read as one. The store is a folder of\n"
        "WebDataset tar shards with an index. Clips that cannot be used stand with their reason in\n"
        "STORE/rejected.csv. Interrupted, the same command continues and ends with the same bytes.",
    .min_args = 0,
    .max_args = -1,
    .flags = flags,
    .self_size = sizeof(Ingest),
    .run = run,
    .more_help = more_help,
};
