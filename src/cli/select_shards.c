/* The steps of `select` for tables in shards. */
#include <stdio.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/select.h"
#include "curate/selection.h"

static BalStatus read_shard(BalShard *out, const char *text, BalError *err) {
    int used = 0;
    if (sscanf(text, "%7d/%7d%n", &out->index, &out->n, &used) == 2 && !text[used] && out->index >= 1 &&
        out->index <= out->n)
        return BAL_OK;
    return BAL_FAIL(err, BAL_E_ARG, "--shard %s: give I/N, such as 3/8 for the third of eight", text);
}

static BalStatus one_shard(BalCli *cli, const BalSelectSpec *spec, BalError *err) {
    const SelectArgs *a = cli->self;
    BalScoresSpec scores = bal_scores_flags_spec(&a->scores, cli);
    BalShard shard;
    scores.source = a->source;
    BAL_TRY(read_shard(&shard, a->shard, err));
    if (!a->counts == !a->picks || !a->picks == (a->quotas != NULL) || cli->n_args != 1 || a->out)
        return BAL_FAIL(err, BAL_E_ARG,
                        "a shard is one table, with --counts FILE, or with --quotas FILE and --picks FILE");
    const char *path = a->counts ? a->counts : a->picks;
    BAL_TRY(bal_cli_may_write(cli, path, err));
    if (a->counts)
        BAL_TRY(bal_shard_count(cli->args[0], &scores, spec, shard, path, err));
    else
        BAL_TRY(bal_shard_pick(cli->args[0], &scores, spec, shard, a->quotas, a->wide, path, err));
    if (cli->json) {
        BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/select-shard/1");
        bal_json_add_int(&o, "shard", shard.index);
        bal_json_add_int(&o, "shards", shard.n);
        bal_json_add_text(&o, a->counts ? "counts" : "picks", path);
        bal_json_close(&o, '}');
        bal_text_char(&cli->out, '\n');
    } else {
        bal_text_f(&cli->out, "%s of shard %d of %d: %s\n", a->counts ? "counts" : "clips", shard.index, shard.n, path);
    }
    return BAL_OK;
}

static BalStatus merge_counts(BalCli *cli, const BalSelectSpec *spec, BalSelectResult *s, BalError *err) {
    const SelectArgs *a = cli->self;
    BAL_TRY(bal_cli_may_write(cli, a->quotas, err));
    BAL_TRY(bal_shard_quotas(s, cli->args, cli->n_args, spec, a->quotas, err));
    if (cli->json) {
        bal_selection_json(s, NULL, &cli->out);
        return BAL_OK;
    }
    bal_select_head(&cli->out, s);
    bal_text_f(&cli->out, "quotas: %s\n", a->quotas);
    return BAL_OK;
}

static BalStatus merge_picks(BalCli *cli, BalSelectResult *s, BalError *err) {
    const SelectArgs *a = cli->self;
    BAL_TRY(bal_cli_may_write_in(cli, a->out, bal_selection_files, err));
    BAL_TRY(bal_shard_merge(s, cli->args, cli->n_args, a->quotas, err));
    BAL_TRY(bal_selection_save(s, NULL, a->out, a->certificate, err));
    if (cli->json)
        bal_selection_json(s, NULL, &cli->out);
    else
        bal_select_text(&cli->out, s, &(BalSelectMore){0}, a->out);
    return BAL_OK;
}

BalStatus bal_select_shards(BalCli *cli, const BalSelectSpec *spec, BalError *err) {
    const SelectArgs *a = cli->self;
    BalSelectResult s = {0};
    if (a->frontier.n || a->shortage || a->rejects || a->edges)
        return BAL_FAIL(err, BAL_E_ARG, "--frontier, --shortage, --rejects and --edges are not for shards");
    if (a->shard && a->merge) return BAL_FAIL(err, BAL_E_ARG, "--shard is for one shard, --merge for what came of all");
    if (a->shard) return one_shard(cli, spec, err);
    if (!a->quotas || a->counts || a->picks)
        return BAL_FAIL(err, BAL_E_ARG,
                        "--merge needs --quotas FILE: written from counts, or with -o DIR read, for clips");
    BalStatus rc = a->out ? merge_picks(cli, &s, err) : merge_counts(cli, spec, &s, err);
    bal_selection_reset(&s);
    return rc;
}
