/* The journal of jsonl.h: whole lines are true, everything else never happened. */
#include "curate/jsonl.h"
#include <string.h>
#include "base/file.h"

static bool read_head(const BalJson *line, const char *kind, char settings[65]) {
    const char *hash = bal_json_text(bal_json_get(line, "settings"), "");
    if (strcmp(bal_json_text(bal_json_get(line, "journal"), ""), kind) != 0 || strlen(hash) != 64) return false;
    memcpy(settings, hash, 65);
    return true;
}

BalStatus bal_jsonl_read(const char *data, size_t n, const char *kind, char settings[65], BalJsonLineFn *fn, void *user,
                         size_t *good_bytes, BalError *err) {
    const char *at = data, *end = data + n, *stop;
    BalStatus rc = BAL_OK;
    *settings = '\0';
    while (rc == BAL_OK && at < end && (stop = memchr(at, '\n', (size_t)(end - at)))) {
        BalJson *line = NULL;
        if (bal_json_parse(&line, at, (size_t)(stop - at), "journal", NULL) < 0) break;
        if (*settings)
            rc = fn(user, line, err);
        else
            rc = read_head(line, kind, settings) ? BAL_OK : BAL_END;
        bal_json_free(&line);
        if (rc == BAL_OK) at = stop + 1;
    }
    *good_bytes = (size_t)(at - data);
    return rc < 0 ? rc : BAL_OK;
}

BalStatus bal_jsonl_add(BalAppend *file, BalText *line, BalError *err) {
    bal_text_char(line, '\n');
    BalStatus rc = bal_text_ok(line, err);
    if (rc == BAL_OK) rc = bal_append_add(file, line->data, line->len, err);
    bal_text_reset(line);
    return rc;
}

static BalStatus begin(BalAppend *file, const char *kind, const char *settings, BalError *err) {
    BalText line = {0};
    BalJsonOut o = bal_json_out(&line, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "journal", kind);
    bal_json_add_text(&o, "settings", settings);
    bal_json_close(&o, '}');
    return bal_jsonl_add(file, &line, err);
}

/* A first line that is whole, and no head of ours: an older kind is made anew, a torn one is a begin that was killed. */
static bool is_foreign(const char *data, size_t n) {
    static const char ours[] = "{\"journal\":\"avbalance/";
    return n && memchr(data, '\n', n) && (n < sizeof ours - 1 || memcmp(data, ours, sizeof ours - 1) != 0);
}

BalStatus bal_jsonl_open(BalAppend *file, const char *path, const char *kind, const char *settings, BalJsonLineFn *fn,
                         void *user, BalError *err) {
    BalMap map = {0};
    char there[65] = "";
    size_t good = 0;
    BAL_TRY(bal_append_open(file, path, err));
    BAL_TRY(bal_map_open(&map, path, err));
    BalStatus rc =
        map.size ? bal_jsonl_read((const char *)map.data, map.size, kind, there, fn, user, &good, err) : BAL_OK;
    if (rc >= 0 && !*there && is_foreign((const char *)map.data, map.size))
        rc = BAL_FAIL(err, BAL_E_EXISTS,
                      "%s: holds something else than the %s that belongs here; move it away, or give another folder",
                      path, kind);
    bal_map_close(&map);
    if (rc < 0) return rc;
    if (*there && strcmp(there, settings) != 0)
        return BAL_FAIL(err, BAL_E_MISMATCH,
                        "%s: begun with other settings, or with an FFmpeg or a build that may do otherwise: give the "
                        "settings it was begun with or another folder, or let -f make all anew",
                        path);
    BAL_TRY(bal_append_cut(file, (int64_t)good, err));
    return good ? BAL_OK : begin(file, kind, settings, err);
}
