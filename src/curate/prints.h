/* Fingerprints of all clips of a manifest, made once and kept. */
#ifndef BAL_CURATE_PRINTS_H
#define BAL_CURATE_PRINTS_H

#include <avbalance/duplicates.h>
#include "base/json.h"
#include "curate/picture_hash.h"
#include "curate/sound_print.h"

enum { BAL_PRINT_FRAMES = 8 };

typedef struct BalPrint {
    bool usable;     /* else nothing of the clip decodes, and nothing below counts */
    char sha256[65]; /* of the file and the stretch of it */
    bool has_picture, has_sound;
    uint64_t bits[BAL_PRINT_FRAMES], mirrored[BAL_PRINT_FRAMES]; /* of frames evenly spaced */
    unsigned blank;                                              /* a bit per frame that tells nothing */
    uint32_t *sound; /* [n_sound], borrowed from the memory of all; 0: it tells nothing */
    int n_sound;
} BalPrint;

typedef struct BalPrints {
    BalPrint *at;                           /* [n] of the manifest's clips, then of the other datasets' */
    int64_t n, n_others, resumed, unusable; /* n_others: of n, the last; unusable: of those before */
} BalPrints;
/* Clip i of m and, behind them, of the other datasets; *list is the one that holds it. */
const BalClip *bal_duplicates_clip(const BalManifest *m, const BalDuplicatesSpec *spec, int64_t i,
                                   const BalManifest **list);
/* Those in dir/fingerprints.jsonl are taken from it, the others made and appended. */
BAL_MUST_USE BalStatus bal_prints_make(BalPrints *out, const BalManifest *m, const BalDuplicatesSpec *spec,
                                       const char *dir, BalProgressSink progress, BalError *err);
void bal_prints_reset(BalPrints *p);

/* One line of the file into `user`, a BalPrintMemory: for the fuzzer. */
typedef struct BalPrintMemory BalPrintMemory;
BAL_MUST_USE BalStatus bal_print_memory_open(BalPrintMemory **out, BalError *err);
BAL_MUST_USE BalStatus bal_print_memory_line(void *user, const BalJson *line, BalError *err);
int64_t bal_print_memory_count(const BalPrintMemory *memory);
const BalPrint *bal_print_memory_at(const BalPrintMemory *memory, int64_t i);
void bal_print_memory_close(BalPrintMemory **memory);

#endif
