/* Evidence of several views, combined by Dempster's rule, and its loss (Han et al. 2021, Trusted Multi-View Classification).
 *
 * In the reduced form of the rule that the paper uses, the conflict between two opinions cancels out: the combined evidence is
 * e = e_1 + e_2 + e_1 e_2 / C per class, which is symmetric and associative. So nothing but that is computed, and its gradient is
 * de/de_1 = 1 + e_2 / C. */
#include "methods/evidence.h"
#include <math.h>

/* Recurrence up to where the asymptotic series is exact to double precision. */
double bal_digamma(double x) {
    double shift = 0;
    while (x < 10) shift -= 1 / x++;
    const double r = 1 / (x * x);
    return shift + log(x) - 0.5 / x -
           r * (1. / 12 - r * (1. / 120 - r * (1. / 252 - r * (1. / 240 - r * (1. / 132 - r * 691. / 32760)))));
}

double bal_trigamma(double x) {
    double shift = 0;
    while (x < 10) {
        shift += 1 / (x * x);
        x++;
    }
    const double r = 1 / (x * x);
    return shift + 1 / x + r / 2 +
           r / x * (1. / 6 - r * (1. / 30 - r * (1. / 42 - r * (1. / 30 - r * (5. / 66 - r * 691. / 2730)))));
}

static double softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* Evidence of every view for one class, the combined one, and d combined / d view. */
typedef struct Fused {
    double e[EVIDENCE_VIEWS], all, slope[EVIDENCE_VIEWS];
} Fused;

static Fused fuse(const float *const *z, int n_views, int64_t at, int c) {
    Fused f;
    for (int v = 0; v < n_views; v++) {
        f.e[v] = softplus(z[v][at]);
        f.slope[v] = 1;
        if (!v) {
            f.all = f.e[v];
            continue;
        }
        for (int u = 0; u < v; u++) f.slope[u] *= 1 + f.e[v] / c;
        f.slope[v] = 1 + f.all / c;
        f.all += f.e[v] + f.all * f.e[v] / c;
    }
    return f;
}

void bal_evidence_combine(const float *const *z, int n_views, int n, int c, float *log_alpha) {
    for (int64_t i = 0; i < (int64_t)n * c; i++) log_alpha[i] = (float)log1p(fuse(z, n_views, i, c).all);
}

static double evidence_of(const Fused *f, int view, int n_views) {
    return view < n_views ? f->e[view] : f->all;
}

/* Loss of clip i in one view, or (view == n_views) in the combination; its gradient goes into every dz that it depends on. */
static double one(const float *const *z, int n_views, int view, int64_t i, int y, int c, double lambda, double scale,
                  float *const *dz) {
    double sum = c, wrong = c, surplus = 0, kl = 0, e_y = 0;
    for (int k = 0; k < c; k++) { /* sum: S of alpha; wrong: S of alpha with the evidence of class y taken out */
        const Fused f = fuse(z, n_views, i * c + k, c);
        const double e = evidence_of(&f, view, n_views);
        sum += e;
        if (k == y)
            e_y = e;
        else
            wrong += e, surplus += e;
    }
    const double psi_wrong = bal_digamma(wrong), slope_sum = bal_trigamma(sum), slope_wrong = bal_trigamma(wrong);
    kl = lgamma(wrong) - lgamma(c);
    for (int k = 0; k < c; k++) {
        const Fused f = fuse(z, n_views, i * c + k, c);
        const double e = evidence_of(&f, view, n_views), alpha = e + 1;
        double d = slope_sum;
        if (k == y) {
            d -= bal_trigamma(alpha);
        } else {
            kl += e * (bal_digamma(alpha) - psi_wrong) - lgamma(alpha);
            d += lambda * (e * bal_trigamma(alpha) - surplus * slope_wrong);
        }
        for (int v = 0; v < n_views; v++)
            if (view == v || view == n_views)
                dz[v][i * c + k] += (float)(scale * d * (view == v ? 1 : f.slope[v]) * sigmoid(z[v][i * c + k]));
    }
    return bal_digamma(sum) - bal_digamma(e_y + 1) + lambda * kl;
}

double bal_evidence_loss(const float *const *z, int n_views, const int32_t *y, int n, int c, double lambda,
                         float *const *dz) {
    double loss = 0;
    for (int v = 0; v < n_views; v++)
        for (int64_t i = 0; i < (int64_t)n * c; i++) dz[v][i] = 0;
    for (int i = 0; i < n; i++)
        for (int view = 0; view <= n_views; view++) loss += one(z, n_views, view, i, y[i], c, lambda, 1.0 / n, dz);
    return loss / n;
}
