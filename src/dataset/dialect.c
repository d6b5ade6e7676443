/* The table of dialects and how one is recognised: each says from the first two lines (or the whole JSON) whether a file could be
 * its own. One that is sure wins over those that see nothing against it; two of the same rank are the user's to decide. */
#include "dataset/manifest.h"
#include <string.h>

static const BalDialect *const table[] = {
    &bal_dialect_own,        &bal_dialect_table,       &bal_dialect_vggsound,
    &bal_dialect_vggsounder, &bal_dialect_crema_d,     &bal_dialect_kinetics_sounds,
    &bal_dialect_kinetics,   &bal_dialect_activitynet, &bal_dialect_id_json,
    &bal_dialect_ave,        &bal_dialect_ucf101,      &bal_dialect_pairs,
    &bal_dialect_ids,        &bal_dialect_folders,
};
enum { N_DIALECTS = sizeof table / sizeof *table };

int bal_dialect_count(void) {
    return N_DIALECTS;
}

const char *bal_dialect_name(int i, const char **summary) {
    if (i < 0 || i >= N_DIALECTS) return NULL;
    if (summary) *summary = table[i]->summary;
    return table[i]->name;
}

/* "a, b, c" of those that claim so much, or of all */
static void name_list(BalText *out, const BalClaim *claim, BalClaim least) {
    for (int i = 0; i < N_DIALECTS; i++)
        if (!claim || claim[i] == least) bal_text_f(out, "%s%s", out->len ? ", " : "", table[i]->name);
}

static BalStatus by_name(const BalDialect **out, const BalSniff *s, const char *name, BalError *err) {
    const char *names[N_DIALECTS];
    for (int i = 0; i < N_DIALECTS; i++) {
        names[i] = table[i]->name;
        if (strcmp(name, names[i]) != 0) continue;
        if (s->is_dir != (table[i] == &bal_dialect_folders))
            return BAL_FAIL(err, BAL_E_ARG, "%s is a %s, which dialect %s does not read", s->path,
                            s->is_dir ? "folder" : "file", name);
        *out = table[i];
        return BAL_OK;
    }
    const char *close = bal_closest(name, names, N_DIALECTS);
    BalText all = {0};
    name_list(&all, NULL, BAL_CLAIM_NO);
    BAL_FAIL(err, BAL_E_ARG, "there is no manifest dialect '%s'%s%s%s; there are %s", name,
             close ? ": did you mean '" : "", close ? close : "", close ? "'?" : "", bal_text_str(&all));
    bal_text_reset(&all);
    return BAL_E_ARG;
}

BalStatus bal_dialect_find(const BalDialect **out, const BalSniff *s, const char *name, BalError *err) {
    if (name) return by_name(out, s, name, err);
    BalClaim claim[N_DIALECTS], best = BAL_CLAIM_NO;
    int n = 0;
    for (int i = 0; i < N_DIALECTS; i++) {
        claim[i] = s->is_dir == (table[i] == &bal_dialect_folders) ? table[i]->claim(s) : BAL_CLAIM_NO;
        if (claim[i] == BAL_CLAIM_NO || claim[i] < best) continue;
        n = claim[i] > best ? 1 : n + 1;
        best = claim[i];
        if (n == 1) *out = table[i];
    }
    if (n == 1) return BAL_OK;
    BalText names = {0};
    name_list(&names, n ? claim : NULL, best);
    int shown = (int)(s->line[0].n < 60 ? s->line[0].n : 60);
    BalStatus rc =
        n ? BAL_FAIL(err, BAL_E_FORMAT, "%s: the manifest could be %s: choose with --dialect NAME", s->path,
                     bal_text_str(&names))
          : BAL_FAIL(err, BAL_E_FORMAT,
                     "%s: no manifest dialect is recognised from its first line '%.*s' (there are %s; ours has "
                     "the header id,media,label,split): choose with --dialect NAME",
                     s->path, shown, s->line[0].s, bal_text_str(&names));
    bal_text_reset(&names);
    return rc;
}
