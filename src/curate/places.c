/* Places of clips: see places.h. */
#include "curate/places.h"

#include <string.h>

#include "base/csv.h"
#include "base/file.h"

static const char HEAD[] = "id,video,start_ms,end_ms,"; /* of clips.csv; flags stand somewhere behind it */
static const char *const column[] = {"video", "start_ms", "end_ms", "flags"};
enum { COLUMNS = sizeof column / sizeof *column };

static bool is_ours(const char *path) {
    BalMap m = {0};
    if (bal_map_open(&m, path, NULL) < 0) return false;
    const bool is = m.size >= sizeof HEAD - 1 && !memcmp(m.data, HEAD, sizeof HEAD - 1);
    bal_map_close(&m);
    return is;
}

BalStatus bal_places_load(BalPlaces *p, const char *dir, const char *name, BalError *err) {
    BalText path = {0};
    *p = (BalPlaces){{0}};
    bal_path_join(&path, dir, name);
    BalStatus rc = bal_text_ok(&path, err);
    if (rc >= 0 && is_ours(path.data)) rc = bal_sheet_load(&p->table, path.data, "id", err);
    bal_text_reset(&path);
    return rc;
}

void bal_places_reset(BalPlaces *p) {
    bal_sheet_reset(&p->table);
}

static const char *at(const BalPlaces *p, int64_t row, const char *name) {
    return bal_sheet_at(&p->table, row, bal_sheet_column(&p->table, name));
}

bool bal_places_find(const BalPlaces *p, const char *id, BalPlace *out) {
    const int64_t row = bal_sheet_find(&p->table, id);
    int64_t start_ms, end_ms;
    if (row < 0 || !bal_parse_i64(at(p, row, "start_ms"), &start_ms) || !bal_parse_i64(at(p, row, "end_ms"), &end_ms))
        return false;
    *out = (BalPlace){at(p, row, "video"), at(p, row, "flags"), (double)start_ms / 1000, (double)end_ms / 1000};
    return true;
}

void bal_places_head(BalText *out) {
    bal_text_f(out, "%sflags\n", HEAD);
}

void bal_places_rows(const BalPlaces *p, const BalManifest *m, BalText *out) {
    for (int64_t i = 0; i < m->n; i++) {
        const int64_t row = bal_sheet_find(&p->table, m->clip[i].id);
        if (row < 0) continue;
        bal_csv_quote(out, m->clip[i].id);
        for (int k = 0; k < COLUMNS; k++) {
            bal_text_char(out, ',');
            bal_csv_quote(out, at(p, row, column[k]));
        }
        bal_text_char(out, '\n');
    }
}
