/* Fourier transform of real signals: libavutil's tx, which is fast on every CPU, behind one small type. */
#ifndef BAL_MEDIA_FFT_H
#define BAL_MEDIA_FFT_H

#include <avbalance/error.h>

typedef struct BalFft BalFft; /* plan and its aligned buffers; one per thread */

/* n: samples, a multiple of 4. BAL_E_ARG otherwise, BAL_E_UNSUPPORTED where libavutil has no transform of that size. */
BAL_MUST_USE BalStatus bal_fft_create(BalFft **out, int n, BalError *err);
void bal_fft_destroy(BalFft **f);

/* The plan's input: [n] samples, to be filled before each run, which may overwrite them. */
float *bal_fft_input(BalFft *f);
/* X_k = sum_j x_j exp(-2 pi i jk / n) for k = 0..n/2, as [n/2 + 1][2] real and imaginary parts; borrowed until the next run. */
const float *bal_fft_run(BalFft *f);

/* The same in double precision: a plan made so is used with these calls only. */
BAL_MUST_USE BalStatus bal_fft_create_double(BalFft **out, int n, BalError *err);
double *bal_fft_input_double(BalFft *f);
const double *bal_fft_run_double(BalFft *f);

#endif
