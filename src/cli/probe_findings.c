/* Names of findings in and out; shared by probe and clip. */
#include <math.h>
#include <string.h>
#include "cli/findings.h"

static BalStatus parse_one(const char *word, const char *flag, uint64_t *mask, BalError *err) {
    const char *name[BAL_FIND_COUNT + 3];
    int n = 0;
    for (; n < BAL_FIND_COUNT; n++) name[n] = bal_finding_name((BalFinding)n);
    name[n++] = "unusable", name[n++] = "unfit", name[n++] = "none";
    int f = 0;
    while (f < n && strcmp(name[f], word) != 0) f++;
    if (f == n) {
        const char *close = bal_closest(word, name, n);
        return BAL_FAIL(err, BAL_E_ARG, "--%s: no finding is called %s%s%s (see avbalance probe --help)", flag, word,
                        close ? ", did you mean " : "", close ? close : "");
    }
    if (f < BAL_FIND_COUNT) *mask |= UINT64_C(1) << f;
    if (f == BAL_FIND_COUNT) *mask |= BAL_UNUSABLE;
    if (f == BAL_FIND_COUNT + 1) *mask |= bal_findings_unfit();
    return BAL_OK;
}

BalStatus bal_findings_parse(const BalList *l, const char *flag, uint64_t *mask, BalError *err) {
    for (int i = 0; i < l->n; i++)
        for (const char *at = l->v[i];; at++) {
            char word[64];
            size_t n = strcspn(at, ",");
            if (n >= sizeof word) n = sizeof word - 1;
            memcpy(word, at, n);
            word[n] = '\0';
            BAL_TRY(parse_one(word, flag, mask, err));
            at += strcspn(at, ",");
            if (!*at) break;
        }
    return BAL_OK;
}

void bal_findings_show(BalText *out, const BalProbe *p) {
    for (int f = 0; f < BAL_FIND_COUNT; f++) {
        if (!(p->findings >> f & 1)) continue;
        double value = bal_finding_value(p, (BalFinding)f);
        bal_text_f(out, " %s", bal_finding_name((BalFinding)f));
        if (!isnan(value)) bal_text_f(out, "(%.4g)", value);
    }
}

void bal_findings_help(BalText *out) {
    bal_text_add(out, "Findings (* unfit: what clip leaves out by itself):\n");
    for (int f = 0; f < BAL_FIND_COUNT; f++)
        bal_text_f(out, "%c %-15s %s\n", bal_findings_unfit() >> f & 1 ? '*' : ' ', bal_finding_name((BalFinding)f),
                   bal_finding_meaning((BalFinding)f));
    bal_text_add(out, "  unusable        neither sound nor picture can be decoded, or the time limit was exceeded\n");
}
