/* Tables that others have published: whether overall and subset accuracies can be of the same clips.
 *
 * Each row implies a share s = (overall - visual) / (audio - visual) of audio-preferred clips. All rows of one table speak of the same
 * clips, so the shares must agree as far as rounding leaves them open. Where they do not, the common share with the smallest squared
 * residuals shows by how much overall is off. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <avbalance/analysis.h>
#include "analysis/scores_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

enum { METHOD, OVERALL, AUDIO, VISUAL, COLUMNS };
static const char *const column_names[COLUMNS] = {"method", "overall", "audio_preferred", "visual_preferred"};

static BalStatus find_columns(const BalCsv *csv, int column[COLUMNS], BalError *err) {
    for (int c = 0; c < COLUMNS; c++) {
        column[c] = -1;
        for (int k = 0; k < csv->n_fields; k++) {
            if (!bal_field_is(&csv->field[k], column_names[c])) continue;
            if (column[c] >= 0)
                return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: the column \"%s\" is there twice; remove one",
                                csv->name, (long long)csv->line, column_names[c]);
            column[c] = k;
        }
        if (column[c] < 0)
            return BAL_FAIL(err, BAL_E_FORMAT,
                            "%s: line %lld: there is no column \"%s\"; needed are method, overall, audio_preferred and "
                            "visual_preferred",
                            csv->name, (long long)csv->line, column_names[c]);
    }
    return BAL_OK;
}

/* Digits behind the point. */
static int decimals_of(const BalField *f) {
    const char *dot = memchr(f->s, '.', f->n);
    return dot ? (int)(f->s + f->n - dot) - 1 : 0;
}

/* One row; texts point into the CSV's bytes and are moved into the table at the end. */
static BalStatus take_row(BalPublished *p, const BalCsv *csv, const int column[COLUMNS], int *decimals, BalText *names,
                          BalError *err) {
    double value[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        if (column[c] >= csv->n_fields)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: line %lld: has %d fields, the header has more", csv->name,
                            (long long)csv->line, csv->n_fields);
        const BalField *f = &csv->field[column[c]];
        if (c == METHOD) continue;
        if (!bal_parse_real_n(f->s, f->n, &value[c]) || !(value[c] >= 0 && value[c] <= 100))
            return BAL_FAIL(err, BAL_E_NUMERIC, "%s: line %lld: %s is \"%.*s\", no accuracy from 0 to 1 or 0 to 100 %%",
                            csv->name, (long long)csv->line, column_names[c], (int)(f->n < 40 ? f->n : 40), f->s);
        if (decimals_of(f) > *decimals) *decimals = decimals_of(f);
    }
    const BalField *name = &csv->field[column[METHOD]];
    bal_text_add_n(names, name->s, name->n);
    bal_text_char(names, '\0');
    p->row[p->n++] = (BalPublishedRow){
        .overall = value[OVERALL], .audio_preferred = value[AUDIO], .visual_preferred = value[VISUAL]};
    return bal_text_ok(names, err);
}

static void judge(BalPublished *p) {
    double above = 0, below = 0, low = 0, high = 1;
    for (int i = 0; i < p->n; i++) {
        BalPublishedRow *r = &p->row[i];
        /* overall is rounded, and so is each subset: together they can be off by twice the rounding of one number */
        double gap = r->audio_preferred - r->visual_preferred, rest = r->overall - r->visual_preferred;
        double open = 2 * p->rounding / fabs(gap);
        r->share = gap != 0 ? rest / gap : NAN;
        r->share_low = gap != 0 ? r->share - open : NAN;
        r->share_high = gap != 0 ? r->share + open : NAN;
        if (gap != 0) {
            low = fmax(low, r->share_low);
            high = fmin(high, r->share_high);
        } else if (fabs(rest) > 2 * p->rounding) {
            high = -1; /* equal subsets, another overall: no share does */
        }
        above += rest * gap;
        below += gap * gap;
    }
    p->share = below > 0 ? fmin(1, fmax(0, above / below)) : NAN;
    p->recombines = low <= high;
    for (int i = 0; i < p->n; i++) {
        BalPublishedRow *r = &p->row[i];
        double share = isnan(p->share) ? 0.5 : p->share;
        r->residual = r->overall - (share * r->audio_preferred + (1 - share) * r->visual_preferred);
        p->max_residual = fmax(p->max_residual, fabs(r->residual));
    }
}

static BalStatus read_table(BalPublished *p, BalCsv *csv, BalText *names, BalError *err) {
    int column[COLUMNS], decimals = 0;
    size_t cap = 0;
    double most = 0;
    BalStatus rc = bal_csv_next(csv, err);
    if (rc == BAL_OK) BAL_TRY(find_columns(csv, column, err));
    while (rc == BAL_OK && (rc = bal_csv_next(csv, err)) == BAL_OK) {
        BAL_TRY(bal_grow(&p->row, &cap, (size_t)p->n + 1, sizeof *p->row, err));
        BAL_TRY(take_row(p, csv, column, &decimals, names, err));
    }
    BAL_TRY(rc);
    if (!p->n) return BAL_FAIL(err, BAL_E_FORMAT, "%s: has no rows", csv->name);
    for (int i = 0; i < p->n; i++)
        most = fmax(most, fmax(p->row[i].overall, fmax(p->row[i].audio_preferred, p->row[i].visual_preferred)));
    const double unit = most > 1 ? 100 : 1;
    p->rounding = 0.5 * pow(10, -decimals) / unit;
    for (int i = 0; i < p->n; i++) {
        p->row[i].overall /= unit;
        p->row[i].audio_preferred /= unit;
        p->row[i].visual_preferred /= unit;
    }
    return BAL_OK;
}

BalStatus bal_published_load(BalPublished *out, const char *path, BalError *err) {
    BalPublished p = {0};
    BalMap map = {0};
    BalCsv csv = {0};
    BalText names = {0};
    BalStatus rc;
    BAL_TRY_OR(done, bal_map_open(&map, path, err));
    bal_csv_init(&csv, map.data, map.size, bal_table_separator((const char *)map.data, map.size), path);
    BAL_TRY_OR(done, read_table(&p, &csv, &names, err));
    judge(&p);
    p.text = names.data;
    names = (BalText){0};
    const char *name = p.text;
    for (int i = 0; i < p.n; i++, name += strlen(name) + 1) p.row[i].method = name;
    *out = p;
    p = (BalPublished){0};
done:
    bal_published_reset(&p);
    bal_csv_reset(&csv);
    bal_text_reset(&names);
    bal_map_close(&map);
    return rc < 0 ? rc : BAL_OK;
}

void bal_published_reset(BalPublished *p) {
    bal_free(p->row);
    bal_free(p->text);
    *p = (BalPublished){0};
}
