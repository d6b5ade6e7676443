/* The certificate of a selection: counts, what is kept, and the cuts that prove that it is the most. See certificate.c. */
#ifndef BAL_CURATE_CERTIFICATE_H
#define BAL_CURATE_CERTIFICATE_H

#include "base/json.h"
#include "curate/rule.h"

/* sha256: of selected.csv. */
void bal_certificate_json(const BalSelectResult *s, const char *sha256, BalText *out);

enum { BAL_MOST_CUTS = 3 };
typedef struct BalCertificate { /* zero is valid; bal_certificate_reset frees */
    BalSelectSpec spec;
    BalCells cells;
    const char **label;    /* [n_classes] */
    int64_t *n, *must, *x; /* [n_classes][n_bins] clips to choose from, that must be kept, kept */
    int64_t rows, kept, level;
    bool possible, optimal;
    BalCut cut[BAL_MOST_CUTS];
    int n_cuts;
    uint64_t digest[2];
    char sha256[65]; /* of selected.csv */
    BalJson *root;   /* owner of the labels */
} BalCertificate;
/* BAL_E_FORMAT: not a certificate. Whether it is right is not judged here. */
BAL_MUST_USE BalStatus bal_certificate_load(BalCertificate *c, const char *path, BalError *err);
BAL_MUST_USE BalStatus bal_certificate_parse(BalCertificate *c, BalJson **root, const char *path,
                                             BalError *err); /* takes root over */
void bal_certificate_reset(BalCertificate *c);

/* Does what is written there hold by itself? BAL_E_MISMATCH names what does not. */
BAL_MUST_USE BalStatus bal_certificate_check(const BalCertificate *c, const char *path, BalError *err);

#endif
