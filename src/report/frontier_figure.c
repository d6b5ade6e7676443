/* The frontier of a selection: clips kept against KL / ln B of the eligible bins, from the most even selection to the largest, with the one
 * that was made; below it the bins before and after. */
#include <math.h>

#include "report/figure.h"

#define LEFT   62.0
#define TOP    54.0
#define WIDTH  420.0
#define HEIGHT 190.0
#define GAP    70.0
#define BARS   110.0
#define RIGHT  24.0
#define FULL   (LEFT + WIDTH + RIGHT)

static const BalRgb green = {0.00, 0.62, 0.45}; /* Okabe & Ito 2008 */

/* A step of 1, 2 or 5 times a power of ten that parts `max` into four to ten. */
static double step_of(double max) {
    const double ten = pow(10, floor(log10(max)));
    return max / ten >= 5 ? ten : max / ten >= 2 ? ten / 2 : ten / 5;
}

static BalAxis axis_of(double max, const char *label) {
    BalAxis a = {0, 1, 1, 0, label};
    if (max > 0) {
        a.step = step_of(max);
        a.max = a.step * ceil(max / a.step * 1.02);
        a.decimals = a.step >= 1 ? 0 : (int)ceil(-log10(a.step) - 1e-9);
    }
    return a;
}

static double x_of(const BalAxis *a, double v) {
    return LEFT + WIDTH * v / a->max;
}

static double y_of(const BalAxis *a, double v) {
    return TOP + HEIGHT * (1 - v / a->max);
}

static void draw_curve(BalFigure *f, const BalFrontier *x, const BalAxis *across, const BalAxis *up) {
    bool begun = false;
    bal_figure_colour(f, bal_colour_ink, 1);
    cairo_set_line_width(f->cr, 1.6);
    cairo_new_path(f->cr);
    for (int i = 0; i < x->n; i++) {
        if (isnan(x->point[i].bins.kl_norm)) continue;
        const double px = x_of(across, (double)x->point[i].kept), py = y_of(up, x->point[i].bins.kl_norm);
        if (begun)
            cairo_line_to(f->cr, px, py);
        else
            cairo_move_to(f->cr, px, py);
        begun = true;
    }
    cairo_stroke(f->cr);
}

static void draw_selection(BalFigure *f, const BalSelectResult *s, const BalAxis *across, const BalAxis *up) {
    char count[32];
    if (!s->kept || isnan(s->after.eligible.kl_norm)) return;
    const double x = x_of(across, (double)s->kept), y = y_of(up, s->after.eligible.kl_norm);
    const bool high = y<TOP + 40, right = x> LEFT + 0.6 * WIDTH; /* words go where the line is not */
    const double up_to = high ? y : y - 30;
    bal_figure_colour(f, green, 1);
    bal_figure_line(f, x, y, x, up_to, 0.8);
    cairo_arc(f->cr, x, y, 4, 0, 2 * M_PI);
    cairo_fill(f->cr);
    bal_figure_text(f,
                    high    ? x - 8
                    : right ? x + 3
                            : x - 3,
                    high ? y + 3 : up_to - 3, 8.5, high || right ? 1 : -1, false, "%s: %s clips kept",
                    bal_policy_name(s->spec.policy), bal_figure_count(count, s->kept));
}

/* Bars of each bin: all clips pale, those kept in the colour of the side. */
static void draw_bins(BalFigure *f, const BalSelectResult *s) {
    const double top = TOP + HEIGHT + GAP, w = WIDTH / s->n_bins;
    double most = 1;
    for (int b = 0; b < s->n_bins; b++) most = fmax(most, (double)s->before.per_bin[b]);
    BalAxis up = axis_of(most, "clips"),
            across = {-1, 1, 0.2, 1, BAL_ITALIC("u") BAL_INDEX "a − " BAL_ITALIC("u") BAL_INDEX "v"};
    for (int b = 0; b < s->n_bins; b++) {
        const double x = LEFT + b * w + 0.08 * w, n = BARS * (double)s->before.per_bin[b] / up.max,
                     k = BARS * (double)s->after.per_bin[b] / up.max;
        bal_figure_colour(f, bal_colour_pale, 1);
        bal_figure_rect(f, x, top + BARS - n, 0.84 * w, n);
        bal_figure_colour(f, b < s->n_bins / 2 ? bal_colour_visual : bal_colour_audio, 1);
        bal_figure_rect(f, x, top + BARS - k, 0.84 * w, k);
    }
    bal_figure_colour(f, bal_colour_ink, 1);
    up.step *= 2;
    bal_figure_frame(f, LEFT, top, WIDTH, BARS, &across, &up);
    bal_figure_colour(f, bal_colour_grey, 1);
    bal_figure_text(f, LEFT, top - 7, 8.5, -1, false, "clips per bin: pale all, solid kept");
}

BalStatus bal_figure_frontier(const BalSelectResult *s, const BalFrontier *x, const BalFigureSpec *spec,
                              const char *path, BalError *err) {
    BalFigure f;
    double most = (double)s->kept, uneven = s->kept ? s->after.eligible.kl_norm : 0;
    char count[32];
    const bool bins = !s->spec.grid;
    for (int i = 0; i < x->n; i++) {
        most = fmax(most, (double)x->point[i].kept);
        uneven = fmax(uneven, x->point[i].bins.kl_norm);
    }
    const BalAxis across = axis_of(most, "clips kept"), up = axis_of(uneven, "KL / ln B of the bins to uniform");
    BAL_TRY(bal_figure_open(&f, path, FULL, TOP + HEIGHT + (bins ? GAP + BARS : 0) + 44, spec->scale, err));
    bal_figure_bold(&f, true);
    bal_figure_text(&f, LEFT, 22, 12, -1, false, "%s", spec->title ? spec->title : "Size against balance");
    bal_figure_bold(&f, false);
    bal_figure_colour(&f, bal_colour_grey, 1);
    bal_figure_text(&f, LEFT, 37, 8.5, -1, false, "%s clips; no selection within the limits lies below the line",
                    bal_figure_count(count, s->before.n));
    bal_figure_colour(&f, bal_colour_ink, 1);
    bal_figure_frame(&f, LEFT, TOP, WIDTH, HEIGHT, &across, &up);
    draw_curve(&f, x, &across, &up);
    draw_selection(&f, s, &across, &up);
    if (bins) draw_bins(&f, s);
    BalStatus rc = bal_figure_save(&f, path, err);
    bal_figure_drop(&f);
    return rc;
}
