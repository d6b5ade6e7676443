/* Decoding clips to one picture per second and 16 kHz mono sound, beside the ffmpeg program making the same, on one core.
 *
 * bench_decode ROUNDS FILE... prints one JSON line per file: medians of interleaved runs of bal_clip_decode (only needed pictures), of
 * the same with a full decode, with the nearest keyframes, and of `ffmpeg -threads 1`, whose time includes starting it; whether our
 * pictures equal those of a full decode and ffmpeg's, byte for byte. bench/ingest.sh makes the clips. */
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "bench/median.h"
#include "media/clip.h"

enum { WAYS = 4, MOST = 101, FFMPEG = 3 };
static const BalFrameWay way_of[] = {BAL_FRAMES_NEEDED, BAL_FRAMES_ALL, BAL_FRAMES_NEAREST_KEY};
extern char **environ;

static void must(int good, const char *what, const char *why) {
    if (good) return;
    fprintf(stderr, "bench_decode: %s: %s\n", what, why);
    exit(1);
}

/* Pictures and sound as raw files, as our decoder would: the picture on screen at every full second. */
static void run_ffmpeg(const char *file, const char *rgb, const char *pcm) {
    const char *argv[] = {
        "ffmpeg",   "-v", "error", "-nostdin",       "-y", "-threads", "1",        "-i",    file, "-map", "0:v:0",
        "-threads", "1",  "-vf",   "fps=1:round=up", "-f", "rawvideo", "-pix_fmt", "rgb24", rgb,  "-map", "0:a:0",
        "-ac",      "1",  "-ar",   "16000",          "-f", "f32le",    pcm,        NULL};
    pid_t pid;
    int status = 0;
    must(posix_spawnp(&pid, "ffmpeg", NULL, NULL, (char *const *)(void *)argv, environ) == 0, "ffmpeg",
         "cannot be started");
    must(waitpid(pid, &status, 0) == pid && status == 0, file, "ffmpeg failed");
}

static int same_as_file(const BalClipMedia *m, const char *path) {
    BalMap map = {0};
    BalError err;
    size_t n = (size_t)m->n_frames * m->height * m->width * 3;
    if (bal_map_open(&map, path, &err) < 0) return 0;
    int same = map.size >= n && memcmp(map.data, m->frames, n) == 0;
    bal_map_close(&map);
    return same;
}

static void bench(const char *file, int rounds, const char *dir) {
    static double ms[WAYS][MOST];
    char rgb[4096], pcm[4096];
    snprintf(rgb, sizeof rgb, "%s/frames.rgb", dir);
    snprintf(pcm, sizeof pcm, "%s/sound.f32", dir);
    BalClipSpec spec = bal_clip_spec_default();
    BalClipMedia out[WAYS] = {0};
    BalError err = {0};
    spec.rate_hz = 16000;
    for (int r = -1; r < rounds; r++) /* the first round warms up */
        for (int w = 0; w < WAYS; w++) {
            double t = bal_now_s();
            if (w == FFMPEG)
                run_ffmpeg(file, rgb, pcm);
            else
                must(bal_clip_decode_by(way_of[w], file, &spec, NULL, &out[w], &err) == BAL_OK, file, err.text);
            if (r >= 0) ms[w][r] = 1e3 * (bal_now_s() - t);
        }
    size_t n = (size_t)out[0].n_frames * out[0].height * out[0].width * 3;
    int exact = out[0].n_frames == out[1].n_frames && memcmp(out[0].frames, out[1].frames, n) == 0;
    double needed = median(ms[0], rounds), all = median(ms[1], rounds), key = median(ms[2], rounds),
           ffmpeg = median(ms[FFMPEG], rounds);
    printf("{\"bench\":\"decode\",\"file\":\"%s\",\"frames\":%d,\"samples\":%lld,\"needed_ms\":%.2f,\"all_ms\":%.2f,"
           "\"key_ms\":%.2f,"
           "\"ffmpeg_ms\":%.2f,\"ratio\":%.2f,\"equals_full\":%s,\"equals_ffmpeg\":%s}\n",
           file, out[0].n_frames, (long long)out[0].n_samples, needed, all, key, ffmpeg, ffmpeg / needed,
           exact ? "true" : "false", same_as_file(&out[0], rgb) ? "true" : "false");
    fflush(stdout);
    for (int w = 0; w < WAYS; w++) bal_clip_media_reset(&out[w]);
    unlink(rgb);
    unlink(pcm);
}

int main(int argc, char **argv) {
    int rounds = argc > 2 ? atoi(argv[1]) : 0;
    char dir[] = "/tmp/bench_decode_XXXXXX";
    must(rounds > 0 && rounds < MOST, "usage", "bench_decode ROUNDS FILE... (1 to 100 rounds)");
    bal_mem_keep(); /* as avbalance ingest does */
    must(mkdtemp(dir) != NULL, dir, "cannot be made");
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one); /* ffmpeg inherits it */
    for (int i = 2; i < argc; i++) bench(argv[i], rounds, dir);
    rmdir(dir);
    return 0;
}
