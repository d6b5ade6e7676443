/* Figures of a table of scores: the data map of each modality, and the histogram of d per split. */
#include <math.h>
#include <stdio.h>

#include "report/figure.h"

/* ---- data map ---- */

#define MAP_SIDE 220.0
#define MAP_LEFT 52.0
#define MAP_TOP  64.0
#define MAP_GAP  62.0

/* Points overlap: colours are drawn in an order that depends on the clip only, light enough to add up. */
static void draw_points(BalFigure *f, const BalScores *s, int m, double x0, double y0) {
    const double *u = s->value[m ? BAL_SCORE_U_VISUAL : BAL_SCORE_U_AUDIO];
    const double *sd = s->value[m ? BAL_SCORE_SD_VISUAL : BAL_SCORE_SD_AUDIO];
    const double *right = s->value[m ? BAL_SCORE_CORRECT_VISUAL : BAL_SCORE_CORRECT_AUDIO];
    double radius = s->n > 20000  ? 0.5
                    : s->n > 2000 ? 0.9
                                  : 1.5,
           alpha = s->n > 20000  ? 0.35
                   : s->n > 2000 ? 0.55
                                 : 0.8;
    cairo_save(f->cr);
    cairo_rectangle(f->cr, x0, y0, MAP_SIDE, MAP_SIDE);
    cairo_clip(f->cr);
    for (int64_t i = 0; i < s->n; i++) {
        if (isnan(sd[i])) continue;
        double share = right && !isnan(right[i]) ? right[i] : 0.5;
        bal_figure_colour(f, bal_colour_map(0.12 + 0.83 * (1 - share)), alpha);
        cairo_arc(f->cr, x0 + MAP_SIDE * sd[i] / 0.5, y0 + MAP_SIDE * (1 - u[i]), radius, 0, 2 * M_PI);
        cairo_fill(f->cr);
    }
    cairo_restore(f->cr);
}

static void draw_correctness_bar(BalFigure *f, double x, double y) {
    const int steps = 110;
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_NONE);
    for (int i = 0; i < steps; i++) {
        bal_figure_colour(f, bal_colour_map(0.12 + 0.83 * (1 - (i + 0.5) / steps)), 1);
        bal_figure_rect(f, x, y + MAP_SIDE * (1 - (i + 1.0) / steps), 10, MAP_SIDE / steps);
    }
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_DEFAULT);
    bal_figure_colour(f, bal_colour_ink, 1);
    cairo_set_line_width(f->cr, 0.8);
    cairo_rectangle(f->cr, x, y, 10, MAP_SIDE);
    cairo_stroke(f->cr);
    for (int k = 0; k <= 4; k++) {
        double at = y + MAP_SIDE * (1 - k / 4.0);
        bal_figure_line(f, x + 10, at, x + 13, at, 0.8);
        bal_figure_text(f, x + 15, at + 2.9, 8, -1, false, "%d %%", 25 * k);
    }
    bal_figure_text(f, x - 2, y - 8, 8, -1, false, "epochs right");
}

BalStatus bal_figure_datamap(const BalScores *s, const BalFigureSpec *spec, const char *path, BalError *err) {
    if (!s->value[BAL_SCORE_SD_AUDIO] || !s->value[BAL_SCORE_SD_VISUAL])
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "a data map needs the columns sd_audio and sd_visual, as `estimate` writes them");
    const double width = MAP_LEFT + 2 * MAP_SIDE + MAP_GAP + 80, height = MAP_TOP + MAP_SIDE + 42;
    BalFigure f;
    char count[32];
    BAL_TRY(bal_figure_open(&f, path, width, height, spec->scale, err));
    bal_figure_bold(&f, true);
    bal_figure_text(&f, MAP_LEFT, 22, 12, -1, false, "%s", spec->title ? spec->title : "Data map");
    bal_figure_bold(&f, false);
    bal_figure_colour(&f, bal_colour_grey, 1);
    bal_figure_text(&f, MAP_LEFT, 37, 8.5, -1, false,
                    "%s clips: easy ones lie top left, hard ones bottom left, ambiguous ones right",
                    bal_figure_count(count, s->n));
    for (int m = 0; m < 2; m++) {
        double x0 = MAP_LEFT + m * (MAP_SIDE + MAP_GAP);
        BalAxis across = {0, 0.5, 0.1, 1, "spread of the confidence over epochs"};
        BalAxis up = {0, 1, 0.2, 1,
                      m ? BAL_ITALIC("u") BAL_INDEX "v   mean confidence"
                        : BAL_ITALIC("u") BAL_INDEX "a   mean confidence"};
        draw_points(&f, s, m, x0, MAP_TOP);
        bal_figure_frame(&f, x0, MAP_TOP, MAP_SIDE, MAP_SIDE, &across, &up);
        bal_figure_bold(&f, true);
        bal_figure_colour(&f, m ? bal_colour_visual : bal_colour_audio, 1);
        bal_figure_text(&f, x0 + MAP_SIDE, MAP_TOP - 7, 9, 1, false, m ? "picture alone" : "sound alone");
        bal_figure_bold(&f, false);
    }
    draw_correctness_bar(&f, MAP_LEFT + 2 * MAP_SIDE + MAP_GAP + 22, MAP_TOP);
    BalStatus rc = bal_figure_save(&f, path, err);
    bal_figure_drop(&f);
    return rc;
}

/* ---- histogram of d ---- */

#define D_BINS   50
#define D_WIDTH  330.0
#define D_HEIGHT 104.0
#define D_LEFT   56.0
#define D_TOP    78.0
#define D_GAP    52.0

typedef struct Histogram {
    const char *name;
    int64_t n, heard, seen, ties, count[D_BINS]; /* ties are in no bin */
} Histogram;

/* One histogram per split, or one over all where there are none. */
static Histogram histogram(const BalScores *s, int split) {
    Histogram h = {.name = split >= 0 ? s->splits[split] : "all"};
    for (int64_t i = 0; i < s->n; i++) {
        if (split >= 0 && s->split[i] != split) continue;
        double d = s->value[BAL_SCORE_U_AUDIO][i] - s->value[BAL_SCORE_U_VISUAL][i];
        int k = (int)floor((d + 1) / 2 * D_BINS);
        if (d != 0) h.count[k < 0 ? 0 : k >= D_BINS ? D_BINS - 1 : k]++;
        h.heard += d > 0;
        h.seen += d < 0;
        h.ties += d == 0;
        h.n++;
    }
    return h;
}

static double nice_step(double top) {
    static const double steps[] = {0.01, 0.02, 0.05, 0.1, 0.2};
    for (int i = 0; i < 5; i++)
        if (top / steps[i] <= 5) return steps[i];
    return 0.5;
}

/* Two lines above the frame, where no bar can reach: which histogram this is, and its sides. */
static void draw_heading(BalFigure *f, const Histogram *h, double y) {
    const double n = (double)h->n, gap = 12;
    char count[32];
    double x = D_LEFT + bal_figure_text(f, D_LEFT, y - 12, 9, -1, false, "%s", h->name);
    bal_figure_colour(f, bal_colour_grey, 1);
    bal_figure_text(f, x + 6, y - 12, 8, -1, false, "%s clip%s", bal_figure_count(count, h->n), h->n == 1 ? "" : "s");
    bal_figure_colour(f, bal_colour_visual, 1);
    x = D_LEFT + bal_figure_text(f, D_LEFT, y, 8, -1, false, "visual-preferred %.1f %%", 100 * (double)h->seen / n);
    bal_figure_colour(f, bal_colour_grey, 1);
    x += gap + bal_figure_text(f, x + gap, y, 8, -1, false, "ties %.1f %%", 100 * (double)h->ties / n);
    bal_figure_colour(f, bal_colour_audio, 1);
    bal_figure_text(f, x + gap, y, 8, -1, false, "audio-preferred %.1f %%", 100 * (double)h->heard / n);
}

/* Ties are on neither side: half of them stand in grey on the bin left of 0, half on the one right of it. */
static void draw_histogram(BalFigure *f, const Histogram *h, double y0, bool last) {
    const double n = (double)h->n, half_ties = 50.0 * (double)h->ties / n, bar = D_WIDTH / D_BINS;
    double share[D_BINS], peak = 0;
    for (int k = 0; k < D_BINS; k++) {
        share[k] = 100.0 * (double)h->count[k] / n;
        bool at_0 = k == D_BINS / 2 - 1 || k == D_BINS / 2;
        peak = fmax(peak, share[k] + (at_0 ? half_ties : 0));
    }
    const double top = fmax(1.08 * peak, 100 * 1.3 / D_BINS), step = 100 * nice_step(top / 100), unit = D_HEIGHT / top;
    for (int k = 0; k < D_BINS; k++) {
        bool heard = k >= D_BINS / 2, at_0 = k == D_BINS / 2 - 1 || k == D_BINS / 2;
        double x = D_LEFT + bar * k + 0.3, base = y0 + D_HEIGHT - unit * share[k];
        bal_figure_colour(f, heard ? bal_colour_audio : bal_colour_visual, 0.85);
        bal_figure_rect(f, x, base, bar - 0.6, unit * share[k]);
        bal_figure_colour(f, bal_colour_grey, 0.85);
        if (at_0) bal_figure_rect(f, x, base - unit * half_ties, bar - 0.6, unit * half_ties);
    }
    double even = y0 + D_HEIGHT * (1 - 100.0 / D_BINS / top);
    static const double dashes[2] = {3, 2.5};
    bal_figure_colour(f, bal_colour_ink, 0.8);
    cairo_set_dash(f->cr, dashes, 2, 0);
    bal_figure_line(f, D_LEFT, even, D_LEFT + D_WIDTH, even, 0.7);
    cairo_set_dash(f->cr, NULL, 0, 0);
    const BalAxis across = {-1, 1, 0.25, 2,
                            last ? "discrepancy   " BAL_ITALIC("d") " = " BAL_ITALIC("u") BAL_INDEX
                                "a − " BAL_ITALIC("u") BAL_INDEX "v"
                                 : NULL};
    const BalAxis up = {0, top, step, step < 1 ? 1 : 0, "share of clips in %"};
    bal_figure_frame(f, D_LEFT, y0, D_WIDTH, D_HEIGHT, &across, &up);
    draw_heading(f, h, y0 - 6);
}

BalStatus bal_figure_discrepancy(const BalScores *s, const BalFigureSpec *spec, const char *path, BalError *err) {
    if (s->n < 1) return BAL_FAIL(err, BAL_E_ARG, "there are no scores to draw");
    int panels = s->n_splits ? s->n_splits : 1;
    if (panels > 8) panels = 8;
    BalFigure f;
    BAL_TRY(
        bal_figure_open(&f, path, D_LEFT + D_WIDTH + 20, D_TOP + panels * (D_HEIGHT + D_GAP) - 10, spec->scale, err));
    bal_figure_bold(&f, true);
    bal_figure_text(&f, D_LEFT, 22, 12, -1, false, "%s", spec->title ? spec->title : "Modality discrepancy");
    bal_figure_bold(&f, false);
    bal_figure_colour(&f, bal_colour_grey, 1);
    bal_figure_text(&f, D_LEFT, 37, 8.5, -1, false, "bins of %g; grey: ties; dashed: evenly spread over [−1, 1]%s",
                    2.0 / D_BINS, panels < s->n_splits ? "; the first eight splits" : "");
    for (int p = 0; p < panels; p++) {
        Histogram h = histogram(s, s->n_splits ? p : -1);
        draw_histogram(&f, &h, D_TOP + p * (D_HEIGHT + D_GAP), p == panels - 1);
    }
    BalStatus rc = bal_figure_save(&f, path, err);
    bal_figure_drop(&f);
    return rc;
}
