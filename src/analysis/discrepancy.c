/* The estimate u and what several seeds say about d = u_a - u_v (Xia et al. 2023, section 2.1). */
#include <math.h>

#include <avbalance/analysis.h>

BalStatus bal_confidence_mean(const double *conf, int64_t n_epochs, int64_t n_clips, double *u, double *sd,
                              BalError *err) {
    if (n_epochs < 1) return BAL_FAIL(err, BAL_E_ARG, "the mean over no epochs is asked for");
    for (int64_t i = 0; i < n_clips; i++) {
        double sum = 0, squares = 0;
        for (int64_t e = 0; e < n_epochs; e++) {
            double p = conf[e * n_clips + i];
            if (p < 0 || p > 1)
                return BAL_FAIL(err, BAL_E_NUMERIC, "confidence %g of clip %lld in epoch %lld is outside [0,1]", p,
                                (long long)i, (long long)e + 1);
            sum += p; /* NaN stays NaN */
        }
        u[i] = sum / (double)n_epochs;
        for (int64_t e = 0; e < n_epochs; e++)
            squares += (conf[e * n_clips + i] - u[i]) * (conf[e * n_clips + i] - u[i]);
        if (sd) sd[i] = sqrt(squares / (double)n_epochs);
    }
    return BAL_OK;
}

/* Student's t, 0.975 quantile. Table to 30 degrees of freedom; beyond, the first terms of Fisher's expansion around the normal
 * quantile (Abramowitz & Stegun 26.7.5), right to 5 digits there. */
static double t_quantile(int df) {
    static const double table[31] = {NAN,     12.70620, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462,
                                     2.30600, 2.26216,  2.22814, 2.20099, 2.17881, 2.16037, 2.14479, 2.13145,
                                     2.11991, 2.10982,  2.10092, 2.09302, 2.08596, 2.07961, 2.07387, 2.06866,
                                     2.06390, 2.05954,  2.05553, 2.05183, 2.04841, 2.04523, 2.04227};
    if (df <= 30) return table[df];
    const double z = 1.959963985, z3 = z * z * z, z5 = z3 * z * z;
    return z + (z3 + z) / (4.0 * df) + (5 * z5 + 16 * z3 + 3 * z) / (96.0 * df * df);
}

static int sign(double x) {
    return (x > 0) - (x < 0);
}

BalSeedStatistics bal_seed_statistics(const double *d, int n) {
    BalSeedStatistics s = {0};
    double squares = 0;
    int flips = 0;
    for (int i = 0; i < n; i++) s.mean += d[i];
    s.mean /= n;
    for (int i = 0; i < n; i++) {
        squares += (d[i] - s.mean) * (d[i] - s.mean);
        for (int k = 0; k < i; k++) flips += sign(d[i]) != sign(d[k]);
    }
    double half = t_quantile(n - 1) * sqrt(squares / (n - 1) / n);
    s.low = fmax(s.mean - half, -1);
    s.high = fmin(s.mean + half, 1);
    s.flip_rate = flips / (0.5 * n * (n - 1));
    s.undecided = flips > 0 || (s.low <= 0 && s.high >= 0);
    return s;
}
