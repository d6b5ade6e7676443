/* avbalance duplicates: clips that show and sound the same. */
#include <avbalance/duplicates.h>
#include <string.h>
#include "analysis/predictions.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"

typedef struct Duplicates {
    const char *out, *keep, *labelled, *dialect, *classes, *media_dir, *media_pattern;
    BalList against;
    int64_t frames, bits, workers;
    double bit_error, overlap_s, near_s, limit_s;
    bool strict;
} Duplicates;

/* ---- what is printed ---- */

static void print_json(BalText *out, const char *dir, const BalDuplicatesResult *r) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/duplicates/1");
    bal_json_add_text(&o, "dir", dir);
    bal_json_add_int(&o, "n", r->n);
    bal_json_add_int(&o, "kept", r->kept);
    bal_json_add_int(&o, "removed", r->removed);
    bal_json_add_int(&o, "groups", r->groups);
    bal_json_open(&o, "pairs", '{');
    for (int k = 0; k < BAL_SAME_KINDS; k++) bal_json_add_int(&o, bal_same_name((BalSameKind)k), r->pairs[k]);
    bal_json_close(&o, '}');
    bal_json_add_int(&o, "leaks", r->leaks);
    bal_json_add_int(&o, "unusable", r->unusable);
    bal_json_add_int(&o, "resumed", r->resumed);
    bal_json_add_int(&o, "against", r->against);
    bal_json_add_int(&o, "against_unknown", r->unknown);
    bal_json_add_int(&o, "against_by_place", r->by_place);
    bal_json_add_int(&o, "unplaced", r->unplaced);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void print_text(BalText *out, const char *dir, const BalDuplicatesResult *r) {
    static const char *const what[] = {"the same file", "of one stretch of a video", "picture and sound alike",
                                       "only the picture alike: kept", "only the sound alike: kept"};
    bal_text_f(out, "%s: %lld of %lld clips stay; %lld groups of duplicates\n", dir, (long long)r->kept,
               (long long)r->n, (long long)r->groups);
    for (int k = 0; k < BAL_SAME_KINDS; k++)
        if (r->pairs[k]) bal_text_f(out, "%8lld pairs  %s\n", (long long)r->pairs[k], what[k]);
}

/* ---- what is done ---- */

static BalStatus read_ids(BalLines *lines, const char *path, const char *const **ids, int64_t *n, BalError *err) {
    if (!path) return BAL_OK;
    BAL_TRY(bal_lines_read(lines, path, err));
    bal_lines_pack(lines);
    *ids = lines->line;
    *n = lines->n;
    return BAL_OK;
}

/* A folder of `clip` stands for the manifest in it. */
static BalStatus manifest_path(BalText *out, const char *arg, BalError *err) {
    bal_path_join(out, arg, "manifest.csv");
    BAL_TRY(bal_text_ok(out, err));
    if (bal_is_dir(arg) && bal_file_exists(out->data)) return BAL_OK;
    bal_text_clear(out);
    bal_text_add(out, arg);
    return bal_text_ok(out, err);
}

/* The output may not stand where the input lies: its manifest would take the other's place. */
static BalStatus check_out(const BalCli *cli, const char *manifest, BalError *err) {
    const Duplicates *self = cli->self;
    BalText path = {0}, prints = {0};
    bal_path_join(&path, self->out, "manifest.csv");
    bal_path_join(&prints, self->out, "fingerprints.jsonl");
    BalStatus rc = bal_text_ok(&path, err);
    if (rc == BAL_OK) rc = bal_text_ok(&prints, err);
    if (rc == BAL_OK && bal_file_exists(path.data) && !bal_file_exists(prints.data))
        rc = BAL_FAIL(err, BAL_E_EXISTS,
                      "%s holds a manifest that is not of `duplicates` (is it the input?): give another folder",
                      self->out);
    if (rc == BAL_OK && !strcmp(path.data, manifest))
        rc = BAL_FAIL(err, BAL_E_ARG, "%s cannot be read and written at once: give another folder", manifest);
    bal_text_reset(&path);
    bal_text_reset(&prints);
    return rc;
}

static BalStatus search(BalCli *cli, const BalManifest *m, BalDuplicatesSpec *spec, BalError *err) {
    const Duplicates *self = cli->self;
    BalDuplicatesResult r = {0};
    BalLines keep = {0}, labelled = {0};
    BalManifest *against = NULL; /* each relative to its own folder */
    BalStatus rc;
    BAL_TRY_OR(done, read_ids(&keep, self->keep, &spec->keep, &spec->n_keep, err));
    BAL_TRY_OR(done, read_ids(&labelled, self->labelled, &spec->labelled, &spec->n_labelled, err));
    BAL_TRY_OR(done, bal_alloc(&against, (size_t)self->against.n, sizeof *against, err));
    for (int i = 0; i < self->against.n; i++)
        BAL_TRY_OR(done, bal_manifest_load(&against[i], self->against.v[i], NULL, err));
    spec->against = against, spec->n_against = self->against.n;
    BAL_TRY_OR(done, bal_duplicates_find(m, spec, self->out, cli->progress, &r, err));
    if (cli->json)
        print_json(&cli->out, self->out, &r);
    else
        print_text(&cli->out, self->out, &r);
    if (r.unusable)
        bal_cli_warn(cli, "%lld clips gave no fingerprint and stay; `avbalance probe` says why", (long long)r.unusable);
    if (r.unknown)
        bal_cli_warn(cli,
                     "%lld of %lld clips of --against have no file that decodes and no known place in a video (an id "
                     "with video and time, or source and start): nothing was compared with them",
                     (long long)r.unknown, (long long)r.against);
    if (r.unplaced)
        bal_cli_warn(cli,
                     "%lld of %lld clips have no known place in a video: they were not compared with %lld clips of "
                     "--against that have no file that decodes",
                     (long long)r.unplaced, (long long)r.n, (long long)r.by_place);
    if (r.leaks)
        bal_cli_warn(
            cli,
            "%lld times clips of one source lie in two splits (%s/leaks.csv): give all clips of a source one split",
            (long long)r.leaks, self->out);
    if (r.leaks && self->strict) {
        BAL_TRY_OR(done, bal_cli_flush(cli, err));
        rc = BAL_FAIL(err, BAL_E_MISMATCH, "sources lie in two splits, which --strict forbids");
    }
done:
    bal_lines_reset(&keep);
    bal_lines_reset(&labelled);
    for (int i = 0; against && i < self->against.n; i++) bal_manifest_reset(&against[i]);
    bal_free(against);
    return rc;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Duplicates *self = cli->self;
    BalDuplicatesSpec spec = bal_duplicates_spec_default();
    BalManifestSpec lists = bal_manifest_spec_default();
    BalManifest m = {0};
    BalText path = {0};
    lists.dialect = self->dialect, lists.classes = self->classes;
    lists.media_dir = self->media_dir, lists.media_pattern = self->media_pattern;
    spec.workers = self->workers ? (int)self->workers : cli->threads;
    spec.frames = (int)self->frames, spec.frame_bits = (int)self->bits;
    spec.bit_error = self->bit_error, spec.overlap_s = self->overlap_s, spec.near_s = self->near_s;
    spec.limit_s = self->limit_s;
    spec.seed = (uint64_t)cli->seed;
    BalStatus rc = manifest_path(&path, cli->args[0], err);
    if (rc == BAL_OK) rc = check_out(cli, path.data, err);
    if (rc == BAL_OK) rc = bal_manifest_load(&m, path.data, &lists, err);
    if (rc == BAL_OK && m.note && m.note[0]) bal_cli_note(cli, "%s", m.note);
    if (rc == BAL_OK) rc = search(cli, &m, &spec, err);
    bal_manifest_reset(&m);
    bal_text_reset(&path);
    return rc;
}

#define AT(field) .offset = offsetof(Duplicates, field)
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder of the tables and of the manifest of what stays (required)", AT(out),
     .required = true},
    {"keep", 0, BAL_FLAG_STRING, "FILE", "ids that must stay, one per line", AT(keep)},
    {"labelled", 0, BAL_FLAG_STRING, "FILE", "ids whose labels people gave: of a group they stay rather than others",
     AT(labelled)},
    {"against", 0, BAL_FLAG_LIST, "LIST",
     "another dataset, such as a benchmark: what is a duplicate of a clip of it goes; its files are read where they "
     "are there",
     AT(against)},
    {"frames", 0, BAL_FLAG_INT, "N", "pictures of 8 that must agree", AT(frames), .def = "6", .min = 1, .max = 8},
    {"bits", 0, BAL_FLAG_INT, "N", "of 64 that may differ where pictures agree", AT(bits), .def = "8", .min = 0,
     .max = 31},
    {"bit-error", 0, BAL_FLAG_REAL, NULL, "share of a sound's bits from which it is another", AT(bit_error),
     .def = "0.15", .min = 0, .max = 0.5},
    {"overlap", 0, BAL_FLAG_REAL, "S", "seconds of sound that must agree", AT(overlap_s), .def = "5", .min = 0.5,
     .max = 600},
    {"near", 0, BAL_FLAG_REAL, "S",
     "clips of one video that begin nearer, or before the earlier one ends if that is nearer, are of one stretch",
     AT(near_s), .def = "10", .min = 0, .max = 86400},
    {"strict", 0, BAL_FLAG_SWITCH, NULL, "exit with 5 where a source lies in two splits", AT(strict)},
    {"limit", 0, BAL_FLAG_REAL, "S", "seconds that one clip may take", AT(limit_s), .def = "60", .min = 0.1,
     .max = 86400},
    {"workers", 'w', BAL_FLAG_INT, "N", "clips decoded at once (default: --threads)", AT(workers), .min = 1,
     .max = 1024},
    {"dialect", 0, BAL_FLAG_STRING, "NAME", "form of the manifest where it cannot be told (see ingest)", AT(dialect)},
    {"classes", 0, BAL_FLAG_STRING, "FILE", "class list, where the manifest needs one", AT(classes)},
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "folder of the media (default: the manifest's)", AT(media_dir)},
    {"media-pattern", 0, BAL_FLAG_STRING, "TEXT", "path of a clip's file, such as {label}/{id}.mp4", AT(media_pattern)},
    {0}};

const BalCommand bal_cmd_duplicates = {
    .name = "duplicates",
    .usage = "MANIFEST|CLIPS -o DIR",
    .summary = "Find clips that show and sound the same, and keep one of each",
    .details =
        "Duplicates are the same file, clips of one video that begin less than 10 s apart (or than the earlier one is\n"
        "long; by id, by source and start, or in one file), and clips whose picture and sound both agree, though\n"
        "coded anew, scaled, mirrored or shifted. Only the picture, or only the sound, is told in pairs.csv and "
        "removes\n"
        "nothing. Of each group one stays: a clip of --against, of --keep, of --labelled, else the one of the lowest\n"
        "key. DIR gets manifest.csv (what stays, for ingest), rejects.csv, pairs.csv, groups.csv, leaks.csv (sources "
        "in\n"
        "two splits), and fingerprints.jsonl, so that the next call has only new clips to decode.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Duplicates),
    .run = run,
};
