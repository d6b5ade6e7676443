/* Lists without a header: VGGSound, CREMA-D, Kinetics-Sounds, AVE, UCF-101, plain pairs and bare ids. */
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "dataset/manifest.h"

/* Every line through `row_of`, which fills the row from the fields or says (false) that they are not of this dialect. */
static BalStatus read_list(BalBuild *b, const BalSniff *s, char separator, int skip,
                           bool (*row_of)(const BalField *f, int n, BalRow *row), const char *form, BalError *err) {
    BalCsv c;
    BalStatus rc;
    bal_csv_init(&c, s->text, s->size, separator, b->path);
    while ((rc = bal_csv_next(&c, err)) == BAL_OK) {
        BalRow row = bal_row(c.line);
        if (skip-- > 0) continue;
        if (row_of(c.field, c.n_fields, &row))
            rc = bal_build_add(b, &row, err);
        else
            rc = BAL_FAIL(err, BAL_E_FORMAT,
                          "%s: line %lld: not a row of dialect %s, which is %s: is another list pasted in?", b->path,
                          (long long)c.line, b->dialect->name, form);
        if (rc < 0) break;
    }
    bal_csv_reset(&c);
    return rc == BAL_END ? BAL_OK : rc;
}

static BalStatus built_in_classes(BalBuild *b, const char *const *name, BalError *err) {
    if (b->classes.n) return BAL_OK; /* the user's list, or an earlier file's */
    for (; *name; name++) BAL_TRY(bal_build_class(b, *name, strlen(*name), err));
    return BAL_OK;
}

static int fields(const BalSniff *s, int line, char separator, BalField f[8]) {
    return s->line[line].n ? bal_split_line(s->line[line], separator, f, 8) : 0;
}

/* ---- VGGSound: "{yt}_{start}.mp4,label", or "{yt},start,label,train|test" ---- */

static bool vggsound_row(const BalField *f, int n, BalRow *row) {
    double start_s, duration_s, start;
    if (n == 2 && bal_clip_time(bal_stem(f[0]), &start_s, &duration_s)) {
        row->id = bal_stem(f[0]);
        if (bal_has_media_extension(f[0])) row->media = f[0];
        row->label = f[1];
        return true;
    }
    if (n != 4 || f[0].n != 11 || bal_youtube_prefix(f[0]) != 11 || !bal_all_digits(f[1]) || f[1].n > 6) return false;
    if (!bal_parse_real_n(f[1].s, f[1].n, &start)) return false;
    int made = snprintf(row->made_id, sizeof row->made_id, "%.11s_%06d", f[0].s, (int)start);
    row->id = (BalField){row->made_id, (size_t)made, false};
    row->label = f[2];
    row->split = f[3];
    return true;
}

static BalClaim vggsound_claim(const BalSniff *s) {
    BalField f[8];
    BalRow row = bal_row(1);
    int n = fields(s, 0, ',', f);
    return vggsound_row(f, n, &row) && (n == 4 || bal_has_media_extension(f[0])) ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus vggsound_read(BalBuild *b, const BalSniff *s, BalError *err) {
    return read_list(b, s, ',', 0, vggsound_row, "'id_000030.mp4,label' or 'id,30,label,train'", err);
}

const BalDialect bal_dialect_vggsound = {
    .name = "vggsound",
    .summary = "VGGSound CSV: youtube_id,start,label,split, or youtube_id_start.mp4,label; clips of 10 s",
    .claim = vggsound_claim,
    .read = vggsound_read,
    .index_base = -1,
};

/* ---- CREMA-D: "1088_IOM_NEU_XX,NEU", with or without "name,label" above; the speaker is the source ---- */

static bool crema_d_row(const BalField *f, int n, BalRow *row) {
    if (n != 2 || !bal_is_crema_d(bal_stem(f[0]))) return false;
    row->id = bal_stem(f[0]);
    if (bal_has_media_extension(f[0])) row->media = f[0];
    row->label = f[1];
    return true;
}

static int crema_d_header(const BalSniff *s) {
    BalField f[8];
    BalRow row = bal_row(1);
    return !crema_d_row(f, fields(s, 0, ',', f), &row);
}

static BalClaim crema_d_claim(const BalSniff *s) {
    BalField f[8], g[8];
    BalRow row = bal_row(1);
    if (!crema_d_header(s)) return BAL_CLAIM_SURE;
    bool header = fields(s, 0, ',', f) == 2 && bal_field_is(&f[0], "name") && bal_field_is(&f[1], "label");
    return header && crema_d_row(g, fields(s, 1, ',', g), &row) ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus crema_d_read(BalBuild *b, const BalSniff *s, BalError *err) {
    static const char *const classes[] = {"NEU", "HAP", "SAD", "FEA", "DIS", "ANG", NULL};
    BAL_TRY(built_in_classes(b, classes, err));
    return read_list(b, s, ',', crema_d_header(s), crema_d_row, "'1088_IOM_NEU_XX,NEU'", err);
}

const BalDialect bal_dialect_crema_d = {
    .name = "crema-d",
    .summary = "CREMA-D lists: clip,NEU|HAP|SAD|FEA|DIS|ANG with or without header; the speaker is the source",
    .claim = crema_d_claim,
    .read = crema_d_read,
    .index_base = 0,
};

/* ---- Kinetics-Sounds: "id,10,index" ---- */

static bool kinetics_sounds_row(const BalField *f, int n, BalRow *row) {
    if (n != 3 || bal_youtube_prefix(f[0]) == 0 || !bal_is_number(f[1]) || !bal_all_digits(f[2])) return false;
    row->id = f[0];
    row->label = f[2];
    return true;
}

static BalClaim kinetics_sounds_claim(const BalSniff *s) {
    BalField f[8];
    BalRow row = bal_row(1);
    return kinetics_sounds_row(f, fields(s, 0, ',', f), &row) ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus kinetics_sounds_read(BalBuild *b, const BalSniff *s, BalError *err) {
    static const char *const classes[] = {"blowing_nose",
                                          "blowing_out_candles",
                                          "bowling",
                                          "chopping_wood",
                                          "dribbling_basketball",
                                          "laughing",
                                          "mowing_lawn",
                                          "playing_accordion",
                                          "playing_bagpipes",
                                          "playing_bass_guitar",
                                          "playing_clarinet",
                                          "playing_drums",
                                          "playing_guitar",
                                          "playing_harmonica",
                                          "playing_keyboard",
                                          "playing_organ",
                                          "playing_piano",
                                          "playing_saxophone",
                                          "playing_trombone",
                                          "playing_trumpet",
                                          "playing_violin",
                                          "playing_xylophone",
                                          "ripping_paper",
                                          "shoveling_snow",
                                          "shuffling_cards",
                                          "singing",
                                          "stomping_grapes",
                                          "tap_dancing",
                                          "tapping_guitar",
                                          "tapping_pen",
                                          "tickling",
                                          NULL};
    BAL_TRY(built_in_classes(b, classes, err));
    return read_list(b, s, ',', 0, kinetics_sounds_row, "'id,10,class index'", err);
}

const BalDialect bal_dialect_kinetics_sounds = {
    .name = "kinetics-sounds",
    .summary = "Kinetics-Sounds lists: id,10,index with the 31 classes in alphabetical order, 0-based",
    .claim = kinetics_sounds_claim,
    .read = kinetics_sounds_read,
    .index_base = 0,
};

/* ---- AVE: "class&id&quality&start&end", seconds inside a clip of 10 s ---- */

static bool ave_row(const BalField *f, int n, BalRow *row) {
    double start, end;
    if (n != 5 || bal_youtube_prefix(f[1]) == 0) return false;
    if (!bal_parse_real_n(f[3].s, f[3].n, &start) || !bal_parse_real_n(f[4].s, f[4].n, &end)) return false;
    if (start != end) { /* the published list has one event of 0..0: its clip is taken whole */
        row->start_s = start;
        row->duration_s = end - start;
    }
    row->label = f[0];
    row->id = f[1];
    return true;
}

static int ave_header(const BalSniff *s) {
    BalField f[8];
    BalRow row = bal_row(1);
    return !ave_row(f, fields(s, 0, '&', f), &row);
}

static BalClaim ave_claim(const BalSniff *s) {
    BalField f[8];
    BalRow row = bal_row(1);
    return ave_row(f, fields(s, ave_header(s), '&', f), &row) ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus ave_read(BalBuild *b, const BalSniff *s, BalError *err) {
    return read_list(b, s, '&', ave_header(s), ave_row, "'class&id&quality&start&end'", err);
}

const BalDialect bal_dialect_ave = {
    .name = "ave",
    .summary = "AVE annotations: class&youtube_id&quality&start&end; several classes per clip, the first counts",
    .claim = ave_claim,
    .read = ave_read,
    .several_labels = true,
    .index_base = -1,
};

/* ---- UCF-101: "Class/v_Class_g08_c01.avi[ index]", index 1-based; videos of one group (g08) are one source ---- */

static bool ucf101_row(const BalField *f, int n, BalRow *row) {
    const char *slash = n ? memchr(f[0].s, '/', f[0].n) : NULL;
    if (!slash || n > 2 || (n == 2 && !bal_all_digits(f[1])) || !bal_has_media_extension(f[0])) return false;
    BalField stem = bal_stem(f[0]);
    if (stem.n < 9 || stem.s[0] != 'v' || stem.s[1] != '_') return false;
    const char *clip = memrchr(stem.s, '_', stem.n);
    row->media = f[0];
    row->id = stem;
    row->label = (BalField){f[0].s, (size_t)(slash - f[0].s), false};
    row->source = (BalField){stem.s, (size_t)(clip - stem.s), false};
    return clip > stem.s + 2;
}

static BalClaim ucf101_claim(const BalSniff *s) {
    BalField f[8];
    BalRow row = bal_row(1);
    return ucf101_row(f, fields(s, 0, ' ', f), &row) ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

/* The folder names the class; classInd.txt beside the list, where it is, gives the order. */
static BalStatus ucf101_read(BalBuild *b, const BalSniff *s, BalError *err) {
    BalText path = {0};
    const char *slash = strrchr(b->path, '/'), *kept;
    if (slash) bal_text_add_n(&path, b->path, (size_t)(slash + 1 - b->path));
    bal_text_add(&path, "classInd.txt");
    BalStatus rc = bal_text_ok(&path, err);
    if (rc == BAL_OK && b->classes.n == 0 && bal_file_exists(path.data)) {
        rc = bal_string_keep(&b->m->strings, path.data, path.len, &kept, err);
        if (rc == BAL_OK) rc = bal_build_class_file(b, kept, err);
    }
    bal_text_reset(&path);
    return rc < 0 ? rc : read_list(b, s, ' ', 0, ucf101_row, "'Class/v_Class_g01_c01.avi 1'", err);
}

const BalDialect bal_dialect_ucf101 = {
    .name = "ucf101",
    .summary = "UCF-101 lists: Class/v_Class_g01_c01.avi [index]; classInd.txt beside it gives the classes' order",
    .claim = ucf101_claim,
    .read = ucf101_read,
    .index_base = 1,
};

/* ---- pairs: "path,label" or "path<TAB>label" ---- */

static bool pairs_row(const BalField *f, int n, BalRow *row) {
    if (n != 2 || !bal_has_media_extension(f[0])) return false;
    row->media = f[0];
    row->label = f[1];
    return true;
}

static char pairs_separator(const BalSniff *s) {
    return memchr(s->line[0].s, '\t', s->line[0].n) ? '\t' : ',';
}

static BalClaim pairs_claim(const BalSniff *s) {
    BalField f[8];
    BalRow row = bal_row(1);
    return pairs_row(f, fields(s, 0, pairs_separator(s), f), &row) ? BAL_CLAIM_MAYBE : BAL_CLAIM_NO;
}

static BalStatus pairs_read(BalBuild *b, const BalSniff *s, BalError *err) {
    return read_list(b, s, pairs_separator(s), 0, pairs_row, "'path.mp4,label'", err);
}

const BalDialect bal_dialect_pairs = {
    .name = "pairs",
    .summary = "path,label (or a tab between) without header; the file's name is the id",
    .claim = pairs_claim,
    .read = pairs_read,
    .index_base = -1,
};

/* ---- ids: one per line, no labels ---- */

static bool ids_row(const BalField *f, int n, BalRow *row) {
    if (n != 1) return false;
    row->id = bal_stem(f[0]);
    if (bal_has_media_extension(f[0])) row->media = f[0];
    return true;
}

static BalClaim ids_claim(const BalSniff *s) {
    return bal_youtube_prefix(bal_stem(s->line[0])) ? BAL_CLAIM_MAYBE : BAL_CLAIM_NO;
}

static BalStatus ids_read(BalBuild *b, const BalSniff *s, BalError *err) {
    return read_list(b, s, ',', 0, ids_row, "one id per line", err);
}

const BalDialect bal_dialect_ids = {
    .name = "ids",
    .summary = "one clip id per line, no labels (lists of bad clips, of a subset)",
    .claim = ids_claim,
    .read = ids_read,
    .index_base = -1,
};
