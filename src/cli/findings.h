/* Findings on the command line: lists of their names, and how one is shown with the number that decided. */
#ifndef BAL_CLI_FINDINGS_H
#define BAL_CLI_FINDINGS_H

#include <avbalance/media.h>
#include "cli/command.h"

#define BAL_UNUSABLE (UINT64_C(1) << 63) /* beside the findings: nothing in the file can be used */

/* Names, several with commas between, into *mask; "unfit" is all of bal_findings_unfit, "none" none. BAL_E_ARG with what was meant. */
BAL_MUST_USE BalStatus bal_findings_parse(const BalList *l, const char *flag, uint64_t *mask, BalError *err);
void bal_findings_show(BalText *out, const BalProbe *p); /* " silent(0.93) short(0.4)" */
void bal_findings_help(BalText *out);

#endif
