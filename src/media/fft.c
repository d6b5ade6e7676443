/* libavutil's real transform: forward, unscaled, out of place. */
#include "media/fft.h"
#include <libavutil/mem.h>
#include <libavutil/tx.h>
#include "base/mem.h"

struct BalFft {
    AVTXContext *tx;
    av_tx_fn run;
    float *in, *out; /* [n], [n + 2] */
    int n;
};

BalStatus bal_fft_create(BalFft **out, int n, BalError *err) {
    if (n < 4 || n % 4 != 0) return BAL_FAIL(err, BAL_E_ARG, "a transform of %d samples: must be a multiple of 4", n);
    BalFft *f = NULL;
    BAL_TRY(bal_alloc(&f, 1, sizeof *f, err));
    float scale = 1;
    f->n = n;
    f->in = av_calloc((size_t)n + 16, sizeof *f->in);
    f->out = av_calloc((size_t)n + 16, sizeof *f->out);
    BalStatus rc = BAL_OK;
    if (!f->in || !f->out)
        rc = BAL_FAIL(err, BAL_E_NOMEM, "no memory for a transform of %d samples", n);
    else if (av_tx_init(&f->tx, &f->run, AV_TX_FLOAT_RDFT, 0, n, &scale, 0) < 0)
        rc = BAL_FAIL(err, BAL_E_UNSUPPORTED,
                      "libavutil has no transform of %d samples; a power of two works everywhere", n);
    if (rc < 0)
        bal_fft_destroy(&f);
    else
        *out = f;
    return rc;
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

const float *bal_fft_run(BalFft *f) {
    f->run(f->tx, f->out, f->in, sizeof *f->in);
    f->out[1] = f->out[f->n + 1] = 0; /* zero for real input; FFmpeg 5.1 leaves the last one unwritten */
    return f->out;
}
