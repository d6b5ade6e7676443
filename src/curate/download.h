/* Fetching videos through a program of the user's: run without a shell, watched, tried again where that may help. */
#ifndef BAL_CURATE_DOWNLOAD_H
#define BAL_CURATE_DOWNLOAD_H

#include <avbalance/clips.h>

typedef struct BalDownloader BalDownloader; /* may be used by several threads */
/* BAL_E_ARG: a command without {out} or {id}, with an open quote, or where a word begins with {id} and no -- stands
 * before. Other words in braces are left as they are: they may be the program's own. */
BAL_MUST_USE BalStatus bal_downloader_open(BalDownloader **out, const BalClipsSpec *spec, BalError *err);
void bal_downloader_close(BalDownloader **d);
bool bal_downloader_cuts(const BalDownloader *d); /* the command has {start} or {end} */

/* Run the command for a stretch of a video (span NULL: all of it); the file is at `path` then, and complete. id: 11 characters of
 * [A-Za-z0-9_-], else BAL_E_ARG. BAL_E_MEDIA: it failed for good, the message holds what it said last. BAL_E_COMM: it failed in a way
 * that may pass, also after all retries. BAL_E_IO: 20 calls in a row failed, and so will all later ones. BAL_E_CANCELLED. */
BAL_MUST_USE BalStatus bal_download(BalDownloader *d, const char *id, const BalSpan *span, const char *path,
                                    BalError *err);

#endif
