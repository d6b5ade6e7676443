/* Between the files of export: the finished dataset in memory. */
#ifndef BAL_CURATE_BUILD_EXPORT_H
#define BAL_CURATE_BUILD_EXPORT_H

#include "curate/build.h"
#include "curate/places.h"
#include "curate/sheet.h"

typedef struct BalBuildRow { /* a clip of the dataset; texts are of manifest, tables, scores */
    const BalClip *clip;
    const char *category, *origin, *origin_label, *origin_split, *flags, *licence, *video;
    double start_s, end_s; /* in the source video; NaN: unknown */
    char type[2];          /* "H", "A", "V"; "" without triage */
    const char *qa_pre, *qv_pre;
    int32_t q[2], sd[2]; /* times 10^6; sd -1: unknown */
    int bin;
    char pref; /* 'a', 'v', '=' */
    BalSplit split;
    uint64_t key;
} BalBuildRow;

typedef struct BalRejectCount {
    char stage[24], rule[48];
    int64_t n;
} BalRejectCount;

typedef struct BalBuildExport {
    const BalBuilding *b;
    BalManifest manifest; /* of triage */
    BalSheet triage, selected, licences;
    BalPlaces places;
    BalScores before, scores; /* of estimate, and without noise */
    BalBuildRow *row;         /* [n] by id */
    int64_t n;
    BalText rejects;       /* rejects.tsv */
    BalRejectCount *count; /* [n_counts] of rejects, by stage and rule */
    size_t count_cap;
    int n_counts;
} BalBuildExport;

/* A cell and what ends it, a tab or the end of the line: neither is left within. */
void bal_build_cell(BalText *out, const char *s, char end);
void bal_build_manifest_tsv(const BalBuildExport *e, BalText *out);
BAL_MUST_USE BalStatus bal_build_card(const BalBuildExport *e, BalText *out, BalError *err);   /* croissant.json */
BAL_MUST_USE BalStatus bal_build_report(const BalBuildExport *e, BalText *out, BalError *err); /* report.json */
BAL_MUST_USE BalStatus bal_build_rejects(BalBuildExport *e, BalError *err); /* fills rejects and counts */

typedef struct BalBuildColumn {
    const char *name, *type, *what; /* type: of schema.org */
} BalBuildColumn;
extern const BalBuildColumn bal_build_columns[]; /* of manifest.tsv; ends with NULL */

#endif
