/* Inside manifests: what a dialect is, and the builder it hands its rows to.
 *
 * A dialect only finds rows: which bytes are id, media, label. Everything that must mean the same in all of them (are ids unique,
 * what is a split, which class is a label, where is the file) happens in the builder. */
#ifndef BAL_DATASET_MANIFEST_H
#define BAL_DATASET_MANIFEST_H

#include <stdbool.h>
#include <avbalance/dataset.h>
#include "base/csv.h"
#include "base/text.h"

/* Set of names, each with its number in order of arrival. */
typedef struct BalNameSet {
    const char **name; /* borrowed from a string store */
    int64_t n;
    size_t cap;
    int64_t *slot; /* open addressing: number + 1, 0 = empty */
    int64_t n_slots;
} BalNameSet;
int64_t bal_name_find(const BalNameSet *set, const char *s, size_t n); /* -1: not there */

typedef struct BalManifestStrings BalManifestStrings;
/* A NUL-terminated copy that lives as long as the manifest */
BAL_MUST_USE BalStatus bal_string_keep(BalManifestStrings **all, const char *s, size_t n, const char **out,
                                       BalError *err);
void bal_strings_free(BalManifestStrings **all);
/* Number of s[0..n), added (and kept) if new; *added tells. */
BAL_MUST_USE BalStatus bal_name_add(BalNameSet *set, BalManifestStrings **all, const char *s, size_t n, int64_t *number,
                                    bool *added, BalError *err);
void bal_name_set_reset(BalNameSet *set);

typedef struct BalLineOf { /* for messages */
    const char *path;      /* borrowed from the call */
    int64_t line;
} BalLineOf;

typedef struct BalBuild { /* one load */
    BalManifest *m;
    const BalManifestSpec *spec;
    const char *path; /* of the file being read */
    const struct BalDialect *dialect;
    size_t clip_cap;
    BalNameSet ids, labels; /* labels: as written; BalClip.label is a number in here until the classes are known */
    BalLineOf *label_at;    /* [labels] where each was first seen */
    size_t label_at_cap;
    int64_t file_first[64]; /* first clip of each file read so far */
    const char *file_path[64];
    int n_files;
    BalSplit file_split;
    BalNameSet classes;       /* the class list, if there is one; else made of the labels at the end */
    const char *classes_path; /* where it came from */
    BalText note;
} BalBuild;

typedef struct BalRow { /* texts are borrowed for the call; s == NULL: not said */
    BalField id, media, label, split, source;
    double start_s, duration_s; /* NAN: not said */
    int64_t line;
    char made_id[32]; /* where a dialect puts an id that it has to put together */
} BalRow;
BalSplit bal_split_named(const char *s, size_t n); /* "train", "training", "Val", ...; NONE: another word */
BalRow bal_row(int64_t line);                      /* nothing said */
BAL_MUST_USE BalStatus bal_build_add(BalBuild *b, const BalRow *row, BalError *err);
/* Classes in this order, where no list is there yet. */
BAL_MUST_USE BalStatus bal_build_class(BalBuild *b, const char *s, size_t n, BalError *err);
BAL_MUST_USE BalStatus bal_build_class_file(BalBuild *b, const char *path, BalError *err);
/* Labels to classes, media to files: after the last row. */
BAL_MUST_USE BalStatus bal_build_finish(BalBuild *b, BalError *err);
BAL_MUST_USE BalStatus bal_build_media(BalBuild *b, BalError *err); /* part of finish */

/* What recognition looks at. */
typedef struct BalSniff {
    const char *path;
    bool is_dir;
    const char *text; /* whole file, without BOM */
    size_t size;
    BalField line[2]; /* the first two that are not blank */
} BalSniff;
typedef enum BalClaim { BAL_CLAIM_NO, BAL_CLAIM_MAYBE, BAL_CLAIM_SURE } BalClaim; /* maybe: nothing speaks against it */

typedef struct BalDialect {
    const char *name, *summary;
    BalClaim (*claim)(const BalSniff *s);
    BalStatus (*read)(BalBuild *b, const BalSniff *s, BalError *err);
    bool several_labels; /* a clip may stand in several rows: the first counts */
    int index_base; /* labels that are numbers and no class names: index of the first class; -1: 0 or 1, found out */
} BalDialect;
extern const BalDialect bal_dialect_own, bal_dialect_table, bal_dialect_kinetics,
    bal_dialect_vggsounder; /* dialect_table.c */
extern const BalDialect bal_dialect_vggsound, bal_dialect_crema_d, bal_dialect_kinetics_sounds, bal_dialect_ave,
    bal_dialect_ucf101, bal_dialect_pairs, bal_dialect_ids;           /* dialect_list.c */
extern const BalDialect bal_dialect_activitynet, bal_dialect_id_json; /* dialect_json.c */
extern const BalDialect bal_dialect_folders;                          /* dialect_folders.c */
/* What stands in front of m's media paths in a file that lies in another folder: see bal_path_between. Appended to out. */
BAL_MUST_USE BalStatus bal_manifest_prefix(const BalManifest *m, const char *folder, BalText *out, BalError *err);
BAL_MUST_USE BalStatus bal_dialect_find(const BalDialect **out, const BalSniff *s, const char *name, BalError *err);

/* ---- small readers of ids and lines, for the dialects ---- */
BalField bal_field(const char *s);
/* Fields found, at most max, as BalCsv cuts them; quotes around them are taken off, doubled ones inside stay. */
int bal_split_line(BalField line, char separator, BalField *field, int max);
bool bal_all_digits(BalField f);
bool bal_is_number(BalField f);
BalField bal_stem(BalField path); /* file name without folder and media extension */
bool bal_has_media_extension(BalField path);
size_t bal_youtube_prefix(BalField id); /* 11 if id is a YouTube id, alone or with a clip time behind it; else 0 */
bool bal_is_crema_d(BalField id);
/* Time of a clip from its id: {yt}_{start, six digits}, _{start}_{end}, _{ms}_{ms}; false for {yt}_{n}, which says nothing sure. */
bool bal_clip_time(BalField id, double *start_s, double *duration_s);
/* The source video or speaker that the form of an id tells, else empty. */
BalField bal_source_of(BalField id);

#endif
