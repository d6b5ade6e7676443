/* Media files: probe and decode of anything must return, within its limits and with consistent numbers. The bytes lie in an
 * anonymous file, since the room reads by path. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <avbalance/media.h>
#include "fuzz/target.h"

static void check_probe(const char *path, const BalMediaLimits *limits) {
    static BalProbe p;
    BalError err = {0};
    BalStatus rc = bal_probe(path, limits, &p, &err);
    FUZZ_CHECK(rc == BAL_OK || err.text[0]);
    if (rc < 0) return;
    FUZZ_CHECK(p.audio.index >= 0 || p.video.index >= 0);
    FUZZ_CHECK(p.findings < 1ull << BAL_FIND_COUNT);
}

static void check_decode(const char *path, const BalMediaLimits *limits, bool exact) {
    BalClipSpec spec = bal_clip_spec_default();
    BalClipMedia m = {0};
    BalError err = {0};
    spec.duration_s = 1.5;
    spec.want_audio = spec.want_video = true;
    spec.rate_hz = 8000;
    spec.exact = exact;
    BalStatus rc = bal_clip_decode(path, &spec, limits, &m, &err);
    FUZZ_CHECK(rc == BAL_OK || err.text[0]);
    if (rc == BAL_OK) {
        unsigned sum = 0; /* every byte promised is there */
        for (int64_t i = 0; i < m.n_samples; i++) FUZZ_CHECK(m.pcm[i] == m.pcm[i]);
        for (size_t i = 0, n = (size_t)m.n_frames * (size_t)m.height * (size_t)m.width * 3; i < n; i++)
            sum += m.frames[i];
        FUZZ_CHECK(sum || m.n_frames >= 0);
    }
    bal_clip_media_reset(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    BalMediaLimits limits = bal_media_limits_default();
    limits.pixels = 1 << 18;
    limits.seconds = 5;
    limits.media_s = 20;
    check_probe(path, &limits);
    check_decode(path, &limits, size % 2);
    close(fd);
    return 0;
}
