/* The collection of awkward files in ../shared/data/messy: each ends as usable sound, picture, both, or rejected with a reason; the
 * quick way to frames agrees with the full decode in all of them. */
#include <avbalance/cut.h>
#include <math.h>
#include "base/clock.h"
#include "media/clip.h"
#include "media/make.h"

#define MESSY AVB_SOURCE_DIR "/../shared/data/messy/"
enum {
    NONE = 0,
    SOUND = 1,
    PICTURE = 2,
    BOTH = 3,
    HERE = 4
}; /* HERE: depends on what the build of FFmpeg can decode */

#define F(finding) (UINT64_C(1) << BAL_FIND_##finding)

static const struct {
    const char *name;
    int usable;
    uint64_t has;       /* findings that must be there */
    const char *reason; /* part of the message of a rejected file or stream */
} files[] = {
    {"-video-with-dash-.mp4", PICTURE, F(TINY), NULL},
    {"MANIFEST.tsv", NONE, 0, "not a media file"},
    {"am_1024_incrementing_bytes.mp3", NONE, 0, "not a media file"},
    {"am_bbb_176x144_128kbps_15fps_h263.3gp", PICTURE, F(NO_AUDIO), NULL},
    {"am_bbb_176x144_192kbps_15fps_mpeg4.mp4", PICTURE, F(NO_AUDIO), NULL},
    {"am_bbb_6ch_8kHz_opus.ogg", SOUND, F(NO_VIDEO), NULL},
    {"am_bbb_mono_8kHz_12.2kbps_amrnb.3gp", SOUND, F(NO_VIDEO), NULL},
    {"am_bear_no_num_samples.flac", SOUND, F(NO_VIDEO), NULL},
    {"am_bear_vorbis_gap.ogg", SOUND, F(NO_VIDEO), NULL},
    {"am_dolbyVision-hdr.MOV", BOTH, F(SHORT) | F(ROTATED), NULL},
    {"am_edit_list_positive_shift.mp4", BOTH, F(LATE_VIDEO) | F(SILENT), NULL},
    {"am_hdr10-av1.mp4", BOTH, 0, NULL},
    {"am_hlg10-color-test.mp4", BOTH, F(SHORT), NULL},
    {"am_invalid-bitstream.webm", NONE, 0, "Invalid frame marker"},
    {"am_long_edit_list_audioonly.mp4", SOUND, F(NO_VIDEO), NULL},
    {"am_play-trimmed.mp3", NONE, 0, "not a media file"},
    {"am_roadtrip-vp92-10bit.webm", PICTURE, F(NO_AUDIO), NULL},
    {"am_sample.avi", BOTH, 0, NULL},
    {"am_sample.flv", BOTH, 0, NULL},
    {"am_sample.mp4", BOTH, 0, NULL},
    {"am_sample_192khz.wav", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_8bit.wav", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_ac3.mp4", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_android_slow_motion.mp4", PICTURE, F(VARIABLE_RATE), NULL},
    {"am_sample_audio_only.mp4", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_dts_hd_ma.mp4", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_eac3joc.mp4", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_empty_track.mp4", BOTH, F(SEVERAL_VIDEO), NULL},
    {"am_sample_float64.wav", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_fragmented.mp4", BOTH, 0, NULL},
    {"am_sample_h264_iframes_only.ts", PICTURE, F(NO_AUDIO), NULL},
    {"am_sample_h264_no_access_unit_delimiters.ts", PICTURE, F(NO_AUDIO), NULL},
    {"am_sample_iamf.mp4", NONE | HERE, 0, "iamf"},
    {"am_sample_malformed_free_box.mp4", NONE, 0, "moov"},
    {"am_sample_mdat_too_long.mp4", BOTH, F(TRUNCATED), NULL},
    {"am_sample_missing_stsd.mp4", PICTURE, F(AUDIO_BROKEN), NULL},
    {"am_sample_no_bframes.mp4", BOTH, 0, NULL},
    {"am_sample_portrait.mp4", BOTH, 0, NULL},
    {"am_sample_rf64.wav", SOUND, F(NO_VIDEO), NULL},
    {"am_sample_scte35.ts", BOTH, 0, NULL},
    {"am_sample_sef_super_slow_motion.mp4", PICTURE, 0, NULL},
    {"am_sample_srgb.mp4", BOTH, 0, NULL},
    {"am_sample_twos_pcm.mp4", BOTH, 0, NULL},
    {"am_sample_video_only.mp4", PICTURE, F(NO_AUDIO), NULL},
    {"am_sample_vvc.mp4", NONE | HERE, 0, "vvc"},
    {"am_sample_with_fake_auxiliary_tracks.mp4", PICTURE, F(TINY), NULL},
    {"am_sample_with_htc_rotation_track_name.mkv", BOTH, 0, NULL},
    {"am_sample_with_invalid_nalu.mp4", PICTURE, F(DECODE_ERRORS), NULL},
    {"am_sample_without_stss.mp4", PICTURE, 0, NULL},
    {"am_silent-black-25s.mp4", BOTH, F(SILENT) | F(BLACK) | F(FROZEN), NULL},
    {"am_testvid_1022ms.mp4", BOTH, 0, NULL},
    {"decord_corrupted.mp4", PICTURE, F(DECODE_ERRORS), NULL},
    {"decord_unordered.mov", PICTURE, 0, NULL},
    {"decord_video_180.mov", PICTURE, F(ROTATED), NULL},
    {"decord_video_270.mov", PICTURE, F(ROTATED), NULL},
    {"gomp4_sample_init.encv.mp4", NONE, 0, "encrypted"},
    {"libwebm_block_ends_beyond_cluster.mkv", PICTURE, F(DURATION_LIES) | F(DECODE_ERRORS), NULL},
    {"libwebm_fixed_lacing_bad_lace_size.mkv", NONE, 0, "nothing decodes"},
    {"libwebm_invalid_vp9_bitstream-bug_1416.webm", NONE, 0, "12336 x 12336 is more than the limit"},
    {"libwebm_projection_float_overflow.webm", NONE, 0, "not a media file"},
    {"moviepy_bitmap.mp4", PICTURE, F(TINY), NULL},
    {"moviepy_result.webm", NONE, 0, "empty file"},
    {"moviepy_smpte-2997.mp4", BOTH, 0, NULL},
    {"moviepy_video_with_failing_audio.mp4", BOTH, 0, NULL},
    {"moviepy_with-attached-pic.mp3", SOUND, F(NO_VIDEO), NULL},
    {"mp4parse_chunk_out_of_range.mp4", NONE, 0, "not a media file"},
    {"mp4parse_h264_white_frame_sar_16_9.mp4", PICTURE, F(SHORT), NULL},
    {"mp4parse_minimal.mp4", BOTH, F(SHORT), NULL},
    {"mp4parse_no_timescale.mp4", PICTURE, F(DECODE_ERRORS), NULL},
    {"mp4parse_test_case_1185230.mp4", NONE, 0, "nothing in it"},
    {"mp4parse_video_rotation_90.mp4", PICTURE, F(ROTATED), NULL},
    {"own name with  spaces, comma & 'quote' \xc3\xbc\xe4\xb8\xad.mp4", BOTH, 0, NULL},
    {"own_16x480_sliver.mp4", BOTH, F(TINY), NULL},
    {"own_2x2_pixels.mp4", BOTH, F(TINY), NULL},
    {"own_444_10bit_ffv1.mkv", BOTH, 0, NULL},
    {"own_all_zero_bytes.mp4", NONE, 0, "not a media file"},
    {"own_antiphase_stereo.mkv", BOTH, F(ANTIPHASE), NULL},
    {"own_audio_starts_late.mkv", BOTH, F(LATE_AUDIO), NULL},
    {"own_bitflips.mp4", BOTH, F(DECODE_ERRORS), NULL},
    {"own_digital_silence.mkv", BOTH, F(SILENT), NULL},
    {"own_fully_clipped_audio.mkv", BOTH, F(CLIPPED), NULL},
    {"own_gray_ffv1_flac.mkv", BOTH, 0, NULL},
    {"own_header_bitflips.mp4", NONE, 0, "unknown codec"},
    {"own_html_error_page.mp4", NONE, 0, "not a media file"},
    {"own_mp4_named.avi", BOTH, 0, NULL},
    {"own_one_frame_long_audio.mp4", BOTH, F(FROZEN), NULL},
    {"own_one_third_fps.mp4", BOTH, F(FROZEN), NULL},
    {"own_right_channel_silent.mp4", BOTH, F(ONE_SIDED), NULL},
    {"own_trailing_garbage.mp4", BOTH, 0, NULL},
    {"own_trunc.avi", BOTH, F(TRUNCATED), NULL},
    {"own_trunc.mkv", BOTH, F(TRUNCATED), NULL},
    {"own_trunc_mdat.mp4", BOTH, F(TRUNCATED), NULL},
    {"own_trunc_midpacket.ts", BOTH, F(TRUNCATED), NULL},
    {"own_trunc_moov_lost.mp4", NONE, 0, "moov"},
    {"own_two_audio_tracks.mkv", BOTH, F(SEVERAL_AUDIO), NULL},
    {"own_vfr.mkv", BOTH, F(VARIABLE_RATE), NULL},
    {"own_wav_cut_in_header.wav", NONE, 0, "not a media file"},
    {"own_wav_header_says_too_long.wav", SOUND, F(TRUNCATED), NULL},
    {"own_wav_named.mp4", SOUND, F(NO_VIDEO), NULL},
    {"own_zero_length.mp4", NONE, 0, "empty file"},
    {"torchcodec_h264_10bits.mp4", PICTURE, F(NO_AUDIO), NULL},
    {"torchcodec_h265_10bits.mp4", PICTURE, F(NO_AUDIO), NULL},
    {"torchcodec_sine_mono_s32_8000.wav", SOUND, F(NO_VIDEO), NULL},
};
enum { N_FILES = sizeof files / sizeof *files };

static void probed(void **state) {
    (void)state;
    for (int i = 0; i < N_FILES; i++) {
        char path[512];
        BalProbe p = {0};
        BalError err = {0};
        snprintf(path, sizeof path, MESSY "%s", files[i].name);
        double t = bal_now_s();
        BalStatus rc = bal_probe(path, NULL, &p, &err);
        if (bal_now_s() - t > 60) fail_msg("%s took %.0f s", files[i].name, bal_now_s() - t);
        int usable = rc < 0 ? NONE : (p.audio.index >= 0 ? SOUND : 0) | (p.video.index >= 0 ? PICTURE : 0);
        if (files[i].usable & HERE && usable) continue;
        if (usable != (files[i].usable & BOTH))
            fail_msg("%s: usable %d instead of %d (%s)", files[i].name, usable, files[i].usable,
                     rc < 0 ? err.text : "");
        if (rc < 0) {
            assert_int_equal(rc, BAL_E_MEDIA);
            if (!strstr(err.text, files[i].reason))
                fail_msg("%s: '%s' lacks '%s'", files[i].name, err.text, files[i].reason);
            assert_true(strncmp(err.text, path, strlen(path)) == 0 || strlen(path) > 200);
            continue;
        }
        uint64_t lacks = files[i].has & ~p.findings;
        for (int f = 0; f < BAL_FIND_COUNT; f++)
            if (lacks >> f & 1) fail_msg("%s lacks the finding '%s'", files[i].name, bal_finding_name((BalFinding)f));
        assert_true(p.duration_s > 0 && p.duration_s < 60);
    }
}

static bool finite_and_bounded(const BalClipMedia *m) {
    for (int64_t i = 0; i < m->n_samples; i++)
        if (!(m->pcm[i] - m->pcm[i] == 0)) return false;
    return true;
}

static void decoded(void **state) {
    (void)state;
    BalClipMedia quick = {0}, full = {0};
    for (int i = 0; i < N_FILES; i++)
        for (int want = 1; want <= 3; want++) {
            char path[512];
            BalError err = {0};
            BalClipSpec s = bal_clip_spec_default();
            snprintf(path, sizeof path, MESSY "%s", files[i].name);
            s.want_audio = want & SOUND, s.want_video = want & PICTURE;
            s.rate_hz = 16000, s.fps = 3;
            BalStatus rc = bal_clip_decode(path, &s, NULL, &quick, &err);
            if (files[i].usable & HERE) continue;
            if ((rc == BAL_OK) != ((files[i].usable & want) == want))
                fail_msg("%s, want %d: %s (%s)", files[i].name, want, bal_status_name(rc), rc < 0 ? err.text : "");
            if (rc < 0) {
                assert_int_equal(rc, BAL_E_MEDIA);
                continue;
            }
            assert_true(finite_and_bounded(&quick));
            if (want & SOUND) assert_int_equal(quick.n_samples, (int64_t)(quick.length_s * 16000 + 0.5));
            if (!(want & PICTURE)) continue;
            assert_ok(bal_clip_decode_by(BAL_FRAMES_ALL, path, &s, NULL, &full, &err));
            assert_int_equal(quick.n_frames, full.n_frames);
            assert_int_equal(quick.width * 100000 + quick.height, full.width * 100000 + full.height);
            if (memcmp(quick.frames, full.frames, (size_t)full.n_frames * full.width * full.height * 3) != 0)
                fail_msg("%s: frames differ from a full decode", files[i].name);
        }
    bal_clip_media_reset(&quick);
    bal_clip_media_reset(&full);
}

/* Antiphase and one-sided sound survive; a late begin is silence. */
static void heard(void **state) {
    (void)state;
    static const char *const name[] = {"own_antiphase_stereo.mkv", "own_right_channel_silent.mp4", "own_mp4_named.avi"};
    for (int i = 0; i < 3; i++) {
        char path[512];
        BalError err = {0};
        BalClipMedia m = {0};
        BalClipSpec s = bal_clip_spec_default();
        double energy = 0;
        snprintf(path, sizeof path, MESSY "%s", name[i]);
        s.want_video = false;
        assert_ok(bal_clip_decode(path, &s, NULL, &m, &err));
        for (int64_t k = 0; k < m.n_samples; k++) energy += (double)m.pcm[k] * m.pcm[k];
        assert_true(energy / (double)m.n_samples > 1e-3);
        bal_clip_media_reset(&m);
    }
}

/* Every file is planned and cut, or refused with a reason; what is cut has both streams and the length of its span. */
static void cut(void **state) {
    (void)state;
    BalCutRule rule = bal_cut_rule_default(false);
    BalCutSpec spec = bal_cut_spec_default();
    int n_cut = 0;
    rule.clip_s = 0.8;
    for (int i = 0; i < N_FILES; i++) {
        char path[512];
        BalCutPlan p = {0};
        BalCutResult r = {0};
        BalError err = {0};
        snprintf(path, sizeof path, MESSY "%s", files[i].name);
        double t = bal_now_s();
        BalStatus rc = bal_cut_plan(path, &rule, NULL, &p, &err);
        if (rc == BAL_OK && p.n_spans > 0) rc = bal_cut(path, &p.span[0], &spec, NULL, scratch("clip.mp4"), &r, &err);
        if (bal_now_s() - t > 60) fail_msg("%s took %.0f s", files[i].name, bal_now_s() - t);
        if (rc < 0 && (rc != BAL_E_MEDIA || !err.text[0]))
            fail_msg("%s: %s: %s", files[i].name, bal_status_name(rc), err.text);
        if (rc == BAL_OK && p.n_spans > 0) {
            n_cut++;
            assert_true(files[i].usable & HERE || files[i].usable == BOTH);
            assert_true(fabs(r.probe.duration_s - 0.8) < 0.1 && r.probe.audio.index >= 0 && r.probe.video.index >= 0);
        }
        bal_cut_plan_reset(&p);
    }
    if (n_cut < 30) fail_msg("only %d files gave a clip", n_cut);
}

int main(void) {
    if (!bal_is_dir(MESSY)) {
        printf("no ../shared/data/messy: skipped\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(probed), cmocka_unit_test(decoded), cmocka_unit_test(heard),
                                       cmocka_unit_test(cut)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
