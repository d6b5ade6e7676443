/* avbalance probe: what media files hold and what is wrong with them, a row per file. */
#include <avbalance/media.h>
#include <math.h>
#include <string.h>
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cli/command.h"
#include "cli/findings.h"

typedef struct ProbeArgs {
    BalList filter, without, require, reject;
    bool paths;
    double limit_s;
} ProbeArgs;

static const BalFlag flags[] = {
    {"filter", 0, BAL_FLAG_LIST, "FINDING[,..]", "show only files with one of these findings, or \"unusable\"",
     .offset = offsetof(ProbeArgs, filter)},
    {"without", 0, BAL_FLAG_LIST, "FINDING[,..]", "show only files without these findings, or \"unusable\"",
     .offset = offsetof(ProbeArgs, without)},
    {"require", 0, BAL_FLAG_LIST, "FINDING[,..]", "files without one of these do not pass: exit code 3",
     .offset = offsetof(ProbeArgs, require)},
    {"reject", 0, BAL_FLAG_LIST, "FINDING[,..]", "files with one of these do not pass: exit code 3",
     .offset = offsetof(ProbeArgs, reject)},
    {"paths", 0, BAL_FLAG_SWITCH, NULL, "print names only, one per line, of files that pass",
     .offset = offsetof(ProbeArgs, paths)},
    {"limit", 0, BAL_FLAG_REAL, "SECONDS", "give a file up after so much time", .offset = offsetof(ProbeArgs, limit_s),
     .def = "60", .min = 0.1, .max = 86400},
    {0}};

typedef struct Row {
    BalProbe probe;
    BalStatus rc;
    BalError why;
    bool shown, passes;
} Row;

typedef struct Job {
    BalCli *cli;
    Row *row;
    BalMediaLimits limits;
    uint64_t filter, without, require, reject;
    bool judging;
    int64_t shown, unusable, passed;
} Job;

/* ---- table ---- */

static void write_text(BalText *out, const char *path, const Row *r) {
    const BalProbe *p = &r->probe;
    if (r->rc < 0) {
        const char *why = r->why.text; /* "path: why" */
        size_t n = strlen(path);
        if (strncmp(why, path, n) == 0 && strncmp(why + n, ": ", 2) == 0) why += n + 2;
        bal_text_f(out, "%-40s unusable: %s\n", path, why);
        return;
    }
    bal_text_f(out, "%-40s %8.3f s ", path, p->duration_s);
    if (p->video.index >= 0)
        bal_text_f(out, " %s %dx%d %.5g fps", p->video.codec, p->video.width, p->video.height,
                   isnan(p->video.mean_fps) ? 0 : p->video.mean_fps);
    else
        bal_text_add(out, " no picture");
    if (p->audio.index >= 0)
        bal_text_f(out, ", %s %d Hz x%d ", p->audio.codec, p->audio.rate_hz, p->audio.channels);
    else
        bal_text_add(out, ", no sound ");
    bal_findings_show(out, p);
    bal_text_add(out, r->passes ? "\n" : "  does not pass\n");
}

/* ---- JSON ---- */

static void write_audio(BalJsonOut *o, const BalProbe *p) {
    bal_json_open(o, "audio", '{');
    bal_json_add_int(o, "stream", p->audio.index);
    bal_json_add_text(o, "codec", p->audio.codec[0] ? p->audio.codec : NULL);
    if (p->audio.reason[0]) bal_json_add_text(o, "reason", p->audio.reason);
    if (p->audio.index >= 0) {
        bal_json_add_real(o, "start_s", p->audio.start_s);
        bal_json_add_real(o, "end_s", p->audio.end_s);
        bal_json_add_int(o, "rate_hz", p->audio.rate_hz);
        bal_json_add_int(o, "channels", p->audio.channels);
        bal_json_add_real(o, "peak", p->audio.peak);
        bal_json_add_real(o, "rms", p->audio.rms);
        bal_json_add_real(o, "dc", p->audio.dc);
        bal_json_add_real(o, "clipped_share", p->audio.clipped_share);
        bal_json_add_real(o, "silent_share", p->audio.silent_share);
        bal_json_add_real(o, "correlation", p->audio.correlation);
        bal_json_add_real(o, "mixed_share", p->audio.mixed_share);
    }
    bal_json_close(o, '}');
}

static void write_video(BalJsonOut *o, const BalProbe *p) {
    bal_json_open(o, "video", '{');
    bal_json_add_int(o, "stream", p->video.index);
    bal_json_add_text(o, "codec", p->video.codec[0] ? p->video.codec : NULL);
    if (p->video.reason[0]) bal_json_add_text(o, "reason", p->video.reason);
    if (p->video.index >= 0) {
        bal_json_add_text(o, "pixel_format", p->video.pixel_format);
        bal_json_add_real(o, "start_s", p->video.start_s);
        bal_json_add_real(o, "end_s", p->video.end_s);
        bal_json_add_int(o, "frames", p->video.frames);
        bal_json_add_real(o, "mean_fps", p->video.mean_fps);
        bal_json_add_int(o, "width", p->video.width);
        bal_json_add_int(o, "height", p->video.height);
        bal_json_add_int(o, "rotation_deg", p->video.rotation_deg);
        bal_json_add_real(o, "mean_luma", p->video.mean_luma);
        bal_json_add_real(o, "black_share", p->video.black_share);
        bal_json_add_real(o, "frozen_share", p->video.frozen_share);
        bal_json_add_real(o, "flat_share", p->video.flat_share);
        bal_json_add_int(o, "cuts", p->video.cuts);
        bal_json_add_real(o, "letterbox_share", p->video.letterbox_share);
        bal_json_open(o, "crop", '[');
        const int crop[] = {p->video.crop_x, p->video.crop_y, p->video.crop_width, p->video.crop_height};
        for (int i = 0; i < 4; i++) bal_json_add_int(o, NULL, crop[i]);
        bal_json_close(o, ']');
    }
    bal_json_close(o, '}');
}

static void write_file(BalJsonOut *o, const char *path, const Row *r, bool judging) {
    const BalProbe *p = &r->probe;
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "path", path);
    bal_json_add_bool(o, "usable", r->rc == BAL_OK);
    if (judging) bal_json_add_bool(o, "passes", r->passes);
    if (r->rc < 0) {
        bal_json_add_text(o, "reason", r->why.text);
    } else {
        bal_json_add_text(o, "format", p->format);
        bal_json_add_int(o, "bytes", p->bytes);
        bal_json_add_int(o, "streams", p->n_streams);
        bal_json_add_real(o, "duration_s", p->duration_s);
        bal_json_add_real(o, "header_duration_s", p->header_duration_s);
        write_audio(o, p);
        write_video(o, p);
        bal_json_add_int(o, "decode_errors", p->decode_errors);
        bal_json_open(o, "findings", '[');
        for (int f = 0; f < BAL_FIND_COUNT; f++)
            if (p->findings >> f & 1) bal_json_add_text(o, NULL, bal_finding_name((BalFinding)f));
        bal_json_close(o, ']');
        bal_json_open(o, "values", '{');
        for (int f = 0; f < BAL_FIND_COUNT; f++)
            if (p->findings >> f & 1)
                bal_json_add_real(o, bal_finding_name((BalFinding)f), bal_finding_value(p, (BalFinding)f));
        bal_json_close(o, '}');
    }
    bal_json_close(o, '}');
}

static void write_json(Job *j) {
    BalCli *cli = j->cli;
    BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/probe/1");
    bal_json_add_int(&o, "n", cli->n_args);
    bal_json_add_int(&o, "unusable", j->unusable);
    bal_json_add_int(&o, "shown", j->shown);
    if (j->judging) bal_json_add_int(&o, "passed", j->passed);
    bal_json_open(&o, "files", '[');
    for (int i = 0; i < cli->n_args; i++)
        if (j->row[i].shown) write_file(&o, cli->args[i], &j->row[i], j->judging);
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
    bal_text_char(&cli->out, '\n');
}

/* ---- the run ---- */

static BalStatus probe_one(void *user, int64_t i, int worker, BalError *err) {
    (void)worker;
    Job *j = user;
    Row *r = &j->row[i];
    r->rc = bal_probe(j->cli->args[i], &j->limits, &r->probe, &r->why);
    if (r->rc == BAL_E_NOMEM) return BAL_FAIL(err, r->rc, "%s", r->why.text);
    return bal_cli_cancelled() ? BAL_FAIL(err, BAL_E_CANCELLED, "stopped") : BAL_OK;
}

/* Rows appear in the order of the arguments as soon as they are known; a broken file stops nothing. */
static BalStatus show_one(void *user, int64_t i, int worker, BalError *err) {
    (void)worker;
    Job *j = user;
    Row *r = &j->row[i];
    const ProbeArgs *a = j->cli->self;
    uint64_t bits = r->rc < 0 ? BAL_UNUSABLE : r->probe.findings;
    j->unusable += r->rc < 0;
    r->shown = (!j->filter || (bits & j->filter)) && !(bits & j->without);
    r->passes = !j->judging || !(r->rc < 0 || (bits & j->reject) || (j->require & ~bits));
    j->passed += r->passes;
    if (a->paths && (!r->passes || (r->rc < 0 && !j->filter))) r->shown = false;
    j->shown += r->shown;
    BalProgress p = {.stage = "probe", .done = i + 1, .total = j->cli->n_args, .unit = "files"};
    if (j->cli->progress.fn && !j->cli->progress.fn(j->cli->progress.user, &p))
        return BAL_FAIL(err, BAL_E_CANCELLED, "stopped");
    if (!r->shown || j->cli->json) return BAL_OK;
    if (a->paths)
        bal_text_f(&j->cli->out, "%s\n", j->cli->args[i]);
    else
        write_text(&j->cli->out, j->cli->args[i], r);
    return bal_cli_flush(j->cli, err);
}

static BalStatus run(BalCli *cli, BalError *err) {
    const ProbeArgs *a = cli->self;
    Job j = {.cli = cli, .limits = bal_media_limits_default()};
    j.limits.seconds = a->limit_s;
    BAL_TRY(bal_findings_parse(&a->filter, "filter", &j.filter, err));
    BAL_TRY(bal_findings_parse(&a->without, "without", &j.without, err));
    BAL_TRY(bal_findings_parse(&a->require, "require", &j.require, err));
    BAL_TRY(bal_findings_parse(&a->reject, "reject", &j.reject, err));
    j.judging = a->require.n || a->reject.n;
    BAL_TRY(bal_alloc(&j.row, (size_t)cli->n_args, sizeof *j.row, err));
    BalStatus rc = bal_parallel(cli->threads, cli->n_args, 4 * (int64_t)cli->threads, probe_one, show_one, &j, err);
    if (rc == BAL_OK && cli->json) {
        write_json(&j);
        rc = bal_cli_flush(cli, err);
    }
    bal_free(j.row);
    if (rc == BAL_OK && j.judging && j.passed < cli->n_args)
        return BAL_FAIL(err, BAL_E_MEDIA, "%lld of %d files do not pass", (long long)(cli->n_args - j.passed),
                        cli->n_args);
    if (rc == BAL_OK && j.unusable)
        return BAL_FAIL(err, BAL_E_MEDIA, "%lld of %d files cannot be used", (long long)j.unusable, cli->n_args);
    return rc;
}

const BalCommand bal_cmd_probe = {"probe",
                                  "MEDIA...",
                                  "Show what media files hold and what is wrong with them",
                                  "Decodes every file once. Durations are those of what decodes, not of the header. A "
                                  "file that cannot be used is reported with its\n"
                                  "reason and the others go on; the exit code is then 3.",
                                  1,
                                  -1,
                                  flags,
                                  sizeof(ProbeArgs),
                                  run,
                                  bal_findings_help,
                                  false};
