/* JSON manifests: ActivityNet style {"labels":[...],"database":{id:{...}}} and the plain {id:{"subset":..,"label":..}}. */
#include <math.h>
#include <string.h>
#include "base/json.h"
#include "dataset/manifest.h"

static bool is_object(const BalSniff *s) {
    for (size_t i = 0; i < s->size; i++)
        if (!strchr(" \t\r\n", s->text[i])) return s->text[i] == '{';
    return false;
}

static bool has_database(const BalSniff *s) {
    return memmem(s->text, s->size, "\"database\"", 10) != NULL;
}

static BalField text_of(const BalJson *object, const char *key) {
    const char *s = bal_json_text(bal_json_get(object, key), NULL);
    return s ? bal_field(s) : (BalField){0};
}

/* Ids as the balanced set publishes them: a YouTube id, alone, with a number, or with begin and end in six digits each. */
static BalStatus check_vid(const BalBuild *b, BalField vid, BalError *err) {
    enum { KINETICS = 11 + 7 + 7 };
    double start_s, duration_s;
    if (!bal_youtube_prefix(vid))
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: \"vid\" is \"%.60s\", which does not begin with a YouTube id of 11 characters", b->path,
                        vid.s);
    if (vid.n == KINETICS && !bal_clip_time(vid, &start_s, &duration_s))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"vid\" is \"%.60s\", which ends before it begins", b->path, vid.s);
    return BAL_OK;
}

/* "label" of an entry, or ActivityNet's "annotations": one object or a list of them, of which the first counts */
static BalStatus add_entry(BalBuild *b, const char *id, const BalJson *entry, BalError *err) {
    BalRow row = bal_row(0);
    const BalJson *note = bal_json_get(entry, "annotations");
    if (bal_json_type(note) == BAL_JSON_ARRAY) note = bal_json_at(note, 0);
    row.id = text_of(entry, "vid"); /* {"5":{"vid":..}}: the key is only a number */
    if (row.id.n) BAL_TRY(check_vid(b, row.id, err));
    if (!row.id.n) row.id = bal_field(id);
    row.label = text_of(entry, "label");
    if (!row.label.s && note) row.label = text_of(note, "label");
    row.split = text_of(entry, "subset");
    if (!row.split.s) row.split = text_of(entry, "split");
    const BalJson *segment = bal_json_get(note, "segment");
    if (bal_json_size(segment) == 2) {
        row.start_s = bal_json_real(bal_json_at(segment, 0), NAN);
        row.duration_s = bal_json_real(bal_json_at(segment, 1), NAN) - row.start_s;
    }
    if (bal_json_type(entry) != BAL_JSON_OBJECT)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the entry of '%s' is not an object with a label", b->path, id);
    BalStatus rc = bal_build_add(b, &row, err);
    return rc < 0 ? bal_error_add(err, rc, "while reading the entry of '%s'", id) : rc;
}

static BalStatus add_entries(BalBuild *b, const BalJson *entries, BalError *err) {
    if (bal_json_type(entries) != BAL_JSON_OBJECT)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: the clips are not an object {id: {...}, ...}", b->path);
    for (void *it = bal_json_first(entries); it; it = bal_json_next(entries, it))
        BAL_TRY(add_entry(b, bal_json_key(it), bal_json_value(it), err));
    return BAL_OK;
}

static BalStatus add_classes(BalBuild *b, const BalJson *labels, BalError *err) {
    if (b->classes.n) return BAL_OK;
    for (size_t i = 0; i < bal_json_size(labels); i++) {
        const char *name = bal_json_text(bal_json_at(labels, i), "");
        BAL_TRY(bal_build_class(b, name, strlen(name), err));
    }
    return BAL_OK;
}

static BalClaim activitynet_claim(const BalSniff *s) {
    return is_object(s) && has_database(s) ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus activitynet_read(BalBuild *b, const BalSniff *s, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(bal_json_parse(&root, s->text, s->size, b->path, err));
    BalStatus rc = add_classes(b, bal_json_get(root, "labels"), err);
    if (rc == BAL_OK) rc = add_entries(b, bal_json_get(root, "database"), err);
    bal_json_free(&root);
    return rc;
}

const BalDialect bal_dialect_activitynet = {
    .name = "activitynet",
    .summary = "ActivityNet style JSON: {\"labels\":[..],\"database\":{id:{\"subset\":..,\"label\":..}}}",
    .claim = activitynet_claim,
    .read = activitynet_read,
    .index_base = 0,
};

static BalClaim id_json_claim(const BalSniff *s) {
    return is_object(s) && !has_database(s) ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus id_json_read(BalBuild *b, const BalSniff *s, BalError *err) {
    BalJson *root = NULL;
    BAL_TRY(bal_json_parse(&root, s->text, s->size, b->path, err));
    BalStatus rc = add_entries(b, root, err);
    bal_json_free(&root);
    return rc;
}

const BalDialect bal_dialect_id_json = {
    .name = "id-json",
    .summary = "JSON object {id:{\"subset\":..,\"label\":..}} as of the balanced set (MM-Debiased.json)",
    .claim = id_json_claim,
    .read = id_json_read,
    .index_base = -1,
};
