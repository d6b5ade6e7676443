/* avbalance lock: a dataset written down so that others can check that theirs is the same. */
#include <avbalance/lock.h>
#include "base/json.h"
#include "cli/command.h"

typedef struct Lock {
    const char *out, *table, *store, *media_dir;
} Lock;

static void print(BalCli *cli, const Lock *a, const BalLockResult *r) {
    if (!cli->json) {
        bal_text_f(&cli->out, "%s: %lld clips, %.1f MB of media, hash %s\n", a->out, (long long)r->n,
                   (double)r->media_bytes / 1e6, r->hash);
        return;
    }
    BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/locked/1");
    bal_json_add_text(&o, "lock", a->out);
    bal_json_add_int(&o, "n", r->n);
    bal_json_add_int(&o, "media_bytes", r->media_bytes);
    bal_json_add_text(&o, "hash", r->hash);
    bal_json_close(&o, '}');
    bal_text_char(&cli->out, '\n');
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Lock *a = cli->self;
    const BalLockSpec spec = {.table = a->table, .store = a->store, .threads = cli->threads, .progress = cli->progress};
    BalManifestSpec manifest = bal_manifest_spec_default();
    BalManifest m = {0};
    BalLockResult r;
    manifest.media_dir = a->media_dir;
    BAL_TRY(bal_cli_may_write(cli, a->out, err));
    BAL_TRY(bal_manifest_load(&m, cli->args[0], &manifest, err));
    BalStatus rc = bal_lock_write(&m, &spec, a->out, &r, err);
    bal_manifest_reset(&m);
    if (rc >= 0) print(cli, a, &r);
    return rc;
}

#define AT(field) .offset = offsetof(Lock, field)
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "FILE", "the lock", AT(out), .def = "dataset.lock.json"},
    {"table", 0, BAL_FLAG_STRING, "FILE", "CSV or TSV with the column id, and licence or pref (a, v, =) of clips",
     AT(table)},
    {"store", 0, BAL_FLAG_STRING, "STORE", "store made of these clips: its hash and its recipe are locked too",
     AT(store)},
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "folder of the media (default: the manifest's)", AT(media_dir)},
    {0}};

const BalCommand bal_cmd_lock = {
    .name = "lock",
    .usage = "MANIFEST [-o dataset.lock.json]",
    .summary = "Write down a dataset, so that others can check theirs",
    .details =
        "The lock names every clip with the SHA-256 of its media file, what is in it, label, split, source video and\n"
        "licence; nothing of time, host or place. `avbalance verify dataset.lock.json` compares. A file\n"
        "that is missing or cannot be decoded is refused: leave its clip out of MANIFEST.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(Lock),
    .run = run,
};
