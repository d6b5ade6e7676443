/* The 100 x 100 histogram of (u_a, u_v), counted by several threads: counts are integers and add up in any order; the sum of |d| is
 * kept per chunk and added in file order, so that its bits do not depend on the threads. */
#include <math.h>
#include <string.h>

#include <avbalance/analysis.h>
#include "base/mem.h"

int bal_heatmap_bin(double u) {
    int k = (int)(u * BAL_HEATMAP_BINS);
    if (k >= BAL_HEATMAP_BINS) k = BAL_HEATMAP_BINS - 1;
    if (u < k * 0.01) return k - 1; /* the product was rounded up over the edge, as for 0.39999999999999997 */
    if (k < BAL_HEATMAP_BINS - 1 && u >= (k + 1) * 0.01) return k + 1;
    return k;
}

void bal_heatmap_add(BalHeatmap *h, double u_audio, double u_visual) {
    h->n++;
    h->counts[bal_heatmap_bin(u_audio)][bal_heatmap_bin(u_visual)]++;
    h->audio_preferred += u_audio > u_visual;
    h->visual_preferred += u_audio < u_visual;
    h->ties += u_audio == u_visual;
    h->sum_abs += fabs(u_audio - u_visual);
}

typedef struct Count {
    BalHeatmap *part; /* [workers] */
    double *sum_abs;  /* [chunks] */
} Count;

static BalStatus count_rows(void *user, int64_t chunk, int worker, const BalScoreRow *row, int n, BalError *err) {
    (void)err;
    Count *c = user;
    BalHeatmap *h = &c->part[worker];
    h->sum_abs = 0;
    for (int i = 0; i < n; i++) bal_heatmap_add(h, row[i].u_audio, row[i].u_visual);
    c->sum_abs[chunk] += h->sum_abs;
    return BAL_OK;
}

static void add_part(BalHeatmap *out, const BalHeatmap *part) {
    out->n += part->n;
    out->audio_preferred += part->audio_preferred;
    out->visual_preferred += part->visual_preferred;
    out->ties += part->ties;
    for (int r = 0; r < BAL_HEATMAP_BINS; r++)
        for (int c = 0; c < BAL_HEATMAP_BINS; c++) out->counts[r][c] += part->counts[r][c];
}

BalStatus bal_heatmap_file(BalHeatmap *out, const char *path, const BalScoresSpec *spec, BalError *err) {
    BalScoresFile *f = NULL;
    Count c = {0};
    BalStatus rc;
    BAL_TRY(bal_scores_open(&f, path, spec, false, err));
    BAL_TRY_OR(done, bal_alloc(&c.part, (size_t)bal_scores_workers(f), sizeof *c.part, err));
    BAL_TRY_OR(done, bal_alloc(&c.sum_abs, (size_t)bal_scores_chunks(f), sizeof *c.sum_abs, err));
    BAL_TRY_OR(done, bal_scores_scan(f, count_rows, &c, err));
    memset(out, 0, sizeof *out);
    for (int w = 0; w < bal_scores_workers(f); w++) add_part(out, &c.part[w]);
    for (int64_t i = 0; i < bal_scores_chunks(f); i++) out->sum_abs += c.sum_abs[i];
done:
    bal_free(c.part);
    bal_free(c.sum_abs);
    bal_scores_close(&f);
    return rc;
}
