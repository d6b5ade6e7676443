/* What `verify` can check: a kind is recognised by the "schema" of its file. */
#ifndef BAL_CLI_VERIFY_H
#define BAL_CLI_VERIFY_H

#include "cli/scores_flags.h"

typedef struct BalVerify { /* all flags; a kind refuses those that say nothing to it */
    BalScoresFlags scores;
    const char *media_dir, *manifest, *store;
    bool no_media;
    const char *table, *source, *sources;
} BalVerify;

typedef struct BalVerifyKind {
    const char *schema; /* without its version: "avbalance/lock/" */
    const char *file;   /* that a folder of this kind has */
    /* Check the file and write to cli->out what was found. BAL_E_MISMATCH where anything differs, after cli->out was flushed. */
    BalStatus (*verify)(BalCli *cli, const BalVerify *flags, const char *path, BalError *err);
} BalVerifyKind;
BalStatus bal_verify_lock(BalCli *cli, const BalVerify *flags, const char *path, BalError *err);
BalStatus bal_verify_selection(BalCli *cli, const BalVerify *flags, const char *path, BalError *err);

#endif
