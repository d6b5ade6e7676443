/* A canvas in points that becomes a PNG, SVG or PDF, and the few things figures are made of. cairo stays in this room. */
#ifndef BAL_REPORT_FIGURE_H
#define BAL_REPORT_FIGURE_H

#include <cairo.h>
#include <avbalance/report.h>
#include "base/text.h"

typedef struct BalRgb {
    double r, g, b;
} BalRgb;
/* Two colours that all kinds of sight tell apart (Okabe & Ito 2008): sound is blue, picture is vermilion, in every figure. */
extern const BalRgb bal_colour_audio, bal_colour_visual, bal_colour_ink, bal_colour_grey, bal_colour_pale;
/* Perceptually uniform, dark for much: magma from its light end. t in [0,1]. */
BalRgb bal_colour_map(double t);

typedef struct BalFigure { /* zero, then bal_figure_open; bal_figure_drop frees */
    cairo_t *cr;
    cairo_surface_t *surface;
    BalText bytes;
    int kind;
    double width, height; /* points */
} BalFigure;
BAL_MUST_USE BalStatus bal_figure_open(BalFigure *f, const char *path, double width, double height, double scale,
                                       BalError *err);
BAL_MUST_USE BalStatus bal_figure_finish(BalFigure *f, const char *path, BalError *err); /* f->bytes are the file */
BAL_MUST_USE BalStatus bal_figure_save(BalFigure *f, const char *path, BalError *err);   /* and write it */
void bal_figure_drop(BalFigure *f);

void bal_figure_colour(BalFigure *f, BalRgb c, double alpha);
void bal_figure_rect(BalFigure *f, double x, double y, double w, double h);                   /* filled */
void bal_figure_line(BalFigure *f, double x0, double y0, double x1, double y1, double width); /* stroked */
/* Marks inside text that nobody's titles contain: the next letter is an index; a stretch in italics. */
#define BAL_INDEX     "\2"
#define BAL_SLANT     "\1"
#define BAL_ITALIC(s) BAL_SLANT s BAL_SLANT
/* Text with its baseline at (x, y); align: -1 begins there, 0 is centred, 1 ends there. turned: reads upwards. Returns the width in
 * points. */
double bal_figure_text(BalFigure *f, double x, double y, double size, int align, bool turned, const char *fmt, ...)
    BAL_PRINTF(7, 8);
void bal_figure_bold(BalFigure *f, bool on);
/* Group of three digits: "10,000,000". out: at least 32 bytes. */
const char *bal_figure_count(char *out, int64_t n);

/* A frame with ticks outside. Values from min to max; ticks at every `step`, labelled with `decimals`. */
typedef struct BalAxis {
    double min, max, step;
    int decimals;
    const char *label;
} BalAxis;
void bal_figure_frame(BalFigure *f, double x, double y, double w, double h, const BalAxis *across, const BalAxis *up);

/* bal_figure_curves up to the finish: opens f, which is the caller's to save and drop. */
BAL_MUST_USE BalStatus bal_curves_draw(BalFigure *f, const BalEvaluation *e, const BalFigureSpec *spec,
                                       const char *path, BalError *err);

#endif
