/* In place of sound_print.c where libchromaprint is not there. */
#include "curate/sound_print.h"

const char *bal_sound_print_version(void) {
    return "";
}

BalStatus bal_sound_print(const float *pcm, int64_t n, uint32_t **out, int *n_out, BalError *err) {
    (void)pcm, (void)n, (void)out, (void)n_out;
    return BAL_FAIL(err, BAL_E_UNSUPPORTED,
                    "this build has no fingerprints of sound: build with libchromaprint-dev "
                    "installed (AVB_CHROMAPRINT=ON says if it is not found)");
}
