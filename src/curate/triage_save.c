/* Triage, told: manifest, table, rejects, summary. */
#include <math.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "curate/rejects.h"
#include "curate/triage.h"
#include "dataset/manifest.h"

/* ---- tables ---- */

static void field(BalText *out, const char *s, char end) {
    bal_csv_quote(out, s);
    bal_text_char(out, end);
}

static void add_row(const BalTriage *t, const BalTriageClip *c, BalText *out) {
    field(out, c->clip->id, ',');
    field(out, t->category_key[c->category], ',');
    field(out, t->source[c->source].name, ',');
    field(out, c->origin_label, ',');
    field(out, bal_split_name(c->clip->split), ',');
    field(out, bal_triage_video(c), ',');
    bal_text_f(out, "%c,%d,%d,", bal_type_letter((BalClipType)c->type), c->q[BAL_AUDIO], c->q[BAL_VISUAL]);
    if (c->from >= 0) bal_text_f(out, "retopic:%s", t->category_key[c->from]);
    bal_text_char(out, '\n');
}

static void add_reject(const BalTriage *t, const BalTriageClip *c, BalText *values, BalText *out) {
    bal_text_clear(values);
    bal_text_f(values, "category=%s source=%s", t->category_key[c->category], t->source[c->source].name);
    if (c->q[BAL_AUDIO] >= 0) bal_text_f(values, " qa_pre=%d", c->q[BAL_AUDIO]);
    if (c->q[BAL_VISUAL] >= 0) bal_text_f(values, " qv_pre=%d", c->q[BAL_VISUAL]);
    if (c->q[BAL_AUDIO] >= 0 && c->q[BAL_VISUAL] >= 0)
        bal_text_f(values, " type=%c", bal_type_letter((BalClipType)c->type));
    bal_reject_line(out, c->clip->id, "triage", bal_triage_rule_name((BalTriageRule)c->rule), bal_text_str(values));
    out->failed |= values->failed; /* which clearing forgets */
}

static BalStatus write_tables(const BalTriage *t, const char *triage, const char *rejects, BalError *err) {
    BalText kept = {0}, left = {0}, values = {0};
    bal_text_add(&kept, "id,category,source,origin_label,origin_split,video,type,qa_pre,qv_pre,flags\n");
    bal_text_add(&left, BAL_REJECTS_HEADER);
    for (int64_t i = 0; i < t->n; i++)
        if (t->clip[i].rule == BAL_TRIAGE_KEPT)
            add_row(t, &t->clip[i], &kept);
        else
            add_reject(t, &t->clip[i], &values, &left);
    BalStatus rc = bal_text_ok(&kept, err);
    if (rc >= 0) rc = bal_text_ok(&left, err);
    if (rc >= 0) rc = bal_file_write(rejects, left.data, left.len, err);
    if (rc >= 0) rc = bal_file_write(triage, kept.data, kept.len, err);
    bal_text_reset(&kept);
    bal_text_reset(&left);
    bal_text_reset(&values);
    return rc;
}

/* ---- manifest ---- */

static BalStatus write_manifest(const BalTriage *t, const char *dir, const char *path, BalError *err) {
    BalText text = {0}, *prefix = NULL;
    BalManifest m = {.classes = t->category_key, .n_classes = t->n_categories, .dir = (char *)dir};
    BalStatus rc = BAL_OK;
    size_t *at = NULL; /* of each path in the text, which moves while it grows */
    BAL_TRY_OR(done, bal_alloc(&m.clip, (size_t)t->kept, sizeof *m.clip, err));
    BAL_TRY_OR(done, bal_alloc(&at, (size_t)t->kept, sizeof *at, err));
    BAL_TRY_OR(done, bal_alloc(&prefix, (size_t)t->n_sources, sizeof *prefix, err));
    for (int s = 0; s < t->n_sources; s++)
        BAL_TRY_OR(done, bal_manifest_prefix(t->source[s].clips, dir, &prefix[s], err));
    for (int64_t i = 0; i < t->n; i++) {
        const BalTriageClip *c = &t->clip[i];
        if (c->rule != BAL_TRIAGE_KEPT) continue;
        at[m.n] = text.len;
        bal_path_join(&text, bal_text_str(&prefix[c->source]), c->clip->media);
        bal_text_char(&text, '\0');
        m.clip[m.n] = *c->clip;
        m.clip[m.n].source = bal_triage_video(c);
        m.clip[m.n++].label = c->category;
    }
    BAL_TRY_OR(done, bal_text_ok(&text, err));
    for (int64_t i = 0; i < m.n; i++) m.clip[i].media = text.data + at[i];
    rc = bal_manifest_save(&m, path, err);
done:
    bal_free(m.clip);
    bal_free(at);
    for (int s = 0; prefix && s < t->n_sources; s++) bal_text_reset(&prefix[s]);
    bal_free(prefix);
    bal_text_reset(&text);
    return rc;
}

/* ---- summary ---- */

static void add_types(BalJsonOut *o, const char *key, const int64_t *n, bool with_neither) {
    static const char *const name[BAL_TYPE_COUNT] = {"H", "A", "V", "N"};
    bal_json_open(o, key, '{');
    for (int k = 0; k < BAL_TYPE_COUNT - !with_neither; k++) bal_json_add_int(o, name[k], n[k]);
    bal_json_close(o, '}');
}

static void add_sides(BalJsonOut *o, const char *key, const double v[BAL_SIDES]) {
    bal_json_open(o, key, '{');
    bal_json_add_real(o, "audio", v[BAL_AUDIO]);
    bal_json_add_real(o, "visual", v[BAL_VISUAL]);
    bal_json_close(o, '}');
}

static void totals(const BalTriage *t, BalTriageCategory *sum) {
    *sum = (BalTriageCategory){0};
    for (int k = 0; k < t->n_categories; k++) {
        const BalTriageCategory *c = &t->category[k];
        sum->n += c->n;
        sum->deficient |= c->deficient;
        for (int type = 0; type < BAL_TYPE_COUNT; type++) {
            sum->typed[type] += c->typed[type];
            sum->kept[type] += c->kept[type];
            sum->missing[type] += c->missing[type];
            sum->supplement[type] += c->supplement[type];
        }
    }
}

static void add_category(BalJsonOut *o, const char *key, const BalTriageCategory *c) {
    bal_json_open(o, key, '{');
    bal_json_add_int(o, "n", c->n);
    add_types(o, "typed", c->typed, true);
    add_types(o, "kept", c->kept, false);
    add_types(o, "missing", c->missing, false);
    add_types(o, "supplement", c->supplement, false);
    bal_json_add_bool(o, "deficient", c->deficient);
    add_sides(o, "mean_confidence_wrong", c->mean_wrong);
    bal_json_close(o, '}');
}

static void add_sources(BalJsonOut *o, const BalTriage *t) {
    bal_json_open(o, "sources", '[');
    for (int s = 0; s < t->n_sources; s++) {
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "name", t->source[s].name);
        bal_json_add_int(o, "n", t->source[s].clips->n);
        if (s) {
            bal_json_add_int(o, "unmapped", t->unmapped[s]);
            bal_json_add_int(o, "taken", t->taken[s]);
            if (t->source[s].cap >= 0) bal_json_add_int(o, "cap", t->source[s].cap);
        }
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

void bal_triage_json(const BalTriage *t, BalText *out) {
    BalTriageCategory all;
    BalJsonOut o = bal_json_document(out, true, "avbalance/triage/1");
    totals(t, &all);
    bal_json_add_int(&o, "n", all.n);
    bal_json_add_int(&o, "kept", t->kept);
    add_types(&o, "typed", all.typed, true);
    add_types(&o, "kept_by_type", all.kept, false);
    add_types(&o, "supplement", all.supplement, false);
    bal_json_open(&o, "rejected", '{');
    for (int r = 1; r < BAL_TRIAGE_RULES; r++)
        bal_json_add_int(&o, bal_triage_rule_name((BalTriageRule)r), t->rejected[r]);
    bal_json_close(&o, '}');
    add_sides(&o, "temperature", t->spec.temperature);
    bal_json_add_text(&o, "rule", t->spec.rule == BAL_CORRECT_TOP1 ? "top1" : "sum");
    bal_json_add_real(&o, "ratio", t->spec.ratio);
    bal_json_add_int(&o, "target", t->spec.target);
    bal_json_add_int(&o, "per_source", t->spec.per_source);
    bal_json_add_bool(&o, "retopic", t->spec.retopic);
    bal_json_add_int(&o, "seed", (int64_t)t->spec.seed);
    add_sources(&o, t);
    bal_json_open(&o, "categories", '{');
    for (int k = 0; k < t->n_categories; k++) add_category(&o, t->category_key[k], &t->category[k]);
    bal_json_close(&o, '}');
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void text_row(BalText *out, const char *name, const BalTriageCategory *c) {
    bal_text_f(out, "%-20.20s %7lld", name, (long long)c->n);
    for (int k = 0; k < BAL_TYPE_COUNT; k++) bal_text_f(out, " %6lld", (long long)c->typed[k]);
    bal_text_add(out, "  ");
    for (int k = 0; k < BAL_TYPE_N; k++) bal_text_f(out, " %6lld", (long long)c->kept[k]);
    bal_text_add(out, "  ");
    for (int k = 0; k < BAL_TYPE_N; k++) bal_text_f(out, " %6lld", (long long)(c->missing[k] - c->supplement[k]));
    bal_text_f(out, "%s\n", c->deficient ? "  !" : "");
}

void bal_triage_text(const BalTriage *t, BalText *out) {
    BalTriageCategory all;
    totals(t, &all);
    bal_text_f(out, "%-20s %7s  %-27s  %-20s  %-20s\n", "", "", " named by", "   kept", "   lacking");
    bal_text_f(out, "%-20s %7s %6s %6s %6s %6s  ", "", "clips", "both", "audio", "visual", "none");
    bal_text_f(out, " %6s %6s %6s   %6s %6s %6s\n", "both", "audio", "visual", "both", "audio", "visual");
    for (int k = 0; k < t->n_categories; k++) text_row(out, t->category_key[k], &t->category[k]);
    if (t->n_categories > 1) text_row(out, "together", &all);
    if (all.deficient) bal_text_add(out, "!  a type has no clip: the proportions are those of the others\n");
    for (int s = 1; s < t->n_sources; s++)
        bal_text_f(out, "%s: %lld of %lld clips taken, %lld have labels of no category\n", t->source[s].name,
                   (long long)t->taken[s], (long long)t->source[s].clips->n, (long long)t->unmapped[s]);
    for (int r = 1; r < BAL_TRIAGE_RULES; r++)
        if (t->rejected[r])
            bal_text_f(out, "left out, %s: %lld\n", bal_triage_rule_name((BalTriageRule)r), (long long)t->rejected[r]);
    bal_text_f(out, "kept: %lld clips\n", (long long)t->kept);
}

const char *const bal_triage_files[] = {"triage.csv", "rejects.csv", "manifest.csv", "triage.json", NULL};

BalStatus bal_triage_save(const BalTriage *t, const char *dir, BalError *err) {
    BalText path[4] = {{0}}, json = {0};
    BalStatus rc = bal_make_dirs(dir, err);
    for (int k = 0; k < 4 && rc >= 0; k++) {
        bal_path_join(&path[k], dir, bal_triage_files[k]);
        rc = bal_text_ok(&path[k], err);
    }
    if (rc >= 0) rc = bal_remove_tree(path[3].data, err); /* of an older one: its presence says that all are whole */
    if (rc >= 0) rc = write_tables(t, path[0].data, path[1].data, err);
    if (rc >= 0) rc = write_manifest(t, dir, path[2].data, err);
    bal_triage_json(t, &json);
    if (rc >= 0) rc = bal_text_ok(&json, err);
    if (rc >= 0) rc = bal_file_write(path[3].data, json.data, json.len, err);
    for (int k = 0; k < 4; k++) bal_text_reset(&path[k]);
    bal_text_reset(&json);
    return rc;
}
