/* verify, kind selection: what holds, by itself, beside its lists and beside its table. */
#include <avbalance/select.h>
#include "base/json.h"
#include "cli/verify.h"

static void write_json(BalText *out, const BalSelectCheck *c) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/verify/1");
    bal_json_add_text(&o, "kind", "selection");
    bal_json_add_bool(&o, "same", true);
    bal_json_add_int(&o, "n", c->rows);
    bal_json_add_int(&o, "kept", c->kept);
    bal_json_add_bool(&o, "possible", c->possible);
    bal_json_add_bool(&o, "optimal", c->optimal);
    bal_json_add_bool(&o, "clips_checked", c->clips);
    bal_json_add_bool(&o, "table_checked", c->table);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void write_text(BalText *out, const BalSelectCheck *c) {
    if (c->possible)
        bal_text_f(out, "%lld of %lld clips are kept within all limits%s\n", (long long)c->kept, (long long)c->rows,
                   c->optimal ? ", and no more can be" : "");
    else
        bal_text_f(out, "no clip of %lld is kept%s\n", (long long)c->rows, c->optimal ? ", and none can be" : "");
    bal_text_add(out, c->clips ? "the lists of clips are those that were written\n"
                               : "there are no lists of clips beside it\n");
    if (!c->table)
        bal_text_add(out, "the table was not looked at; name it with --scores to count it again\n");
    else
        bal_text_add(out, c->clips ? "the table has these clips, and those with the smallest keys are kept\n"
                                   : "the table has these numbers of clips\n");
}

BalStatus bal_verify_selection(BalCli *cli, const BalVerify *f, const char *path, BalError *err) {
    BalScoresSpec scores = bal_scores_flags_spec(&f->scores, cli);
    BalSelectCheck c;
    if (f->media_dir || f->manifest || f->store || f->no_media)
        return BAL_FAIL(err, BAL_E_ARG,
                        "--media-dir, --manifest, --store and --no-media are for locks; %s is a selection", path);
    scores.source = f->source;
    BAL_TRY(bal_select_verify(&c, path, f->table, &scores, f->sources, err));
    if (cli->json)
        write_json(&cli->out, &c);
    else
        write_text(&cli->out, &c);
    return BAL_OK;
}
