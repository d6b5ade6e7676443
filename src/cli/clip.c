/* avbalance clip: long videos into clips of ten seconds, with a manifest. */
#include <avbalance/clips.h>
#include <string.h>
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "curate/clip_work.h"
#include "cli/findings.h"

typedef struct Clip {
    const char *out, *dialect, *classes, *media_dir, *media_pattern, *download;
    BalList reject, require;
    bool grid, keep;
    double seconds, threshold, edge, limit_s, retry_wait, download_limit;
    int64_t most, side, fps, crf, workers, retries;
    int on_error, split;
} Clip;

static const char *const on_error[] = {"skip", "stop", NULL};
static const char *const splits[] = {"auto", "train", "val", "test", NULL};

static void print(BalCli *cli, const BalClipsResult *r) {
    const Clip *self = cli->self;
    if (!cli->json) {
        bal_text_f(&cli->out, "%s: %lld clips of %lld videos\n", self->out, (long long)r->clips, (long long)r->videos);
        if (r->rejected)
            bal_text_f(&cli->out, "%lld rejected; each stands with its reason in %s/rejects.csv\n",
                       (long long)r->rejected, self->out);
        return;
    }
    BalJsonOut o = bal_json_document(&cli->out, true, "avbalance/clip/1");
    bal_json_add_text(&o, "dir", self->out);
    bal_json_add_int(&o, "videos", r->videos);
    bal_json_add_int(&o, "unused", r->unused);
    bal_json_add_int(&o, "clips", r->clips);
    bal_json_add_int(&o, "rejected", r->rejected);
    bal_json_add_int(&o, "resumed", r->resumed);
    bal_json_close(&o, '}');
    bal_text_char(&cli->out, '\n');
}

static bool stopped(void *user) {
    (void)user;
    return bal_cli_cancelled();
}

static BalStatus read_spec(const BalCli *cli, BalClipsSpec *s, BalError *err) {
    const Clip *self = cli->self;
    *s = bal_clips_spec_default();
    s->rule = bal_cut_rule_default(self->grid);
    s->rule.clip_s = self->seconds;
    s->rule.threshold = self->threshold;
    if (!self->grid) s->rule.edge_s = self->edge, s->rule.most = (int)self->most;
    s->cut.short_side = (int)self->side, s->cut.fps = (int)self->fps, s->cut.crf = (int)self->crf;
    if (self->reject.n) s->reject = 0;
    BAL_TRY(bal_findings_parse(&self->reject, "reject", &s->reject, err));
    BAL_TRY(bal_findings_parse(&self->require, "require", &s->require, err));
    if ((s->reject | s->require) & BAL_UNUSABLE)
        return BAL_FAIL(err, BAL_E_ARG, "--reject, --require: no clip is unusable: leave that word out");
    s->limit_s = self->limit_s;
    s->workers = self->workers ? (int)self->workers : cli->threads;
    s->stop_on_error = self->on_error == 1;
    s->lists.dialect = self->dialect, s->lists.classes = self->classes;
    s->lists.media_dir = self->media_dir, s->lists.media_pattern = self->media_pattern;
    s->lists.split = (BalSplit)(self->split - 1);
    s->download =
        (BalDownloadSpec){self->download, (int)self->retries, self->retry_wait, self->download_limit, self->keep};
    s->stopped = stopped;
    return BAL_OK;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const Clip *self = cli->self;
    BalCliRoom room = {cli, self->out, &bal_clips_output};
    BalClipsSpec spec;
    BalClipsResult r = {0};
    BAL_TRY(read_spec(cli, &spec, err));
    spec.room = (BalRoom){bal_cli_room, &room};
    BAL_TRY(bal_clips_make(cli->args, cli->n_args, &spec, self->out, cli->progress, &r, err));
    if (r.resumed == r.clips)
        bal_cli_note(cli, "%s was complete already; -f makes it anew", self->out);
    else if (r.resumed)
        bal_cli_note(cli, "%lld of %lld clips were there already", (long long)r.resumed, (long long)r.clips);
    print(cli, &r);
    return BAL_OK;
}

#define AT(field) .offset = offsetof(Clip, field)
static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "DIR", "folder of the clips and their manifest (required)", AT(out),
     .required = true},
    {"grid", 0, BAL_FLAG_SWITCH, NULL, "one clip behind the other from 0 on, without looking for shots", AT(grid)},
    {"seconds", 0, BAL_FLAG_REAL, "S", "length of a clip where the list names none", AT(seconds), .def = "10",
     .min = 0.5, .max = 600},
    {"threshold", 0, BAL_FLAG_REAL, "T", "score of scdet from which a new shot begins", AT(threshold), .def = "10",
     .min = 0, .max = 100},
    {"most", 0, BAL_FLAG_INT, "N", "clips per video, spread evenly; 0: all; without --grid only", AT(most), .def = "12",
     .min = 0, .max = 1000000},
    {"edge", 0, BAL_FLAG_REAL, "S", "left out at begin and end of videos above a minute; without --grid only", AT(edge),
     .def = "5", .min = 0, .max = 3600},
    {"side", 0, BAL_FLAG_INT, "PIXELS", "longest short side; larger pictures are made smaller", AT(side), .def = "360",
     .min = 2, .max = 8192},
    {"fps", 0, BAL_FLAG_INT, "N", "pictures per second of the clips", AT(fps), .def = "30", .min = 1, .max = 240},
    {"crf", 0, BAL_FLAG_INT, "N", "quality of the pictures, 0 (best) to 51; 27 halves the files", AT(crf), .def = "23",
     .min = 0, .max = 51},
    {"reject", 0, BAL_FLAG_LIST, "FINDING[,..]", "leave out clips with one of these (default: unfit; none: keep all)",
     AT(reject)},
    {"require", 0, BAL_FLAG_LIST, "FINDING[,..]", "leave out clips that lack one of these", AT(require)},
    {"on-error", 0, BAL_FLAG_ENUM, NULL, "what cannot be cut: record it and go on, or stop", AT(on_error),
     .def = "skip", .choices = on_error},
    {"limit", 0, BAL_FLAG_REAL, "S", "seconds that the plan of a video, or one clip, may take", AT(limit_s),
     .def = "600", .min = 0.1, .max = 86400},
    {"workers", 'w', BAL_FLAG_INT, "N", "videos cut at once (default: --threads)", AT(workers), .min = 1, .max = 1024},
    {"dialect", 0, BAL_FLAG_STRING, "NAME", "form of the lists where it cannot be told (see ingest)", AT(dialect)},
    {"classes", 0, BAL_FLAG_STRING, "FILE", "class list, where a list needs one", AT(classes)},
    {"media-dir", 0, BAL_FLAG_STRING, "DIR", "folder of the videos of a list (default: the list's)", AT(media_dir)},
    {"media-pattern", 0, BAL_FLAG_STRING, "TEXT", "path of a row's video, such as {label}/{id}.mp4", AT(media_pattern)},
    {"split", 0, BAL_FLAG_ENUM, NULL, "split of rows whose list names none", AT(split), .def = "auto",
     .choices = splits},
    {"download", 0, BAL_FLAG_STRING, "COMMAND",
     "fetches a video that is not there: words with {id}, {out}, {start}, {end}", AT(download)},
    {"retries", 0, BAL_FLAG_INT, "N", "of a download that failed but may succeed later", AT(retries), .def = "3",
     .min = 0, .max = 100},
    {"retry-wait", 0, BAL_FLAG_REAL, "S", "before the first of them; four times longer before each next",
     AT(retry_wait), .def = "60", .min = 0, .max = 86400},
    {"download-limit", 0, BAL_FLAG_REAL, "S", "seconds that one download may take", AT(download_limit), .def = "600",
     .min = 0.1, .max = 86400},
    {"keep-videos", 0, BAL_FLAG_SWITCH, NULL, "keep what was downloaded, in DIR/videos", AT(keep)},
    {0}};

const BalCommand bal_cmd_clip = {
    .name = "clip",
    .usage = "VIDEO|LIST|FOLDER... -o DIR",
    .summary = "Cut long videos into clips of ten seconds, frame by frame",
    .details = "Videos are cut inside their shots; rows of a list that name times (VGG-Sound, Kinetics, any table with "
               "start and\n"
               "end) are cut just there, and only that part is read. A list is a CSV, TSV, text or JSON file in any "
               "form that\n"
               "ingest knows; a folder holds videos, or one folder of them per label. DIR gets clips/, manifest.csv "
               "for ingest,\n"
               "clips.csv (where each comes from, what was measured), videos.csv, and rejects.csv with the reason of "
               "everything\n"
               "that gave no clip. Interrupted, the same command continues and ends with the same bytes.\n"
               "\n"
               "Nothing is fetched from the network but through --download, for list rows whose YouTube id is known. "
               "The command\n"
               "is run without a shell, as in\n"
               "  --download 'yt-dlp -q --no-playlist -f b[height<=480] --merge-output-format mp4 -o {out} -- {id}'\n"
               "With {start} and {end} in it each row is fetched by itself. Exit code 75, and words such as \"HTTP "
               "Error 429\" or\n"
               "\"timed out\", mean that it may succeed later.",
    .min_args = 1,
    .max_args = -1,
    .flags = flags,
    .self_size = sizeof(Clip),
    .run = run,
    .more_help = bal_findings_help,
};
