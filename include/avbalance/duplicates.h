/* Near-duplicates: clips that show and sound the same, whatever became of their files on the way. */
#ifndef AVBALANCE_DUPLICATES_H
#define AVBALANCE_DUPLICATES_H

#include <avbalance/dataset.h>

typedef enum BalSameKind {
    BAL_SAME_FILE,    /* byte for byte                                                        */
    BAL_SAME_STRETCH, /* of one video, begins less than 10 s apart, or the earlier one's length if that is less */
    BAL_SAME_BOTH,    /* picture and sound agree                                              */
    BAL_SAME_PICTURE, /* only the picture: told, not removed; the sound may be another take   */
    BAL_SAME_SOUND, /* only the sound: told, not removed; a soundtrack used again is a case where only hearing helps */
    BAL_SAME_KINDS
} BalSameKind;
BAL_API const char *bal_same_name(BalSameKind k); /* "file", "stretch", "both", "picture", "sound" */

typedef struct BalDuplicatesSpec {
    int workers;
    double limit_s; /* wall time per clip                                                             (default 60)   */
    int frame_bits; /* pictures agree if no more of 64 bits differ                                     (default 8)    */
    int frames;     /* of 8 that must agree, each with one of its neighbours at most one place away   (default 6)    */
    double
        bit_error; /* sound agrees if at the best offset less of the bits differ                      (default 0.15) */
    double
        overlap_s; /* over at least so long                                                           (default 5)    */
    double near_s; /* BAL_SAME_STRETCH                                                                (default 10)   */
    uint64_t seed; /* of the keys that decide between equals */
    const char *const *keep; /* [n_keep] ids that stay whatever they are like */
    int64_t n_keep;
    const char *const *labelled; /* [n_labelled] ids whose labels people gave: they stay rather than others */
    int64_t n_labelled;
    const BalManifest *against; /* [n_against] other datasets: what is a duplicate of a clip of theirs goes */
    int n_against;
} BalDuplicatesSpec;
BAL_API BalDuplicatesSpec bal_duplicates_spec_default(void);

typedef struct BalDuplicatesResult {
    int64_t n, kept, removed, unusable; /* unusable: gave no fingerprint; it stays */
    int64_t pairs[BAL_SAME_KINDS];
    int64_t groups;   /* of duplicates, each keeping one */
    int64_t leaks;    /* sources, and pairs of duplicates, on both sides of a split */
    int64_t resumed;  /* fingerprints made by an earlier call */
    int64_t against;  /* clips of other datasets */
    int64_t unknown;  /* of `against`: no fingerprint and no place in a video; nothing was compared with them */
    int64_t by_place; /* of `against`: no fingerprint, so that only a place in the same video can tell */
    int64_t
        unplaced; /* of n, where some are by_place: no place in a video, so that they were not compared with those */
} BalDuplicatesResult;

/* Compare all clips of a manifest with each other, and with those of other datasets by file where it is there. The place of a clip in
 * its video is what clips.csv beside the list says (see clips.h), else its id, else source and start; these begin where the file does,
 * so that they count only where the list has one file of the source, or the file is not there. Clips of one file have places in that
 * too. Written to dir:
 *
 *   pairs.csv           a,b,kind,frames,mirrored,bit_error,offset_s
 *   groups.csv          group,id,kept,why: duplicates joined over all pairs; one of each stays: must-keep, else labelled by people, else
 *                       of the lowest key
 *   manifest.csv        what stays, for bal_ingest
 *   rejects.csv         id,stage,rule,values
 *   leaks.csv           kind,a,b,split_a,split_b: a source, or duplicates, in two splits
 *   fingerprints.jsonl  of every clip: a call that was killed, or one with more clips, makes the missing ones only
 *
 * Pictures: 8 frames, each 64 bits by which its 8 x 8 lowest cosine coefficients exceed their median, also as mirrored. Sound:
 * libchromaprint, of clips below 8 s repeated up to that. Clips without sound, and without a picture that tells anything, agree in that
 * with their like. The same files for any number of workers. BAL_E_UNSUPPORTED: built without libchromaprint. BAL_E_EXISTS: another
 * process writes there. BAL_E_MISMATCH: fingerprints.jsonl is of a build that may decode otherwise. BAL_E_CANCELLED: through `progress`. */
BAL_API BAL_MUST_USE BalStatus bal_duplicates_find(const BalManifest *m, const BalDuplicatesSpec *spec, const char *dir,
                                                   BalProgressSink progress, BalDuplicatesResult *out, BalError *err);
/* "chromaprint 1.5.1", or "" in a build without. Static storage. */
BAL_API const char *bal_duplicates_version(void);

#endif
