/* Curate: from clips that pretrained networks scored to a balanced dataset (Xia et al. 2023, section 4). */
#ifndef AVBALANCE_CURATE_H
#define AVBALANCE_CURATE_H

#include <stdbool.h>
#include <stdint.h>
#include <avbalance/analysis.h>
#include <avbalance/dataset.h>
#include <avbalance/error.h>

typedef enum BalSide { BAL_AUDIO, BAL_VISUAL, BAL_SIDES } BalSide;

/* ---- categories: what the classes of two scorers, which know different lists, mean for one dataset ---- */
typedef struct BalCategory {
    const char *key, *display;
    const char **class_name[BAL_SIDES]; /* [n_classes] of that side's scorer */
    int n_classes[BAL_SIDES];           /* 0 only where weak */
    bool weak[BAL_SIDES];               /* the scorer has no true counterpart */
} BalCategory;
typedef struct BalCategories { /* zero is valid; bal_categories_reset frees */
    BalCategory *category;     /* [n] in the order of the table */
    int n;
    struct BalCategoriesText *text; /* owner of everything */
} BalCategories;
/* Read a table of this build by name ("balanced-av"), or a file: tab-separated columns key, display, side (audio, visual), class, and
 * optionally weak (1: no true counterpart; only then may the class be empty); lines that begin with # are comments.
 * BAL_E_FORMAT names file, line and remedy: a class twice on one side, a side without classes, an unknown side, ... */
BAL_API BAL_MUST_USE BalStatus bal_categories_load(BalCategories *out, const char *which, BalError *err);
/* Each of n names is a category, with itself as its class on both sides: for scorers that were trained on the dataset's own labels. */
BAL_API BAL_MUST_USE BalStatus bal_categories_plain(BalCategories *out, const char *const *name, int n, BalError *err);
BAL_API void bal_categories_reset(BalCategories *c);
BAL_API int bal_category_find(const BalCategories *c,
                              const char *key); /* by key, else by display name; -1: not there */
/* Category that a label of any list means: its key, its display name, or one of its classes on either side; -1: none. */
BAL_API int bal_category_of_label(const BalCategories *c, const char *label);
BAL_API int bal_categories_count(void);                         /* tables inside this build */
BAL_API const char *bal_categories_at(int i, const char **tsv); /* name; static storage */

typedef struct BalCategoryMap { /* zero is valid; bal_category_map_reset frees */
    int n_classes;              /* of the scorer */
    int n_categories;
    int32_t *category; /* [n_classes] -1: unmapped, a rival of its own */
} BalCategoryMap;
/* Find the classes of one side in a scorer's list. BAL_E_FORMAT: a class is not in the list (with the closest one), or the list has a
 * name twice; `list` names it in messages. */
BAL_API BAL_MUST_USE BalStatus bal_category_map_make(BalCategoryMap *out, const BalCategories *c, BalSide side,
                                                     const char *const *name, int n, const char *list, BalError *err);
BAL_API void bal_category_map_reset(BalCategoryMap *m);

typedef enum BalCorrectRule {
    BAL_CORRECT_SUM, /* the category's probability exceeds that of every other category and of every unmapped class; a tie is wrong */
    BAL_CORRECT_TOP1, /* the most probable class, the first of equal ones, is of the category */
} BalCorrectRule;
typedef struct BalCategoryScore {
    double p;     /* of category y: sum over its classes, not renormalised, since mass on unmapped classes is doubt */
    bool correct; /* by the rule */
    int top; /* most probable category, -1: an unmapped class is more probable (of equal ones: the category, the first) */
    double top_p;
} BalCategoryScore;
/* What one row of class probabilities q [n_classes] says about category y in [0, n_categories). p: [n_categories], the caller's, gets
 * every category's probability. BAL_E_NUMERIC: a probability outside [0,1], or not a number; the message says of which class. */
BAL_API BAL_MUST_USE BalStatus bal_category_score(BalCategoryScore *out, const BalCategoryMap *m, const float *q, int y,
                                                  BalCorrectRule rule, double *p, BalError *err);

/* ---- calibration: one temperature per scorer, without which the confidences of two scorers cannot be compared ---- */
#define BAL_RELIABILITY_BINS 15
typedef struct BalReliability {              /* of the answer: the most probable category or unmapped class */
    int64_t count[BAL_RELIABILITY_BINS];     /* clips whose answer has a confidence in (k/15, (k+1)/15] */
    double confidence[BAL_RELIABILITY_BINS]; /* their mean confidence; NaN where there are none */
    double accuracy[BAL_RELIABILITY_BINS];
    double nll;         /* mean of -ln(probability of the clip's category), probabilities below 1e-12 taken as that */
    double ece;         /* mean |accuracy - confidence| over bins, by count (Naeini et al. 2015) */
    double mean, right; /* mean confidence and share of right answers */
} BalReliability;
typedef struct BalCalibration {
    double temperature; /* in [0.05, 20], to four digits */
    bool at_edge;       /* the likelihood still rises at the end of the range: do not trust it */
    int64_t n, unscored;
    BalReliability before, after; /* at temperatures 1 and `temperature` */
} BalCalibration;
typedef struct BalCalibrateSpec {
    const BalCategories *categories; /* NULL: the labels of the clips */
    BalSide side;
    const char *const *outputs; /* [n_outputs] as in BalTriageSpec */
    int n_outputs;
    BalSplit split; /* of the clips that count; NONE: all */
} BalCalibrateSpec;
/* Find the temperature that makes the categories of clips whose labels are known most likely (Guo et al. 2017): clips that the scorer
 * was not trained on, labelled by people. Labels of no category are passed over. BAL_E_FORMAT: no clip has outputs. */
BAL_API BAL_MUST_USE BalStatus bal_calibrate(BalCalibration *out, const BalManifest *clips,
                                             const BalCalibrateSpec *spec, BalError *err);

/* ---- triage: which scorer names a clip's label ---- */
typedef enum BalClipType { BAL_TYPE_H, BAL_TYPE_A, BAL_TYPE_V, BAL_TYPE_N, BAL_TYPE_COUNT } BalClipType;
BAL_API char bal_type_letter(BalClipType t); /* H heard and seen, A audible only, V visible only, N neither */

typedef enum BalTriageRule {
    BAL_TRIAGE_KEPT,
    BAL_TRIAGE_UNSCORED,   /* one of the scorers has no output for it */
    BAL_TRIAGE_NEITHER,    /* type N */
    BAL_TRIAGE_KNOWN,      /* of a supplement: the clip, or one less than 10 s away in its video, is there already */
    BAL_TRIAGE_FOREIGN,    /* of a supplement: its test clips are not wanted */
    BAL_TRIAGE_PER_SOURCE, /* more clips of one category from one video than wanted */
    BAL_TRIAGE_NO_NEED,    /* of a supplement: its category lacks none of its type */
    BAL_TRIAGE_CAP,        /* of a supplement: as many as wanted have been taken from it */
    BAL_TRIAGE_PROPORTION, /* more of its type than the proportion of types allows */
    BAL_TRIAGE_RULES
} BalTriageRule;
BAL_API const char *bal_triage_rule_name(BalTriageRule r); /* "neither", ... */

typedef struct BalTriageSource {
    const char *name;         /* goes into the provenance: "own", "vgg", "k400" */
    const BalManifest *clips; /* borrowed: outlives the triage */
    int64_t cap;              /* most clips to take from it; negative: any number */
    const double *place_s;    /* [clips->n] where each begins in its source video, NaN: unknown; NULL: its start_s */
} BalTriageSource;
typedef struct BalTriageSpec {
    const BalCategories *categories; /* NULL: the labels of the first source; borrowed */
    /* Outputs of each side's scorer: paths as `avbalance help triage` lists them. A clip counts where the first of them has it. */
    const char *const *outputs[BAL_SIDES];
    int n_outputs[BAL_SIDES];
    double temperature[BAL_SIDES];
    int rule;       /* BalCorrectRule */
    double ratio;   /* most clips of one type of a category per clip of its rarest type; 0: any number */
    int64_t target; /* clips wanted per category, a third of each type: fewer are a deficit, which supplements fill */
    int64_t per_source; /* most clips of one category from one source video; 0: any number */
    bool retopic;       /* where both scorers name another category with p >= 0.5, that is the label */
    bool no_foreign_test;
    uint64_t seed; /* of the keys that order clips */
} BalTriageSpec;
/* The paper takes at most 10,000 clips from Kinetics-400 ("k400") and 8,000 from VGG-Sound ("vgg"); others: -1. */
BAL_API int64_t bal_triage_usual_cap(const char *source);
BAL_API BalTriageSpec bal_triage_spec_default(void); /* temperatures 1, ratio 1.25, target 1200 */

typedef struct BalTriageClip {
    const BalClip *clip;
    const char *origin_label; /* as its manifest has it */
    int32_t source, category;
    int32_t from;         /* category before it was retopicked, -1: it was not */
    double place_s;       /* where it begins in its source video */
    int32_t q[BAL_SIDES]; /* confidences times 10^6; -1: unscored */
    int8_t type, rule;    /* BalClipType, BalTriageRule */
    uint64_t key;
} BalTriageClip;
typedef struct BalTriageCategory {
    int64_t n;                          /* own clips, the unscored included */
    int64_t typed[BAL_TYPE_COUNT];      /* own clips by type */
    int64_t missing[BAL_TYPE_COUNT];    /* own clips short of target / 3 */
    int64_t supplement[BAL_TYPE_COUNT]; /* taken from supplements */
    int64_t kept[BAL_TYPE_COUNT];       /* in the end */
    bool deficient;                     /* a type has no clip: proportions are of the others */
    int64_t wrong[BAL_SIDES];           /* own clips that the scorer gets wrong */
    double mean_wrong[BAL_SIDES];       /* their mean confidence; NaN where there is none */
} BalTriageCategory;
typedef struct BalTriage { /* zero is valid; bal_triage_reset frees */
    BalTriageSpec spec;    /* pointers in it stay the caller's */
    const BalTriageSource *source;
    int n_sources;
    BalTriageClip *clip; /* [n] by id, in byte order */
    int64_t n, kept;
    BalTriageCategory *category; /* [n_categories] */
    const char **category_key;   /* borrowed from the categories */
    BalCategories own;           /* where none were given */
    int n_categories;
    int64_t rejected[BAL_TRIAGE_RULES];
    int64_t *unmapped; /* [n_sources] clips of supplements whose label is of no category */
    int64_t *taken;    /* [n_sources] */
} BalTriage;
/* Type every clip of source[0..n), of which the first is the dataset's own and the others are supplements, fill deficits from the
 * supplements and bring the types of every category into proportion. Clips are chosen by key, so that neither the order of anything
 * nor an unrelated clip matters. BAL_E_FORMAT: a label of the own clips is no category, an id is not unique in it; errors of reading
 * outputs. */
BAL_API BAL_MUST_USE BalStatus bal_triage(BalTriage *out, const BalTriageSource *source, int n,
                                          const BalTriageSpec *spec, BalError *err);
/* Write DIR/manifest.csv (the clips that are kept, as `ingest` reads them), triage.csv (what is known about them), rejects.csv
 * (id,stage,rule,values), and triage.json last. */
BAL_API BAL_MUST_USE BalStatus bal_triage_save(const BalTriage *t, const char *dir, BalError *err);
BAL_API void bal_triage_reset(BalTriage *t);

/* ---- noise: clips whose label is likely wrong ---- */
/* Bits: a clip may break several rules. */
enum {
    BAL_NOISE_TECHNICAL =
        1,               /* R4: it stands in a list of clips that cannot be used: silent, black, frozen, doubled, ... */
    BAL_NOISE_LABEL = 2, /* R3: sound and picture agree on the same other label (confident learning) */
    BAL_NOISE_LOW = 4,   /* R1: u_audio < low and u_visual < low */
    BAL_NOISE_NEVER =
        8, /* R2: low mean and low spread in both, and right in no epoch of either (dataset cartography) */
    BAL_NOISE_RULES = 4
};
BAL_API const char *bal_noise_rule_name(int k); /* of bit k: "technical", "label", "low", "never" */
typedef struct BalNoiseSpec {
    double low;               /* R1; default 0.1, three times chance of the paper's 30 categories */
    double never_u, never_sd; /* R2; defaults 0.25 and 0.1 */
    double cap; /* R1 to R3 remove at most this share of a label's clips (default 0.1); the least sure go first */
    const char *const
        *outputs[BAL_SIDES]; /* R3: run folders, or what else `triage` takes; means over those that scored a clip */
    int n_outputs[BAL_SIDES];
    const char *technical; /* R4: CSV with a column id and, optionally, reason; NULL: none */
    uint64_t seed;         /* of the keys that decide between equally unsure clips */
} BalNoiseSpec;
BAL_API BalNoiseSpec bal_noise_spec_default(void);
typedef struct BalNoise {             /* zero is valid; bal_noise_reset frees */
    int64_t n, removed, spared;       /* spared: the cap kept them */
    uint8_t *rules;                   /* [n] bits that a clip breaks */
    bool *out;                        /* [n] removed */
    int32_t *suspect;                 /* [n] R3: the other label, -1: none */
    const char **reason;              /* [n] R4, else NULL */
    int64_t by_rule[BAL_NOISE_RULES]; /* clips that break each rule, removed or not */
    bool applied[BAL_NOISE_RULES];    /* the table and the spec have what the rule needs */
    int64_t *of_label,
        *out_of_label; /* [n_labels + 1] clips, and those that R1 to R3 remove; the last: without a label */
    int64_t n_unknown; /* R4: ids that the scores do not have */
    struct BalSheet *table;
} BalNoise;
/* Find the noise among the clips of a table of scores. BAL_E_FORMAT, BAL_E_NUMERIC: bad outputs or list. */
BAL_API BAL_MUST_USE BalStatus bal_noise_find(BalNoise *out, const BalScores *s, const BalNoiseSpec *spec,
                                              BalError *err);
/* Write DIR/scores.csv (the clips that stay), rejects.csv (id,stage,rule,values: a line per removal), and noise.json last. */
BAL_API BAL_MUST_USE BalStatus bal_noise_save(const BalNoise *noise, const BalScores *s, const BalNoiseSpec *spec,
                                              const char *dir, BalError *err);
BAL_API void bal_noise_reset(BalNoise *noise);

#endif
