/* Our own dialect, written: id,media,label,split,start,duration,source. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file_set.h"
#include "base/json.h"
#include "base/mem.h"
#include "dataset/manifest.h"

/* Must the classes be written beside the clips? Not when they are just what loading the clips would sort them to. */
static BalStatus needs_class_list(const BalManifest *m, bool *needs, BalError *err) {
    bool *used = NULL;
    BAL_TRY(bal_alloc(&used, (size_t)m->n_classes, sizeof *used, err));
    for (int64_t i = 0; i < m->n; i++)
        if (m->clip[i].label >= 0) used[m->clip[i].label] = true;
    bool numbers = true;
    for (int k = 0; k < m->n_classes; k++) /* longer ones are names, as in loading */
        numbers = numbers && bal_all_digits(bal_field(m->classes[k])) && strlen(m->classes[k]) <= 9;
    *needs = false;
    for (int k = 0; k < m->n_classes && !*needs; k++) {
        const char *a = m->classes[k ? k - 1 : 0], *b = m->classes[k];
        *needs = !used[k] || (k > 0 && (numbers ? atol(a) >= atol(b) : strcmp(a, b) >= 0));
    }
    bal_free(used);
    return BAL_OK;
}

static void put_classes(const BalManifest *m, BalText *out) {
    BalJsonOut json = bal_json_out(out, true);
    bal_json_open(&json, NULL, '[');
    for (int k = 0; k < m->n_classes; k++) bal_json_add_text(&json, NULL, m->classes[k]);
    bal_json_close(&json, ']');
    bal_text_char(out, '\n');
}

BalStatus bal_manifest_prefix(const BalManifest *m, const char *folder, BalText *out, BalError *err) {
    char here[PATH_MAX], there[PATH_MAX];
    if (!realpath(m->dir, there) || !realpath(folder, here))
        return BAL_FAIL(err, BAL_E_IO, "%s or %s is not there", m->dir, folder);
    bal_path_between(out, here, there);
    return bal_text_ok(out, err);
}

static void seconds(BalText *out, double v) {
    bal_text_char(out, ',');
    if (!isnan(v)) bal_text_real(out, v);
}

static BalStatus put_clips(const BalManifest *m, const char *folder, BalText *out, BalError *err) {
    BalText prefix = {0}, media = {0};
    BalStatus rc;
    BAL_TRY_OR(fail, bal_manifest_prefix(m, folder, &prefix, err));
    bal_text_add(out, "id,media,label,split,start,duration,source\n");
    for (int64_t i = 0; i < m->n; i++) {
        const BalClip *c = &m->clip[i];
        bal_text_clear(&media);
        bal_path_join(&media, bal_text_str(&prefix), c->media);
        BAL_TRY_OR(fail, bal_text_ok(&media, err));
        bal_csv_quote(out, c->id);
        bal_text_char(out, ',');
        bal_csv_quote(out, bal_text_str(&media));
        bal_text_char(out, ',');
        bal_csv_quote(out, c->label < 0 ? "" : m->classes[c->label]);
        bal_text_f(out, ",%s", bal_split_name(c->split));
        seconds(out, c->start_s);
        seconds(out, c->duration_s);
        bal_text_char(out, ',');
        bal_csv_quote(out, c->source);
        bal_text_char(out, '\n');
    }
fail:
    bal_text_reset(&prefix);
    bal_text_reset(&media);
    return rc;
}

BalStatus bal_manifest_save(const BalManifest *m, const char *path, BalError *err) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    BalText folder = {0}, list = {0}, classes = {0}, clips = {0};
    BalFileSet set = {0};
    bool needs;
    BalStatus rc;
    bal_text_add_n(&folder, slash ? path : ".", slash ? (size_t)(slash - path + (slash == path)) : 1);
    bal_text_f(&list, "%s.classes.json", name);
    BAL_TRY_OR(fail, bal_text_ok(&folder, err));
    BAL_TRY_OR(fail, bal_text_ok(&list, err));
    BAL_TRY_OR(fail, needs_class_list(m, &needs, err));
    BAL_TRY_OR(fail, put_clips(m, folder.data, &clips, err));
    set.dir = folder.data;
    if (needs) {
        put_classes(m, &classes);
        BAL_TRY_OR(fail, bal_file_set_add(&set, list.data, &classes, err));
    } else
        bal_file_set_without(&set, list.data); /* of an older manifest */
    rc = bal_file_set_add(&set, name, &clips, err);
fail:
    rc = bal_file_set_end(&set, rc, err);
    bal_text_reset(&folder);
    bal_text_reset(&list);
    bal_text_reset(&classes);
    bal_text_reset(&clips);
    return rc;
}
