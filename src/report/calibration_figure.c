/* Reliability of a scorer before and after its temperature: how often answers of a given confidence are right, and how many there are. */
#include <stdio.h>

#include "report/figure.h"

#define SIDE  220.0
#define LEFT  52.0
#define TOP   64.0
#define GAP   40.0
#define COUNT 46.0 /* height of the histogram of confidences */

static void draw_panel(BalFigure *f, const BalReliability *r, double x0, const char *name, bool first) {
    const double bar = SIDE / BAL_RELIABILITY_BINS, y0 = TOP + SIDE, y1 = y0 + 14 + COUNT;
    int64_t top = 1;
    for (int k = 0; k < BAL_RELIABILITY_BINS; k++) top = r->count[k] > top ? r->count[k] : top;
    for (int k = 0; k < BAL_RELIABILITY_BINS; k++) {
        const double x = x0 + bar * k + 0.4, w = bar - 0.8, n = (double)r->count[k] / (double)top;
        bal_figure_colour(f, bal_colour_grey, 0.5);
        bal_figure_rect(f, x, y1 - COUNT * n, w, COUNT * n);
        if (!r->count[k]) continue;
        bal_figure_colour(f, bal_colour_audio, 0.75);
        bal_figure_rect(f, x, y0 - SIDE * r->accuracy[k], w, SIDE * r->accuracy[k]);
        bal_figure_colour(f, bal_colour_visual, 1); /* where the bar should end */
        bal_figure_line(f, x, y0 - SIDE * r->confidence[k], x + w, y0 - SIDE * r->confidence[k], 1.6);
    }
    static const double dashes[2] = {3, 2.5};
    bal_figure_colour(f, bal_colour_ink, 0.6);
    cairo_set_dash(f->cr, dashes, 2, 0);
    bal_figure_line(f, x0, y0, x0 + SIDE, TOP, 0.7);
    cairo_set_dash(f->cr, NULL, 0, 0);
    const BalAxis across = {0, 1, 0.2, 1, "confidence of the answer"}, none = {0, 1, 1, 0, NULL};
    const BalAxis up = {0, 1, 0.2, 1, first ? "share of right answers" : NULL},
                  clips = {0, 1, 2, 0, first ? "clips" : NULL};
    bal_figure_frame(f, x0, TOP, SIDE, SIDE, &none, &up);
    bal_figure_frame(f, x0, y0 + 14, SIDE, COUNT, &across, &clips);
    bal_figure_colour(f, bal_colour_ink, 1);
    bal_figure_text(f, x0 + 8, TOP + 16, 9, -1, false, "%s", name);
    bal_figure_text(f, x0 + 8, TOP + 29, 8, -1, false, "calibration error %.3f", r->ece);
    bal_figure_text(f, x0 + 8, TOP + 41, 8, -1, false, "negative log-likelihood %.3f", r->nll);
}

BalStatus bal_figure_calibration(const BalCalibration *c, const BalFigureSpec *spec, const char *path, BalError *err) {
    BalFigure f;
    char count[32], after[48];
    BAL_TRY(bal_figure_open(&f, path, LEFT + 2 * SIDE + GAP + 20, TOP + SIDE + 14 + COUNT + 42, spec->scale, err));
    bal_figure_bold(&f, true);
    bal_figure_text(&f, LEFT, 22, 12, -1, false, "%s", spec->title ? spec->title : "Reliability");
    bal_figure_bold(&f, false);
    bal_figure_colour(&f, bal_colour_grey, 1);
    bal_figure_text(
        &f, LEFT, 37, 8.5, -1, false,
        "%s clips, %.1f %% of the answers are right; a calibrated scorer's bars end at the marks, near the diagonal",
        bal_figure_count(count, c->n), 100 * c->after.right);
    snprintf(after, sizeof after, "temperature %.4g", c->temperature);
    draw_panel(&f, &c->before, LEFT, "as it is", true);
    draw_panel(&f, &c->after, LEFT + SIDE + GAP, after, false);
    BalStatus rc = bal_figure_save(&f, path, err);
    bal_figure_drop(&f);
    return rc;
}
