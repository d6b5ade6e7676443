/* Weights and training state on disk, as safetensors in logical layout: a file written by one backend loads in every other, and
 * bit-exactly in the one that wrote it.
 *
 * Weights: every parameter and running statistic as F32 under its name; for each batch norm also torch's "num_batches_tracked", so
 * that the file loads strictly there. State adds the optimiser: "optimizer.m1.NAME", "optimizer.m2.NAME", "optimizer.steps". A file
 * is checked whole before the session is touched. */
#include "engine/session.h"
#include <string.h>
#include "base/mem.h"
#include "engine/safetensors.h"

static const char batches_suffix[] = ".num_batches_tracked", mean_suffix[] = ".running_mean";
static const char steps_name[] = "optimizer.steps", *const moment_prefix[2] = {"optimizer.m1.", "optimizer.m2."};

#define MOST_STEPS ((int64_t)1 << 53) /* exact as a double, in which the bias corrections count */

/* ---- what goes into a file ---- */
typedef enum EntryKind { ENTRY_BATCHES, ENTRY_STEPS, ENTRY_PARAM, ENTRY_MOMENT1, ENTRY_MOMENT2 } EntryKind;
typedef struct Entry {
    EntryKind kind;
    int param;
} Entry;

typedef struct Listing { /* tensors of a file, and what of the session each of them is */
    BalNamedTensor *tensor;
    Entry *entry;
    char **name;
    int n;
} Listing;

static void listing_reset(Listing *l) {
    for (int i = 0; l->name && i < l->n; i++) bal_free(l->name[i]);
    bal_free(l->name);
    bal_free(l->tensor);
    bal_free(l->entry);
    *l = (Listing){0};
}

/* Append one tensor; its name is prefix + name (without `cut` characters at its end) + suffix. */
static BalStatus list(Listing *l, EntryKind kind, int param, BalTensorType type, const BalShape *shape,
                      const char *prefix, const char *name, size_t cut, const char *suffix, BalError *err) {
    BalText t = {0};
    BalNamedTensor *out = &l->tensor[l->n];
    bal_text_add(&t, prefix);
    bal_text_add_n(&t, name, strlen(name) - cut);
    bal_text_add(&t, suffix);
    BalStatus rc = bal_text_ok(&t, err);
    if (rc >= 0) rc = bal_strdup(&l->name[l->n], t.data, err);
    bal_text_reset(&t);
    BAL_TRY(rc);
    *out = (BalNamedTensor){.name = l->name[l->n], .type = type, .rank = shape->rank};
    for (int i = 0; i < shape->rank; i++) out->dim[i] = shape->dim[i];
    l->entry[l->n++] = (Entry){kind, param};
    return BAL_OK;
}

static BalStatus list_weights(Listing *l, const BalSession *s, BalError *err) {
    const BalShape scalar = {0};
    for (int i = 0; i < s->g->n_params; i++) /* eight-byte values first: all data is aligned then */
        if (bal_has_suffix(s->g->param[i].is.name, mean_suffix))
            BAL_TRY(list(l, ENTRY_BATCHES, i, BAL_T_I64, &scalar, "", s->g->param[i].is.name, strlen(mean_suffix),
                         batches_suffix, err));
    for (int i = 0; i < s->g->n_params; i++)
        BAL_TRY(list(l, ENTRY_PARAM, i, BAL_T_F32, &s->g->param[i].is.shape, "", s->g->param[i].is.name, 0, "", err));
    return BAL_OK;
}

static BalStatus list_moments(Listing *l, const BalSession *s, int which, BalError *err) {
    for (int i = 0; i < s->g->n_params; i++) {
        const BalParam *p = &s->g->param[i].is;
        if (!p->trainable) continue;
        BAL_TRY(list(l, which ? ENTRY_MOMENT2 : ENTRY_MOMENT1, i, BAL_T_F32, &p->shape, moment_prefix[which], p->name,
                     0, "", err));
    }
    return BAL_OK;
}

static BalStatus list_all(Listing *l, const BalSession *s, bool steps, bool m1, bool m2, BalError *err) {
    const size_t most = 4 * (size_t)s->g->n_params + 1;
    const BalShape per_param = {1, {s->g->n_params}};
    BAL_TRY(bal_alloc(&l->tensor, most, sizeof *l->tensor, err));
    BAL_TRY(bal_alloc(&l->entry, most, sizeof *l->entry, err));
    BAL_TRY(bal_alloc(&l->name, most, sizeof *l->name, err));
    if (steps) BAL_TRY(list(l, ENTRY_STEPS, -1, BAL_T_I64, &per_param, "", steps_name, 0, "", err));
    BAL_TRY(list_weights(l, s, err));
    if (m1) BAL_TRY(list_moments(l, s, 0, err));
    if (m2) BAL_TRY(list_moments(l, s, 1, err));
    return BAL_OK;
}

/* ---- writing ---- */
static BalStatus write_steps(BalSession *s, BalWriter *w, BalError *err) {
    for (int i = 0; i < s->g->n_params; i++) BAL_TRY(bal_writer_add(w, &s->place[i].steps, sizeof(int64_t), err));
    return BAL_OK;
}

static BalStatus write_entry(BalSession *s, const Entry *e, BalWriter *w, BalError *err) {
    if (e->kind == ENTRY_BATCHES) return bal_writer_add(w, &s->batches, sizeof s->batches, err);
    if (e->kind == ENTRY_STEPS) return write_steps(s, w, err);
    const ParamPlace *p = &s->place[e->param];
    const float *at =
        e->kind == ENTRY_PARAM ? param_at(s, e->param) : (e->kind == ENTRY_MOMENT1 ? s->m1 : s->m2) + p->at;
    BAL_TRY(bal_session_unpack(s, e->param, s->host, at, err));
    return bal_writer_add(w, s->host, (size_t)p->count * sizeof *s->host, err);
}

static BalStatus write_file(BalSession *s, const Listing *l, const char *path, const char *const *metadata,
                            BalError *err) {
    BalWriter *w = NULL;
    BAL_TRY(bal_writer_open(&w, path, err));
    BalStatus rc = bal_tensors_begin(w, l->tensor, l->n, metadata, err);
    for (int i = 0; rc >= 0 && i < l->n; i++) rc = write_entry(s, &l->entry[i], w, err);
    if (rc >= 0) return bal_writer_commit(&w, err);
    bal_writer_abort(&w);
    return rc;
}

static BalStatus save(BalSession *s, bool whole, const char *path, const char *const *metadata, BalError *err) {
    Listing l = {0};
    BalStatus rc = list_all(&l, s, whole, whole && s->m1, whole && s->m2, err);
    if (rc >= 0) rc = write_file(s, &l, path, metadata, err);
    listing_reset(&l);
    return rc;
}

BalStatus bal_session_save(BalSession *s, const char *path, const char *const *metadata, BalError *err) {
    return save(s, false, path, metadata, err);
}

BalStatus bal_session_save_state(BalSession *s, const char *path, const char *const *metadata, BalError *err) {
    return save(s, true, path, metadata, err);
}

/* ---- reading ---- */
static bool shapes_equal(const BalNamedTensor *a, const BalNamedTensor *b) {
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

static void shape_text(BalText *t, const BalNamedTensor *a) {
    bal_text_char(t, '[');
    for (int i = 0; i < a->rank; i++) bal_text_f(t, "%s%lld", i ? "," : "", (long long)a->dim[i]);
    bal_text_char(t, ']');
}

static BalStatus check_tensor(const BalTensorFile *f, const BalNamedTensor *want, EntryKind kind, const char *path,
                              BalError *err) {
    const BalNamedTensor *have = bal_tensors_find(f, want->name);
    if (!have && kind == ENTRY_BATCHES) return BAL_OK; /* older writers leave it out */
    if (!have)
        return BAL_FAIL(err, BAL_E_MISMATCH, "%s: \"%s\" is missing: these weights are of another network", path,
                        want->name);
    if (!shapes_equal(have, want)) {
        BalText t = {0};
        shape_text(&t, have);
        bal_text_add(&t, ", the network needs ");
        shape_text(&t, want);
        BalStatus rc = BAL_FAIL(err, BAL_E_SHAPE, "%s: \"%s\" is %s", path, want->name, bal_text_str(&t));
        bal_text_reset(&t);
        return rc;
    }
    const bool whole = want->type == BAL_T_I64;
    if (whole ? have->type != BAL_T_I64 : have->type > BAL_T_F64)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"%s\" is of type %s, %s are needed", path, want->name,
                        bal_tensor_type_name(have->type), whole ? "integers" : "floats");
    for (size_t i = 0; whole && i < have->bytes / 8; i++) {
        int64_t count;
        memcpy(&count, have->data + 8 * i, sizeof count);
        if (count < 0 || count > MOST_STEPS)
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: \"%s\" counts %lld steps: the file is damaged", path, want->name,
                            (long long)count);
    }
    return BAL_OK;
}

static BalNamedTensor wanted(const BalParam *p, const char *name) {
    BalNamedTensor want = {.name = name, .type = BAL_T_F32, .rank = p->shape.rank};
    for (int k = 0; k < want.rank; k++) want.dim[k] = p->shape.dim[k];
    return want;
}

BalStatus bal_graph_fits(const BalGraph *g, const char *path, BalError *err) {
    BalTensorFile f = {0};
    BalStatus rc = BAL_OK;
    BAL_TRY(bal_tensors_open(&f, path, err));
    for (int i = 0; rc >= 0 && i < g->n_params; i++) {
        const BalNamedTensor want = wanted(&g->param[i].is, g->param[i].is.name);
        rc = check_tensor(&f, &want, ENTRY_PARAM, path, err);
    }
    bal_tensors_close(&f);
    return rc;
}

static BalStatus check_extra(const BalTensorFile *f, const Listing *l, const char *path, BalError *err) {
    for (int i = 0; i < f->n; i++) {
        bool known = bal_has_suffix(f->tensor[i].name, batches_suffix);
        for (int k = 0; !known && k < l->n; k++) known = !strcmp(f->tensor[i].name, l->tensor[k].name);
        if (!known)
            return BAL_FAIL(err, BAL_E_MISMATCH, "%s: \"%s\" is not in the network: these weights are of another one",
                            path, f->tensor[i].name);
    }
    return BAL_OK;
}

static BalStatus read_entry(BalSession *s, const Entry *e, const BalNamedTensor *t, BalError *err) {
    if (!t) return BAL_OK;
    if (e->kind == ENTRY_BATCHES) {
        memcpy(&s->batches, t->data, sizeof s->batches);
        return BAL_OK;
    }
    if (e->kind == ENTRY_STEPS) {
        for (int i = 0; i < s->g->n_params; i++) memcpy(&s->place[i].steps, t->data + 8 * (size_t)i, 8);
        return BAL_OK;
    }
    const ParamPlace *p = &s->place[e->param];
    float *at = e->kind == ENTRY_PARAM ? param_at(s, e->param) : (e->kind == ENTRY_MOMENT1 ? s->m1 : s->m2) + p->at;
    BAL_TRY(bal_tensor_floats(t, s->host, err));
    return bal_session_pack(s, e->param, at, s->host, err);
}

static BalStatus check_all(const BalTensorFile *f, const Listing *l, bool lenient, const char *path, BalError *err) {
    for (int i = 0; i < l->n; i++) BAL_TRY(check_tensor(f, &l->tensor[i], l->entry[i].kind, path, err));
    return lenient ? BAL_OK : check_extra(f, l, path, err);
}

static BalStatus read_all(BalSession *s, const BalTensorFile *f, const Listing *l, BalError *err) {
    s->version += 1;
    for (int i = 0; i < l->n; i++) BAL_TRY(read_entry(s, &l->entry[i], bal_tensors_find(f, l->tensor[i].name), err));
    return BAL_OK;
}

static BalStatus need_moment(BalSession *s, float **m, bool in_file, BalError *err) {
    if (in_file && !*m) return bal_session_take(s, s->w_floats * sizeof(float), m, err);
    return !in_file && *m ? s->b->zero(s->self, *m, s->w_floats * sizeof(float), err) : BAL_OK;
}

static bool has_moments(const BalTensorFile *f, const char *prefix) {
    for (int i = 0; i < f->n; i++)
        if (bal_has_prefix(f->tensor[i].name, prefix)) return true;
    return false;
}

static BalStatus load(BalSession *s, bool whole, const char *path, bool lenient, BalError *err) {
    BalTensorFile f = {0};
    Listing l = {0};
    BAL_TRY(bal_tensors_open(&f, path, err));
    const bool m1 = whole && has_moments(&f, moment_prefix[0]), m2 = whole && has_moments(&f, moment_prefix[1]);
    BalStatus rc = list_all(&l, s, whole, m1, m2, err);
    if (rc >= 0) rc = check_all(&f, &l, lenient, path, err);
    if (rc >= 0 && whole) rc = need_moment(s, &s->m1, m1, err);
    if (rc >= 0 && whole) rc = need_moment(s, &s->m2, m2, err);
    if (rc >= 0) rc = read_all(s, &f, &l, err);
    listing_reset(&l);
    bal_tensors_close(&f);
    return rc;
}

/* ---- one encoder of several ---- */
typedef enum Use { AS_IT_IS, PASSED_OVER, COLOURS_ADDED } Use;

/* A head of other classes says nothing of these. A stem for three colours serves one channel by their sum, which is what three equal
 * channels would give. */
static Use use_of(const BalParam *p, const BalNamedTensor *want, const BalNamedTensor *have) {
    if (p->tags & (BAL_TAG_FC | BAL_TAG_GATE) && !(p->tags & BAL_TAG_TRUNK))
        return have && shapes_equal(have, want) ? AS_IT_IS : PASSED_OVER;
    if (have && p->tags & BAL_TAG_STEM && want->rank > 2 && want->dim[1] == 1 && have->rank == want->rank &&
        have->dim[1] == 3 && have->dim[0] == want->dim[0] &&
        !memcmp(have->dim + 2, want->dim + 2, (size_t)(want->rank - 2) * sizeof *want->dim))
        return COLOURS_ADDED;
    return AS_IT_IS;
}

static BalStatus check_under(const BalParam *p, const char *name, const BalTensorFile *f, const char *path,
                             BalError *err) {
    const BalNamedTensor *have = bal_tensors_find(f, name);
    BalNamedTensor want = wanted(p, name);
    const Use use = use_of(p, &want, have);
    if (use == COLOURS_ADDED) want.dim[1] = 3;
    return use == PASSED_OVER ? BAL_OK : check_tensor(f, &want, ENTRY_PARAM, path, err);
}

static BalStatus read_colours(BalSession *s, int i, const BalNamedTensor *t, BalError *err) {
    const ParamPlace *p = &s->place[i];
    const int64_t out = t->dim[0], in = p->count / out;
    float *colour = NULL;
    BAL_TRY(bal_alloc(&colour, 3 * (size_t)p->count, sizeof *colour, err));
    BalStatus rc = bal_tensor_floats(t, colour, err);
    for (int64_t o = 0; rc >= 0 && o < out; o++)
        for (int64_t k = 0; k < in; k++) {
            const float *c = colour + 3 * o * in + k;
            s->host[o * in + k] = c[0] + c[in] + c[2 * in];
        }
    if (rc >= 0) rc = bal_session_pack(s, i, param_at(s, i), s->host, err);
    bal_free(colour);
    return rc;
}

static BalStatus read_under(BalSession *s, int i, const BalNamedTensor *t, BalError *err) {
    const BalParam *p = &s->g->param[i].is;
    const BalNamedTensor want = wanted(p, p->name);
    const Entry e = {ENTRY_PARAM, i};
    switch (use_of(p, &want, t)) {
    case PASSED_OVER:
        return BAL_OK;
    case COLOURS_ADDED:
        return read_colours(s, i, t, err);
    case AS_IT_IS:
        break;
    }
    return read_entry(s, &e, t, err);
}

static BalStatus fits_under(const BalGraph *g, const char *prefix, const BalTensorFile *f, const char *path,
                            BalError *err) {
    if (!bal_graph_has_under(g, prefix))
        return BAL_FAIL(err, BAL_E_ARG, "%s: the network has no parameters under \"%s\"", path, prefix);
    for (int i = 0; i < g->n_params; i++) {
        const BalParam *p = &g->param[i].is;
        if (bal_has_prefix(p->name, prefix)) BAL_TRY(check_under(p, p->name + strlen(prefix), f, path, err));
    }
    return BAL_OK;
}

static BalStatus load_under(BalSession *s, const char *prefix, const BalTensorFile *f, BalError *err) {
    s->version += 1;
    for (int i = 0; i < s->g->n_params; i++) {
        const char *name = s->g->param[i].is.name;
        if (bal_has_prefix(name, prefix)) BAL_TRY(read_under(s, i, bal_tensors_find(f, name + strlen(prefix)), err));
    }
    return BAL_OK;
}

bool bal_graph_has_under(const BalGraph *g, const char *prefix) {
    for (int i = 0; i < g->n_params; i++)
        if (bal_has_prefix(g->param[i].is.name, prefix)) return true;
    return false;
}

BalStatus bal_graph_fits_under(const BalGraph *g, const char *prefix, const char *path, BalError *err) {
    BalTensorFile f = {0};
    BAL_TRY(bal_tensors_open(&f, path, err));
    BalStatus rc = fits_under(g, prefix, &f, path, err);
    bal_tensors_close(&f);
    return rc;
}

BalStatus bal_session_load_under(BalSession *s, const char *prefix, const char *path, BalError *err) {
    BalTensorFile f = {0};
    BAL_TRY(bal_tensors_open(&f, path, err));
    BalStatus rc = fits_under(s->g, prefix, &f, path, err);
    if (rc >= 0) rc = load_under(s, prefix, &f, err);
    bal_tensors_close(&f);
    return rc;
}

BalStatus bal_session_load(BalSession *s, const char *path, bool lenient, BalError *err) {
    return load(s, false, path, lenient, err);
}

BalStatus bal_session_load_state(BalSession *s, const char *path, BalError *err) {
    return load(s, true, path, false, err);
}
