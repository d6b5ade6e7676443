/* libavutil's real transform: forward, unscaled, out of place. */
#include "media/fft.h"
#include <libavutil/mem.h>
#include <libavutil/tx.h>
#include "base/mem.h"

struct BalFft {
    AVTXContext *tx;
    av_tx_fn run;
    void *in, *out; /* [n], [n + 2] */
    int n;
};

static BalStatus create(BalFft **out, int n, enum AVTXType type, size_t item, const void *scale, BalError *err) {
    if (n < 4 || n % 4 != 0) return BAL_FAIL(err, BAL_E_ARG, "a transform of %d samples: must be a multiple of 4", n);
    BalFft *f = NULL;
    BAL_TRY(bal_alloc(&f, 1, sizeof *f, err));
    f->n = n;
    f->in = av_calloc((size_t)n + 16, item);
    f->out = av_calloc((size_t)n + 16, item);
    BalStatus rc = BAL_OK;
    if (!f->in || !f->out)
        rc = BAL_FAIL(err, BAL_E_NOMEM, "no memory for a transform of %d samples", n);
    else if (av_tx_init(&f->tx, &f->run, type, 0, n, scale, 0) < 0)
        rc = BAL_FAIL(err, BAL_E_UNSUPPORTED,
                      "libavutil has no transform of %d samples; a power of two works everywhere", n);
    if (rc < 0)
        bal_fft_destroy(&f);
    else
        *out = f;
    return rc;
}

BalStatus bal_fft_create(BalFft **out, int n, BalError *err) {
    static const float scale = 1;
    return create(out, n, AV_TX_FLOAT_RDFT, sizeof(float), &scale, err);
}

BalStatus bal_fft_create_double(BalFft **out, int n, BalError *err) {
    static const double scale = 1;
    return create(out, n, AV_TX_DOUBLE_RDFT, sizeof(double), &scale, err);
}

void bal_fft_destroy(BalFft **f) {
    if (!*f) return;
    av_tx_uninit(&(*f)->tx);
    av_free((*f)->in);
    av_free((*f)->out);
    bal_free(*f);
    *f = NULL;
}

float *bal_fft_input(BalFft *f) {
    return f->in;
}
double *bal_fft_input_double(BalFft *f) {
    return f->in;
}

const float *bal_fft_run(BalFft *f) {
    float *z = f->out;
    f->run(f->tx, z, f->in, sizeof *z);
    z[1] = z[f->n + 1] = 0; /* zero for real input; FFmpeg 5.1 leaves the last one unwritten */
    return z;
}

const double *bal_fft_run_double(BalFft *f) {
    double *z = f->out;
    f->run(f->tx, z, f->in, sizeof *z);
    z[1] = z[f->n + 1] = 0;
    return z;
}
