/* For open_store.py: `store_tool make DIR` writes a synthetic store, `store_tool dump DIR` prints what the C reader sees, a line per
 * clip: id TAB label TAB split TAB crc32(audio as float32) TAB crc32(frames). */
#include "dataset/synth.h"

#include "base/hash.h"
#include "base/mem.h"

static BalStatus make(const char *dir, BalError *err) {
    Synth s;
    BalIngestResult r;
    synth_open(&s, 50, false);
    s.bad_every = 7;
    BalStatus rc = synth_ingest(&s, dir, &r, err);
    synth_close(&s);
    return rc;
}

static BalStatus dump(const char *dir, BalError *err) {
    BalStore *s = NULL;
    BalFrames f = {0};
    float *audio = NULL;
    int64_t shape[2];
    BalStatus rc;
    BAL_TRY(bal_store_open(&s, dir, err));
    bal_store_audio_shape(s, shape);
    size_t n = (size_t)(shape[0] * shape[1]);
    BAL_TRY_OR(fail, bal_alloc(&audio, n, sizeof *audio, err));
    for (int64_t i = 0; i < bal_store_count(s); i++) {
        BAL_TRY_OR(fail, bal_store_read(s, i, audio, &f, err));
        size_t bytes = (size_t)f.n * (size_t)f.height * (size_t)f.width * (size_t)f.channels;
        printf("%s\t%d\t%s\t%u\t%u\n", bal_store_id(s, i), bal_store_label(s, i), bal_split_name(bal_store_split(s, i)),
               (unsigned)bal_crc32(0, audio, n * sizeof *audio), (unsigned)bal_crc32(0, f.data, bytes));
    }
fail:
    bal_free(audio);
    bal_frames_reset(&f);
    bal_store_close(&s);
    return rc;
}

int main(int argc, char **argv) {
    BalError err = {0};
    if (argc != 3) return 2;
    BalStatus rc = strcmp(argv[1], "make") ? dump(argv[2], &err) : make(argv[2], &err);
    if (rc < 0) fprintf(stderr, "%s\n", err.text);
    return rc < 0;
}
