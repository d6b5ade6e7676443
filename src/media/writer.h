/* The media writer with everything open: for cut.c, and for tests and benchmarks that make awkward files. */
#ifndef BAL_MEDIA_WRITER_H
#define BAL_MEDIA_WRITER_H

#include <libavutil/frame.h>
#include <avbalance/media.h>

typedef struct BalWriterTweaks {                    /* zero: what bal_media_writer_open does */
    const char *format, *video_codec, *audio_codec; /* "mp4", "libx264" or "mpeg4", "aac" */
    const char *video_options;                      /* "g=30:bf=2" */
    bool any_time;                                  /* frames at times of their own (ticks of 1 ms) */
    int quarter_turns; /* clockwise, asked for in the container; "mirrored" below comes first */
    bool mirrored;
    int channels, sound_bits; /* 0: 1 channel, 96000 bits per second */
    bool fast_start;          /* MP4: the index before the media */
    double sound_at_s;        /* the first sample's time */
    const AVFrame *colours; /* a picture whose colour tags and pixel shape the file takes over; borrowed for opening */
} BalWriterTweaks;
/* BAL_E_UNSUPPORTED: this build lacks the codec or format. */
BAL_MUST_USE BalStatus bal_media_writer_open_as(BalMediaWriter **out, const char *path, const BalMediaWriterSpec *spec,
                                                const BalWriterTweaks *tweaks, BalError *err);
BAL_MUST_USE BalStatus bal_media_writer_frame_at(BalMediaWriter *w, const uint8_t *rgb, double at_s, BalError *err);
/* For pictures that are in the file's form already: fill the canvas (yuv420p, writable), show it at tick / fps. */
BAL_MUST_USE BalStatus bal_media_writer_canvas(BalMediaWriter *w, AVFrame **out, BalError *err);
BAL_MUST_USE BalStatus bal_media_writer_show(BalMediaWriter *w, int64_t tick, BalError *err);

#endif
