/* verify, kind lock: coverage per class and subset, and what differs. */
#include <avbalance/lock.h>
#include "base/json.h"
#include "cli/verify.h"

enum { SHOWN = 20 };

static bool differs(const BalLockCheck *c) {
    return c->count[BAL_LOCK_OK] < c->n || c->extra || c->recipe_differs[0];
}

static void add_groups(BalJsonOut *o, const char *key, const BalLockGroup *g, int n) {
    bal_json_open(o, key, '{');
    for (int k = 0; k < n; k++) {
        bal_json_open(o, g[k].name, '{');
        bal_json_add_int(o, "n", g[k].n);
        bal_json_add_int(o, "ok", g[k].ok);
        bal_json_close(o, '}');
    }
    bal_json_close(o, '}');
}

static void write_json(BalText *out, const BalLockCheck *c) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/verify/1");
    bal_json_add_text(&o, "kind", "lock");
    bal_json_add_bool(&o, "same", !differs(c));
    bal_json_add_int(&o, "n", c->n);
    for (int f = 0; f < BAL_LOCK_FINDINGS; f++)
        bal_json_add_int(&o, bal_lock_finding_name((BalLockFinding)f), c->count[f]);
    bal_json_add_int(&o, "not_locked", c->extra);
    bal_json_add_text(&o, "recipe", c->recipe_differs[0] ? c->recipe_differs : NULL);
    add_groups(&o, "classes", c->label, c->n_labels);
    add_groups(&o, "subsets", c->subset, c->n_subsets);
    bal_json_open(&o, "differs", '{');
    for (int64_t i = 0; i < c->n; i++)
        if (c->finding[i]) bal_json_add_text(&o, c->id[i], bal_lock_finding_name((BalLockFinding)c->finding[i]));
    bal_json_close(&o, '}');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void write_groups(BalText *out, const char *what, const BalLockGroup *g, int n) {
    bal_text_f(out, "%-28s %8s %8s\n", what, "locked", "same");
    for (int k = 0; k < n; k++)
        bal_text_f(out, "  %-26.60s %8lld %8lld%s\n", g[k].name, (long long)g[k].n, (long long)g[k].ok,
                   g[k].ok < g[k].n ? "  !" : "");
}

static void write_text(BalText *out, const BalLockCheck *c) {
    static const char *const what[BAL_LOCK_FINDINGS] = {"", "is missing", "has other content",
                                                        "is another in the manifest", "is another in the store"};
    write_groups(out, "class", c->label, c->n_labels);
    write_groups(out, "subset", c->subset, c->n_subsets);
    int shown = 0;
    for (int64_t i = 0; i < c->n; i++)
        if (c->finding[i] && shown++ < SHOWN) bal_text_f(out, "%s %s\n", c->id[i], what[c->finding[i]]);
    if (shown > SHOWN) bal_text_f(out, "... and %d more; --json lists all\n", shown - SHOWN);
    if (c->extra) bal_text_f(out, "%lld clips of the manifest are not in the lock\n", (long long)c->extra);
    if (c->recipe_differs[0]) bal_text_f(out, "%s\n", c->recipe_differs);
    bal_text_f(out, "%lld of %lld clips are the same\n", (long long)c->count[BAL_LOCK_OK], (long long)c->n);
}

BalStatus bal_verify_lock(BalCli *cli, const BalVerify *a, const char *path, BalError *err) {
    BalManifest m = {0};
    BalLockCheck c = {0};
    BalLockCheckSpec spec = {.media_dir = a->media_dir,
                             .store = a->store,
                             .no_media = a->no_media,
                             .threads = cli->threads,
                             .progress = cli->progress};
    BalStatus rc = BAL_OK;
    if (a->table || a->sources)
        return BAL_FAIL(err, BAL_E_ARG, "--scores and --sources are for selections; %s is a lock", path);
    if (a->manifest) {
        rc = bal_manifest_load(&m, a->manifest, NULL, err);
        spec.manifest = &m;
    }
    if (rc >= 0) rc = bal_lock_check(&c, path, &spec, err);
    if (rc >= 0) {
        if (cli->json)
            write_json(&cli->out, &c);
        else
            write_text(&cli->out, &c);
        rc = bal_cli_flush(cli, err);
    }
    if (rc >= 0 && differs(&c)) rc = BAL_FAIL(err, BAL_E_MISMATCH, "%s: this is not the locked dataset", path);
    bal_lock_check_reset(&c);
    bal_manifest_reset(&m);
    return rc;
}
