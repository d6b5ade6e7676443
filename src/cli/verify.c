/* avbalance verify: a file that states something about other files, checked against them. */
#include "cli/verify.h"

#include "base/json.h"

static const BalVerifyKind kinds[] = {{"avbalance/lock/", bal_verify_lock}};

static BalStatus run(BalCli *cli, BalError *err) {
    const char *path = cli->args[0];
    BalJson *json = NULL;
    BAL_TRY(bal_json_load(&json, path, err));
    const char *schema = bal_json_text(bal_json_get(json, "schema"), "");
    const BalVerifyKind *kind = NULL;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (bal_has_prefix(schema, kinds[k].schema)) kind = &kinds[k];
    if (!kind)
        BAL_FAIL(err, BAL_E_FORMAT, "%s: \"schema\" is \"%.60s\", which states nothing that can be verified", path,
                 schema);
    bal_json_free(&json);
    return kind ? kind->verify(cli, cli->self, path, err) : BAL_E_FORMAT;
}

#define AT(field) .offset = offsetof(BalVerify, field)
static const BalFlag flags[] = {
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "lock: folder of the media (default: the lock's)", AT(media_dir)},
    {"manifest", 0, BAL_FLAG_STRING, "FILE",
     "lock: it must have the same clips with the same labels, splits and sources", AT(manifest)},
    {"store", 0, BAL_FLAG_STRING, "STORE", "lock: its clips and its recipe must be those", AT(store)},
    {"no-media", 0, BAL_FLAG_SWITCH, NULL, "lock: do not read the media files", AT(no_media)},
    {0}};

const BalCommand bal_cmd_verify = {
    .name = "verify",
    .usage = "FILE",
    .summary = "Check a lock file against the data",
    .details = "FILE is recognised by its content:\n\n"
               "  lock          dataset.lock.json of `lock`: are these the same clips? With the coverage per class and "
               "subset.\n\n"
               "The exit code is 5 where anything differs.",
    .min_args = 1,
    .max_args = 1,
    .flags = flags,
    .self_size = sizeof(BalVerify),
    .run = run,
};
