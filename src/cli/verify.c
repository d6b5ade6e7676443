/* avbalance verify: a file that states something about other files, checked against them. */
#include "cli/verify.h"

#include "base/file.h"
#include "base/json.h"

static const BalVerifyKind kinds[] = {{"avbalance/lock/", "dataset.lock.json", bal_verify_lock},
                                      {"avbalance/certificate/", "certificate.json", bal_verify_selection}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Of a folder the file that can be verified. */
static BalStatus find_file(BalText *out, const char *path, BalError *err) {
    for (int k = 0; k < KINDS && bal_is_dir(path); k++) {
        bal_text_clear(out);
        bal_path_join(out, path, kinds[k].file);
        BAL_TRY(bal_text_ok(out, err));
        if (bal_file_exists(out->data)) return BAL_OK;
    }
    if (bal_is_dir(path))
        return BAL_FAIL(
            err, BAL_E_FORMAT,
            "%s: has nothing to verify: no dataset.lock.json of `lock`, no certificate.json of `select --certificate`",
            path);
    bal_text_add(out, path);
    return bal_text_ok(out, err);
}

static BalStatus verify_file(BalCli *cli, const char *path, BalError *err) {
    BalJson *json = NULL;
    BAL_TRY(bal_json_load(&json, path, err));
    const char *schema = bal_json_text(bal_json_get(json, "schema"), "");
    const BalVerifyKind *kind = NULL;
    for (int k = 0; k < KINDS; k++)
        if (bal_has_prefix(schema, kinds[k].schema)) kind = &kinds[k];
    if (!kind)
        BAL_FAIL(err, BAL_E_FORMAT, "%s: \"schema\" is \"%.60s\", which states nothing that can be verified", path,
                 schema);
    bal_json_free(&json);
    return kind ? kind->verify(cli, cli->self, path, err) : BAL_E_FORMAT;
}

static BalStatus run(BalCli *cli, BalError *err) {
    BalText path = {0};
    BalStatus rc = find_file(&path, cli->args[0], err);
    if (rc >= 0) rc = verify_file(cli, path.data, err);
    bal_text_reset(&path);
    return rc;
}

#define AT(field) .offset = offsetof(BalVerify, field)
static const BalFlag flags[] = {
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "lock: folder of the media (default: the lock's)", AT(media_dir)},
    {"manifest", 0, BAL_FLAG_STRING, "FILE",
     "lock: it must have the same clips with the same labels, splits, sources and times", AT(manifest)},
    {"store", 0, BAL_FLAG_STRING, "STORE", "lock: its clips and its recipe must be those", AT(store)},
    {"no-media", 0, BAL_FLAG_SWITCH, NULL, "lock: do not read the media files", AT(no_media)},
    {"scores", 0, BAL_FLAG_STRING, "SCORES", "selection: the table it was made from, to count all of it again",
     AT(table)},
    {"sources", 0, BAL_FLAG_STRING, "FILE", "selection: CSV with id and source, where SCORES has no such column",
     AT(sources)},
    BAL_SCORES_FLAG(BalVerify, source, "source-column", "column of SCORES that holds the source"),
    BAL_SCORES_FLAGS(BalVerify),
    {0}};

const BalCommand bal_cmd_verify = {
    .name = "verify",
    .usage = "DIR|FILE",
    .summary = "Check a lock file, or a selection, against the data",
    .details =
        "FILE is recognised by its content:\n\n"
        "  lock          dataset.lock.json of `lock`: are these the same clips? With the coverage per class and "
        "subset.\n"
        "  selection     certificate.json of `select --certificate`: by additions alone, does it keep all limits, "
        "is there\n"
        "                really no larger one (with a --budget only: at its level), are its lists those that were "
        "written?\n"
        "                With --scores: are these the numbers of clips, and does it keep the clips with the smallest "
        "keys?\n\n"
        "In place of a file, the folder that holds it will do. "
        "The exit code is 5 where anything differs.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(BalVerify),
    .run = run,
};
