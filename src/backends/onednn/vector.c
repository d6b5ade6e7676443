/* Vectors of float32: reductions, sums, the optimiser's step. Sums are cut into PIECES parts whatever the number of threads, so
 * that their value does not depend on it. */
#include "backends/onednn/onednn.h"

enum { PIECES = 64, SMALL = 1 << 15 }; /* below SMALL elements one thread is faster than waking the others */

typedef struct Vector {
    const BalOnednn *b;
    const BalUpdate *u;
    size_t n;
    float alpha, beta;
    const float *x, *g;
    float *y, *m1, *m2;
    double sum[PIECES], dot[PIECES];
} Vector;

static void run(const BalOnednn *b, size_t n, BalParFn *fn, Vector *v) {
    if (n < SMALL)
        fn(v, 0, 1);
    else
        bal_par(b->threads, fn, v);
}

/* Elements [from, to) of piece i of `of`, whole cache lines. */
static void piece(size_t n, int i, int of, size_t *from, size_t *to) {
    const size_t lines = (n + 15) / 16;
    *from = lines * (size_t)i / (size_t)of * 16;
    *to = lines * (size_t)(i + 1) / (size_t)of * 16;
    *to = *to < n ? *to : n;
}

static void reduce_part(void *arg, int t, int nt) {
    Vector *v = arg;
    int64_t first, last;
    bal_share(PIECES, t, nt, &first, &last);
    for (int64_t i = first; i < last; i++) {
        size_t from, to;
        piece(v->n, (int)i, PIECES, &from, &to);
        v->b->loops->reduce(v->x + from, v->g + from, (int64_t)(to - from), &v->sum[i], &v->dot[i]);
    }
}

BalStatus bal_onednn_reduce(void *self, const float *a, const float *b, size_t n, double *sum_a, double *dot,
                            BalError *err) {
    (void)err;
    Vector v = {.b = self, .n = n, .x = a, .g = b ? b : a};
    run(self, n, reduce_part, &v);
    double sum = 0, product = 0;
    for (int i = 0; i < PIECES; i++) {
        sum += v.sum[i];
        product += v.dot[i];
    }
    if (sum_a) *sum_a = sum;
    if (dot) *dot = product;
    return BAL_OK;
}

static void axpby_part(void *arg, int t, int nt) {
    const Vector *v = arg;
    size_t from, to;
    piece(v->n, t, nt, &from, &to);
    v->b->loops->axpby((int64_t)(to - from), v->alpha, v->x + from, v->beta, v->y + from);
}

BalStatus bal_onednn_axpby(void *self, size_t n, double alpha, const float *x, double beta, float *y, BalError *err) {
    (void)err;
    Vector v = {.b = self, .n = n, .alpha = (float)alpha, .beta = (float)beta, .x = x, .y = y};
    run(self, n, axpby_part, &v);
    return BAL_OK;
}

static void update_part(void *arg, int t, int nt) {
    const Vector *v = arg;
    size_t from, to;
    piece(v->n, t, nt, &from, &to);
    v->b->loops->update(v->u, (int64_t)(to - from), v->y + from, v->g + from, v->m1 ? v->m1 + from : NULL,
                        v->m2 ? v->m2 + from : NULL);
}

BalStatus bal_onednn_update(void *self, const BalUpdate *u, size_t n, float *w, const float *g, float *m1, float *m2,
                            BalError *err) {
    (void)err;
    Vector v = {.b = self, .u = u, .n = n, .g = g, .y = w, .m1 = m1, .m2 = m2};
    run(self, n, update_part, &v);
    return BAL_OK;
}
