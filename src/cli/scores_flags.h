/* Flags of the commands that read a table of scores: which columns, which split. */
#ifndef BAL_CLI_SCORES_FLAGS_H
#define BAL_CLI_SCORES_FLAGS_H

#include <avbalance/analysis.h>
#include "cli/command.h"

typedef struct BalScoresFlags {
    const char *id, *label, *split, *audio, *visual, *only;
} BalScoresFlags;

#define BAL_SCORES_FLAG(type, member, flag, what)                                                                      \
    { .name = flag, .kind = BAL_FLAG_STRING, .value = "NAME", .help = what, .offset = offsetof(type, member) }
/* Entries of a flag table whose struct begins with `BalScoresFlags scores`. */
#define BAL_SCORES_FLAGS(type)                                                                                         \
    BAL_SCORES_FLAG(type, scores.only, "split", "only rows of this split"),                                            \
        BAL_SCORES_FLAG(type, scores.audio, "audio-column", "column that holds u_audio"),                              \
        BAL_SCORES_FLAG(type, scores.visual, "visual-column", "column that holds u_visual"),                           \
        BAL_SCORES_FLAG(type, scores.id, "id-column", "column that holds the id"),                                     \
        BAL_SCORES_FLAG(type, scores.label, "label-column", "column that holds the label"),                            \
        BAL_SCORES_FLAG(type, scores.split, "split-column", "column that holds the split")

#define BAL_SCORES_HELP                                                                                                \
    "SCORES is a CSV or TSV with a header and columns id, u_audio, u_visual (label and split where there are), in "    \
    "any\n"                                                                                                            \
    "order; further columns are ignored. `estimate` writes such a file; so can any other tool."

static inline BalScoresSpec bal_scores_flags_spec(const BalScoresFlags *f, const BalCli *cli) {
    return (BalScoresSpec){.id = f->id,
                           .label = f->label,
                           .split = f->split,
                           .u_audio = f->audio,
                           .u_visual = f->visual,
                           .only_split = f->only,
                           .threads = cli->threads,
                           .progress = cli->progress};
}

#endif
