/* Report: figures. The same drawing code makes PNG, SVG and PDF, by the ending of the path; same input, same bytes. */
#ifndef AVBALANCE_REPORT_H
#define AVBALANCE_REPORT_H

#include <avbalance/analysis.h>
#include <avbalance/curate.h>
#include <avbalance/error.h>
#include <avbalance/select.h>

typedef struct BalFigureSpec {
    const char *title;       /* NULL: the figure's own */
    const double *threshold; /* heatmap: lines at |d| = T */
    int n_thresholds;
    double scale; /* PNG pixels per point (default 2.5: 180 dots per inch) */
} BalFigureSpec;
BAL_API BalFigureSpec bal_figure_spec_default(void);
/* BAL_E_ARG where no figure can be written to a path that ends like this: to be asked before long work. */
BAL_API BAL_MUST_USE BalStatus bal_figure_may_be(const char *path, BalError *err);

/* Share of clips per 0.01 x 0.01 cell as colour (logarithmic), u_visual on x, u_audio on y, marginal histograms, diagonal.
 * All of these: BAL_E_ARG where the path ends in none of .png .svg .pdf; the file appears whole or not at all. */
BAL_API BAL_MUST_USE BalStatus bal_figure_heatmap(const BalHeatmap *h, const BalFigureSpec *spec, const char *path,
                                                  BalError *err);
/* Two panels, audio and visual: spread over epochs on x, mean confidence on y, colour by correctness (Swayamdipta et al. 2020).
 * BAL_E_FORMAT where the scores have no sd_audio and sd_visual. */
BAL_API BAL_MUST_USE BalStatus bal_figure_datamap(const BalScores *s, const BalFigureSpec *spec, const char *path,
                                                  BalError *err);
/* Histogram of d over [-1,1] in 50 bins, one panel per split, the uniform density as a line. */
BAL_API BAL_MUST_USE BalStatus bal_figure_discrepancy(const BalScores *s, const BalFigureSpec *spec, const char *path,
                                                      BalError *err);
/* Accuracy on the audio-dominated and the visual-dominated clips over the threshold T, one line per method, with the sizes of the
 * subsets (Xia et al. 2023, figure 2). */
BAL_API BAL_MUST_USE BalStatus bal_figure_curves(const BalEvaluation *e, const BalFigureSpec *spec, const char *path,
                                                 BalError *err);
/* Reliability diagrams of a scorer at temperature 1 and at its own: bars of accuracy per bin of confidence, with the histogram of
 * confidences below. */
BAL_API BAL_MUST_USE BalStatus bal_figure_calibration(const BalCalibration *c, const BalFigureSpec *spec,
                                                      const char *path, BalError *err);
/* Write DIR/evaluate.txt, .csv, .md, .tex, curves.csv, classes.csv, curves.png, .svg, .pdf, and evaluate.json last; all or none. */
BAL_API BAL_MUST_USE BalStatus bal_evaluation_save(const BalEvaluation *e, const BalFigureSpec *spec, const char *dir,
                                                   BalError *err);
/* How many clips can be kept against how uneven their bins then are, with the selection itself; beside it the bins before and after.
 * The selection has bins of d (no grid), or only the curve is drawn. */
BAL_API BAL_MUST_USE BalStatus bal_figure_frontier(const BalSelectResult *s, const BalFrontier *f,
                                                   const BalFigureSpec *spec, const char *path, BalError *err);
BAL_API const char *bal_report_version(void); /* of cairo */

#endif
