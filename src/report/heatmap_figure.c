/* The heatmap of Xia et al. 2023, figure 1: where the clips of a dataset lie between "can be heard" and "can be seen". */
#include <math.h>
#include <stdio.h>

#include "report/figure.h"

#define SIDE   280.0 /* of the map in points: 2.8 per cell, whole pixels at the default scale */
#define LEFT   56.0
#define TOP    112.0
#define MARGIN 42.0 /* height of the marginal histograms */
#define GAP    6.0
#define BAR_X  (LEFT + SIDE + GAP + MARGIN + 18)
#define WIDTH  (BAR_X + 66)
#define HEIGHT (TOP + SIDE + 44)
#define CELL   (SIDE / BAL_HEATMAP_BINS)

/* Colours run over the logarithm of the count, from `least` (light) to the fullest cell (dark). `least` is one clip, or more where
 * no cell is that empty, but never so much that chance differences between full cells would fill the scale. */
typedef struct Scale {
    double least, most;
} Scale;

static Scale scale_of(const BalHeatmap *h) {
    int64_t most = 1, least = INT64_MAX;
    for (int r = 0; r < BAL_HEATMAP_BINS; r++)
        for (int c = 0; c < BAL_HEATMAP_BINS; c++) {
            if (h->counts[r][c] > most) most = h->counts[r][c];
            if (h->counts[r][c] && h->counts[r][c] < least) least = h->counts[r][c];
        }
    return (Scale){fmax(1, fmin((double)least, floor((double)most / 100))), (double)most};
}

/* Place of a count on the scale, in [0,1]. */
static double place(Scale s, double count) {
    return s.most > s.least ? log(count / s.least) / log(s.most / s.least) : 0.5;
}

static BalRgb shade(double at) {
    return bal_colour_map(0.10 + 0.85 * at);
}

static void draw_cells(BalFigure *f, const BalHeatmap *h, Scale scale) {
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_NONE); /* no seams between neighbours */
    for (int r = 0; r < BAL_HEATMAP_BINS; r++)
        for (int c = 0; c < BAL_HEATMAP_BINS; c++) {
            if (!h->counts[r][c]) continue;
            bal_figure_colour(f, shade(place(scale, (double)h->counts[r][c])), 1);
            bal_figure_rect(f, LEFT + c * CELL, TOP + SIDE - (r + 1) * CELL, CELL, CELL);
        }
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_DEFAULT);
}

static double map_x(double u_visual) {
    return LEFT + SIDE * u_visual;
}

static double map_y(double u_audio) {
    return TOP + SIDE * (1 - u_audio);
}

/* A line over a pale seam, to be seen on light and dark cells alike. */
static void draw_line(BalFigure *f, double v0, double a0, double v1, double a1) {
    bal_figure_colour(f, (BalRgb){1, 1, 1}, 0.6);
    bal_figure_line(f, map_x(v0), map_y(a0), map_x(v1), map_y(a1), 2.2);
    bal_figure_colour(f, bal_colour_ink, 0.9);
    bal_figure_line(f, map_x(v0), map_y(a0), map_x(v1), map_y(a1), 0.8);
}

/* The diagonal d = 0 and, dashed, d = T and d = -T. */
static void draw_lines(BalFigure *f, const BalFigureSpec *spec) {
    static const double dashes[2] = {3, 2.5};
    draw_line(f, 0, 0, 1, 1);
    for (int i = 0; i < spec->n_thresholds; i++) {
        double t = spec->threshold[i];
        cairo_set_dash(f->cr, dashes, 2, 0);
        draw_line(f, 0, t, 1 - t, 1);
        draw_line(f, t, 0, 1, 1 - t);
        cairo_set_dash(f->cr, NULL, 0, 0);
    }
}

/* The line that says which side of the diagonal is which: outside of the map, where it covers no cell. */
static void draw_shares(BalFigure *f, const BalHeatmap *h, double y) {
    const double n = (double)h->n, gap = 12;
    double x = LEFT;
    bal_figure_colour(f, bal_colour_audio, 1);
    x += bal_figure_text(f, x, y, 8.5, -1, false, "above: audio-preferred %.1f %%",
                         100 * (double)h->audio_preferred / n);
    bal_figure_colour(f, bal_colour_visual, 1);
    x += gap;
    x += bal_figure_text(f, x, y, 8.5, -1, false, "below: visual-preferred %.1f %%",
                         100 * (double)h->visual_preferred / n);
    bal_figure_colour(f, bal_colour_grey, 1);
    bal_figure_text(f, x + gap, y, 8.5, -1, false, "on it: ties %.1f %%", 100 * (double)h->ties / n);
}

/* What is in the map: clips, mean |d|, and which |d| the dashed lines stand for. */
static void draw_subtitle(BalFigure *f, const BalHeatmap *h, const BalFigureSpec *spec, double y) {
    char count[32];
    BalText t = {0};
    bal_text_f(&t, "%s clip%s   mean |" BAL_ITALIC("d") "| = %.3f", bal_figure_count(count, h->n), h->n == 1 ? "" : "s",
               h->sum_abs / (double)h->n);
    for (int i = 0; i < spec->n_thresholds; i++)
        bal_text_f(&t, "%s%g", i ? ", " : "   dashed: |" BAL_ITALIC("d") "| = ", spec->threshold[i]);
    bal_figure_colour(f, bal_colour_grey, 1);
    bal_figure_text(f, LEFT, y, 8.5, -1, false, "%s", bal_text_str(&t));
    f->bytes.failed |= t.failed;
    bal_text_reset(&t);
}

static void draw_marginals(BalFigure *f, const BalHeatmap *h) {
    int64_t across[BAL_HEATMAP_BINS] = {0}, up[BAL_HEATMAP_BINS] = {0}, most = 1;
    for (int r = 0; r < BAL_HEATMAP_BINS; r++)
        for (int c = 0; c < BAL_HEATMAP_BINS; c++) {
            across[c] += h->counts[r][c];
            up[r] += h->counts[r][c];
        }
    for (int k = 0; k < BAL_HEATMAP_BINS; k++) {
        if (across[k] > most) most = across[k];
        if (up[k] > most) most = up[k];
    }
    double unit = MARGIN / (double)most; /* one scale for both, so that they can be compared */
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_NONE);
    for (int k = 0; k < BAL_HEATMAP_BINS; k++) {
        bal_figure_colour(f, bal_colour_visual, 0.85);
        bal_figure_rect(f, LEFT + k * CELL, TOP - GAP - unit * (double)across[k], CELL, unit * (double)across[k]);
        bal_figure_colour(f, bal_colour_audio, 0.85);
        bal_figure_rect(f, LEFT + SIDE + GAP, TOP + SIDE - (k + 1) * CELL, unit * (double)up[k], CELL);
    }
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_DEFAULT);
    bal_figure_colour(f, bal_colour_grey, 1);
    bal_figure_line(f, LEFT, TOP - GAP, LEFT + SIDE, TOP - GAP, 0.6);
    bal_figure_line(f, LEFT + SIDE + GAP, TOP, LEFT + SIDE + GAP, TOP + SIDE, 0.6);
    bal_figure_text(f, LEFT + SIDE + GAP + 2, TOP - GAP - MARGIN + 7, 7, -1, false, "peak %.*f %%",
                    100.0 * (double)most / (double)h->n < 1 ? 2 : 1, 100.0 * (double)most / (double)h->n);
}

/* Colour bar with ticks at 1, 2 and 5 times powers of ten, as shares in per cent; fewer where they would touch. */
static void draw_bar(BalFigure *f, const BalHeatmap *h, Scale scale) {
    static const double step[3] = {1, 2, 5};
    const double w = 10, one = 100.0 / (double)h->n;
    const int steps = 140;
    bool flat = scale.most <= scale.least;
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_NONE);
    for (int i = 0; i < steps; i++) {
        bal_figure_colour(f, shade(flat ? 0.5 : (i + 0.5) / steps), 1);
        bal_figure_rect(f, BAR_X, TOP + SIDE * (1 - (i + 1.0) / steps), w, SIDE / steps);
    }
    cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_DEFAULT);
    bal_figure_colour(f, bal_colour_ink, 1);
    cairo_set_line_width(f->cr, 0.8);
    cairo_rectangle(f->cr, BAR_X, TOP, w, SIDE);
    cairo_stroke(f->cr);
    double last_y = 1e9;
    for (int k = -12; k <= 2 && !flat; k++)
        for (int j = 0; j < (scale.most / scale.least < 1000 ? 3 : 1); j++) {
            double share = step[j] * pow(10, k), at = place(scale, share / one), y = TOP + SIDE * (1 - at);
            if (at < -0.001 || at > 1.001 || last_y - y < 10) continue;
            last_y = y;
            bal_figure_line(f, BAR_X + w, y, BAR_X + w + 3, y, 0.8);
            bal_figure_text(f, BAR_X + w + 5, y + 2.9, 8, -1, false, "%.*f %%", k < 0 ? -k : 0, share);
        }
    if (flat) bal_figure_text(f, BAR_X + w + 5, TOP + SIDE / 2 + 2.9, 8, -1, false, "%.3g %%", one * scale.most);
    bal_figure_text(f, BAR_X, TOP - 8, 8, -1, false, "share");
    bal_figure_colour(f, bal_colour_grey, 1);
    if (!flat && scale.least <= 1) bal_figure_text(f, BAR_X, TOP + SIDE + 11, 7, -1, false, "one clip");
}

BalStatus bal_figure_heatmap(const BalHeatmap *h, const BalFigureSpec *spec, const char *path, BalError *err) {
    if (h->n < 1) return BAL_FAIL(err, BAL_E_ARG, "the heatmap is empty");
    BalFigure f;
    Scale scale = scale_of(h);
    BAL_TRY(bal_figure_open(&f, path, WIDTH, HEIGHT, spec->scale, err));
    bal_figure_bold(&f, true);
    bal_figure_text(&f, LEFT, 22, 12, -1, false, "%s", spec->title ? spec->title : "Modality discrepancy");
    bal_figure_bold(&f, false);
    draw_subtitle(&f, h, spec, 37);
    draw_shares(&f, h, 50);
    draw_cells(&f, h, scale);
    draw_lines(&f, spec);
    draw_marginals(&f, h);
    draw_bar(&f, h, scale);
    const BalAxis across = {0, 1, 0.2, 1, BAL_ITALIC("u") BAL_INDEX "v   mean confidence from the picture alone"};
    const BalAxis up = {0, 1, 0.2, 1, BAL_ITALIC("u") BAL_INDEX "a   mean confidence from the sound alone"};
    bal_figure_frame(&f, LEFT, TOP, SIDE, SIDE, &across, &up);
    BalStatus rc = bal_figure_save(&f, path, err);
    bal_figure_drop(&f);
    return rc;
}
