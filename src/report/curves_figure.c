/* Figure 2 of Xia et al. 2023: accuracy on the clips that one modality dominates, over the threshold T. Two panels share the scale of
 * accuracy; a strip of bars below each says how many clips are left, for the right end of a curve often stands on few. */
#include <math.h>
#include <string.h>

#include "report/figure.h"

#define WIDTH   236.0 /* of a panel; the frame is wider than the axis by PAD on both sides */
#define HEIGHT  170.0
#define PAD     13.0
#define LEFT    58.0
#define GAP     46.0
#define TOP     76.0
#define STRIP   34.0 /* height of the bars */
#define STRIP_Y (TOP + HEIGHT + 40)
#define LEGEND  (STRIP_Y + STRIP + 24)
#define LINE    14.0
#define FULL    (LEFT + 2 * WIDTH + GAP + 16)

/* Okabe & Ito 2008 without yellow, which is too pale for lines on white, and without the two of the modalities. */
static const BalRgb colours[] = {{0.00, 0.00, 0.00}, {0.00, 0.62, 0.45}, {0.90, 0.62, 0.00},
                                 {0.34, 0.71, 0.91}, {0.80, 0.47, 0.65}, {0.45, 0.45, 0.48}};
enum { N_COLOURS = 6, N_DASHES = 3, N_MARKS = 7 };

typedef struct Style {
    BalRgb colour;
    double width;
    int dash, mark;
} Style;

/* Colour, dashes and mark together differ between up to 126 methods; the unimodal models have their own colours and thick lines. */
static Style style_of(const BalEvaluation *e, int r) {
    int same = 0;
    for (int k = 0; k < r; k++) same += e->row[k].modality == e->row[r].modality;
    if (e->row[r].modality != BAL_MODALITY_BOTH)
        return (Style){e->row[r].modality == BAL_MODALITY_AUDIO ? bal_colour_audio : bal_colour_visual, 2.2,
                       same % N_DASHES, same % N_MARKS};
    return (Style){colours[same % N_COLOURS], 1.2, same / N_COLOURS % N_DASHES, same % N_MARKS};
}

static void set_dash(BalFigure *f, int dash) {
    static const double pattern[N_DASHES][4] = {{1, 0, 0, 0}, {4, 2.2, 4, 2.2}, {1.2, 1.8, 1.2, 1.8}};
    cairo_set_dash(f->cr, pattern[dash], dash ? 4 : 0, 0);
}

/* A filled mark of about 5 points with a white seam. */
static void draw_mark(BalFigure *f, const Style *s, double x, double y) {
    static const struct {
        int n;
        double x[4], y[4];
    } shape[N_MARKS - 1] = {{4, {-1, 1, 1, -1}, {-1, -1, 1, 1}},       {3, {0, 1.2, -1.2}, {-1.3, 0.9, 0.9}},
                            {4, {0, 1.3, 0, -1.3}, {-1.3, 0, 1.3, 0}}, {3, {0, 1.2, -1.2}, {1.3, -0.9, -0.9}},
                            {3, {1.3, -0.9, -0.9}, {0, 1.2, -1.2}},    {3, {-1.3, 0.9, 0.9}, {0, 1.2, -1.2}}};
    const double r = 2.3;
    cairo_new_path(f->cr);
    if (s->mark == 0) {
        cairo_arc(f->cr, x, y, 1.1 * r, 0, 2 * M_PI);
    } else {
        for (int k = 0; k < shape[s->mark - 1].n; k++)
            cairo_line_to(f->cr, x + r * shape[s->mark - 1].x[k], y + r * shape[s->mark - 1].y[k]);
        cairo_close_path(f->cr);
    }
    cairo_set_line_width(f->cr, 0.9);
    bal_figure_colour(f, (BalRgb){1, 1, 1}, 1);
    cairo_stroke_preserve(f->cr);
    bal_figure_colour(f, s->colour, 1);
    cairo_fill(f->cr);
}

static double x_of(double left, int point) {
    return left + PAD + (WIDTH - 2 * PAD) * point / (BAL_CURVE_POINTS - 1);
}

static double y_of(const BalAxis *up, double accuracy) {
    return TOP + HEIGHT * (1 - (100 * accuracy - up->min) / (up->max - up->min));
}

/* Whole tens around all accuracies, so that no line lies on the frame. */
static BalAxis scale_of(const BalEvaluation *e) {
    double low = 1, high = 0;
    for (int r = 0; r < e->n_rows; r++)
        for (int k = 0; k < 2 * BAL_CURVE_POINTS; k++) {
            double a = e->row[r].cell[e->curve[k % 2][k / 2]].accuracy;
            if (isnan(a)) continue;
            low = fmin(low, a);
            high = fmax(high, a);
        }
    BalAxis up = {10 * floor(10 * low - 0.2), 10 * ceil(10 * high + 0.2), 10, 0, "accuracy in %"};
    up.min = fmax(0, up.min);
    up.max = fmin(100, up.max);
    if (up.max - up.min > 60) up.step = 20;
    if (up.step == 20) up.min = 20 * floor(up.min / 20);
    return up;
}

/* The line is broken where a subset is empty. */
static void draw_line(BalFigure *f, const BalEvaluation *e, int r, int side, double left, const BalAxis *up) {
    const Style s = style_of(e, r);
    bool drawing = false;
    bal_figure_colour(f, s.colour, 1);
    cairo_set_line_width(f->cr, s.width);
    set_dash(f, s.dash);
    cairo_new_path(f->cr);
    for (int k = 0; k < BAL_CURVE_POINTS; k++) {
        double a = e->row[r].cell[e->curve[side][k]].accuracy;
        if (!isnan(a) && drawing) cairo_line_to(f->cr, x_of(left, k), y_of(up, a));
        if (!isnan(a) && !drawing) cairo_move_to(f->cr, x_of(left, k), y_of(up, a));
        drawing = !isnan(a);
    }
    cairo_stroke(f->cr);
    set_dash(f, 0);
    for (int k = 0; k < BAL_CURVE_POINTS; k++) {
        double a = e->row[r].cell[e->curve[side][k]].accuracy;
        if (!isnan(a)) draw_mark(f, &s, x_of(left, k), y_of(up, a));
    }
}

/* Pale lines at the ticks of accuracy, and the ticks of T. */
static void draw_grid(BalFigure *f, double left, const BalAxis *up) {
    bal_figure_colour(f, bal_colour_pale, 1);
    for (int k = 1; up->min + k * up->step < up->max; k++) {
        double y = y_of(up, (up->min + k * up->step) / 100);
        bal_figure_line(f, left, y, left + WIDTH, y, 0.5);
    }
    bal_figure_colour(f, bal_colour_ink, 1);
    for (int k = 0; k < BAL_CURVE_POINTS; k++) {
        bal_figure_line(f, x_of(left, k), TOP + HEIGHT, x_of(left, k), TOP + HEIGHT + 3, 0.8);
        bal_figure_text(f, x_of(left, k), TOP + HEIGHT + 12, 8, 0, false, "%.1f", (double)k / BAL_CURVE_POINTS);
    }
    bal_figure_text(f, left + WIDTH / 2, TOP + HEIGHT + 25, 9, 0, false, "threshold " BAL_ITALIC("T"));
}

static void draw_sizes(BalFigure *f, const BalEvaluation *e, int side, double left, double most) {
    char count[32];
    for (int k = 0; k < BAL_CURVE_POINTS; k++) {
        const int64_t n = e->subset[e->curve[side][k]].n;
        const double h = (STRIP - 8) * (double)n / most, y = STRIP_Y + STRIP;
        bal_figure_colour(f, side ? bal_colour_visual : bal_colour_audio, 0.35);
        bal_figure_rect(f, x_of(left, k) - 8, y - h, 16, h);
        bal_figure_colour(f, bal_colour_ink, 1);
        bal_figure_text(f, x_of(left, k), y - h - 2, 6, 0, false, "%s", bal_figure_count(count, n));
    }
    bal_figure_colour(f, bal_colour_grey, 1);
    bal_figure_line(f, left, STRIP_Y + STRIP, left + WIDTH, STRIP_Y + STRIP, 0.6);
    if (!side) bal_figure_text(f, left - 6, STRIP_Y + STRIP - 8, 8, 1, false, "clips");
}

static void draw_panel(BalFigure *f, const BalEvaluation *e, int side, const BalAxis *scale) {
    const double left = LEFT + side * (WIDTH + GAP);
    const double most = fmax(1, fmax((double)e->subset[e->curve[0][0]].n, (double)e->subset[e->curve[1][0]].n));
    BalAxis up = *scale;
    if (side) up.label = NULL;
    draw_grid(f, left, &up);
    bal_figure_frame(f, left, TOP, WIDTH, HEIGHT, NULL, &up);
    for (int r = e->n_rows - 1; r >= 0; r--) draw_line(f, e, r, side, left, &up); /* unimodal ones on top */
    draw_sizes(f, e, side, left, most);
    bal_figure_bold(f, true);
    bal_figure_colour(f, side ? bal_colour_visual : bal_colour_audio, 1);
    double x = left + bal_figure_text(f, left, TOP - 8, 9, -1, false, side ? "visual-dominated" : "audio-dominated");
    bal_figure_bold(f, false);
    bal_figure_colour(f, bal_colour_ink, 1);
    bal_figure_text(f, x + 7, TOP - 8, 9, -1, false,
                    side ? BAL_ITALIC("u") BAL_INDEX "v − " BAL_ITALIC("u") BAL_INDEX "a > " BAL_ITALIC("T")
                         : BAL_ITALIC("u") BAL_INDEX "a − " BAL_ITALIC("u") BAL_INDEX "v > " BAL_ITALIC("T"));
}

/* Columns of the legend: as many as the longest name leaves room for. */
static int legend_columns(const BalEvaluation *e) {
    size_t longest = 1;
    for (int r = 0; r < e->n_rows; r++)
        if (strlen(e->row[r].name) > longest) longest = strlen(e->row[r].name);
    int n = (int)((FULL - LEFT - 10) / (38 + 5.2 * (double)longest));
    return n < 1 ? 1 : n > 5 ? 5 : n;
}

static void draw_legend(BalFigure *f, const BalEvaluation *e) {
    const int columns = legend_columns(e), lines = (e->n_rows + columns - 1) / columns;
    const double step = (FULL - LEFT - 10) / columns;
    for (int r = 0; r < e->n_rows; r++) {
        const Style s = style_of(e, r);
        double x = LEFT + step * (r / lines), y = LEGEND + LINE * (r % lines);
        bal_figure_colour(f, s.colour, 1);
        set_dash(f, s.dash);
        bal_figure_line(f, x, y - 3, x + 22, y - 3, s.width);
        set_dash(f, 0);
        draw_mark(f, &s, x + 11, y - 3);
        bal_figure_colour(f, bal_colour_ink, 1);
        bal_figure_text(f, x + 28, y, 8, -1, false, "%s", e->row[r].name);
    }
}

BalStatus bal_curves_draw(BalFigure *f, const BalEvaluation *e, const BalFigureSpec *spec, const char *path,
                          BalError *err) {
    if (e->n_rows < 1) return BAL_FAIL(err, BAL_E_ARG, "there is no method to draw");
    char count[32];
    const int columns = legend_columns(e), lines = (e->n_rows + columns - 1) / columns;
    const BalAxis up = scale_of(e);
    BAL_TRY(bal_figure_open(f, path, FULL, LEGEND + LINE * lines, spec->scale, err));
    bal_figure_bold(f, true);
    bal_figure_text(f, LEFT, 22, 12, -1, false, "%s",
                    spec->title ? spec->title : "Accuracy where one modality dominates");
    bal_figure_bold(f, false);
    bal_figure_colour(f, bal_colour_grey, 1);
    bal_figure_text(f, LEFT, 37, 8.5, -1, false, "split %s, %s clip%s; bars: clips beyond the threshold", e->split,
                    bal_figure_count(count, e->n), e->n == 1 ? "" : "s");
    for (int side = 0; side < 2; side++) draw_panel(f, e, side, &up);
    draw_legend(f, e);
    return BAL_OK;
}

BalStatus bal_figure_curves(const BalEvaluation *e, const BalFigureSpec *spec, const char *path, BalError *err) {
    BalFigure f;
    BAL_TRY(bal_curves_draw(&f, e, spec, path, err));
    BalStatus rc = bal_figure_save(&f, path, err);
    bal_figure_drop(&f);
    return rc;
}
