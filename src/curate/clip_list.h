/* What is to be cut: videos and stretches of them, from files, folders and lists. */
#ifndef BAL_CURATE_CLIP_LIST_H
#define BAL_CURATE_CLIP_LIST_H

#include <avbalance/clips.h>

typedef struct BalClipWish { /* a stretch of a video, or a whole one; texts are the list's */
    const char *id;          /* of the clip, of the whole video; "": after its content */
    const char *path;        /* of the file; "": not there */
    const char *youtube;     /* id of 11 characters by which it might be fetched, or "" */
    const char *label, *source;
    BalSplit split;  /* NONE: not said */
    BalSpan span;    /* end_ms 0: the whole, to be planned */
    int64_t video;   /* index of the video it belongs to */
    int64_t same_as; /* an earlier wish that has or may get the same id, or -1 */
} BalClipWish;

typedef struct BalClipList {
    BalClipWish *wish;
    int64_t n;
    int64_t n_videos; /* numbered in order of their first wish */
    struct BalManifestStrings *strings;
    size_t cap;
} BalClipList;
/* BAL_E_FORMAT, BAL_E_IO, BAL_E_ARG: a list that cannot be read, a folder without videos, nothing at all. A file that is not there
 * is no failure yet. */
BAL_MUST_USE BalStatus bal_clip_list_read(BalClipList *out, const char *const *input, int n, const BalClipsSpec *spec,
                                          BalError *err);
void bal_clip_list_reset(BalClipList *l);

#endif
