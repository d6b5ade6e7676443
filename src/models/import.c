/* A checkpoint from its first bytes to our safetensors (what is promised: avbalance/import.h).
 *
 * Readers hand over tensors as they lie: type, shape, strides, a pointer into the mapped file. Renaming and reordering axes then change
 * only descriptions; values are touched twice, when they are looked through for NaN and when they are written. The mapped file and the
 * few blocks that had to be unpacked are all the memory that depends on its size. */
#include "models/import.h"
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "models/import_values.h"

#define LEAST_TOTAL ((uint64_t)4 << 30)

/* ---- tensors ---- */
static BalStatus bad(const BalImport *w, const char *name, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: tensor \"%s\" %s", w->path, name, what);
}

static BalStatus check_name(const BalImport *w, const char *name, size_t n, BalError *err) {
    if (!n || n > BAL_IMPORT_NAME || memchr(name, '\0', n))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: a tensor's name has %zu bytes or a NUL in it", w->path, n);
    char text[BAL_IMPORT_NAME + 1];
    memcpy(text, name, n);
    text[n] = '\0';
    for (size_t i = 0, step; i < n; i += step) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F || !(step = bal_utf8_length(text + i)))
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: the name of tensor %d is not printable UTF-8", w->path, w->n);
    }
    return strcmp(text, "__metadata__") ? BAL_OK : bad(w, text, "has a name that safetensors keeps for itself", err);
}

/* Shape and strides into *t, and the number of items behind the last one that is touched into *end. */
static bool measure(BalLoose *t, const BalView *v, int64_t *end) {
    int64_t packed = 1, last = v->offset, far;
    t->count = 1;
    for (int k = 0; k < v->rank; k++) {
        const int i = v->fortran ? k : v->rank - 1 - k;
        t->dim[i] = v->dim[i];
        t->stride[i] = v->stride ? v->stride[i] : packed;
        if (t->dim[i] < 0 || t->stride[i] < 0 || __builtin_mul_overflow(t->count, t->dim[i], &t->count)) return false;
        if (__builtin_mul_overflow(packed, t->dim[i] ? t->dim[i] : 1, &packed)) return false;
        if (t->dim[i] == 0) continue;
        if (__builtin_mul_overflow(t->dim[i] - 1, t->stride[i], &far) || __builtin_add_overflow(last, far, &last))
            return false;
    }
    return !__builtin_add_overflow(last, 1, end);
}

static BalStatus describe(BalImport *w, BalLoose *t, const BalView *v, BalError *err) {
    const size_t item = bal_tensor_item(v->type);
    const int64_t there = (int64_t)(v->bytes / item);
    int64_t end = 0;
    t->type = v->type, t->rank = v->rank;
    if (v->offset < 0 || !measure(t, v, &end)) return bad(w, t->name, "has a shape that overflows", err);
    if (t->count && end > there) return bad(w, t->name, "reaches beyond its values", err);
    if (t->count > there) return bad(w, t->name, "repeats its values (expanded); save it with .contiguous()", err);
    w->bytes += (uint64_t)t->count * item;
    if (w->bytes > LEAST_TOTAL && w->bytes > 2 * (uint64_t)w->map.size)
        return bad(w, t->name, "makes the tensors more than twice as large as the file, and 4 GiB", err);
    t->data = t->count ? v->data + (size_t)v->offset * item : v->data;
    return BAL_OK;
}

BalStatus bal_import_add(BalImport *w, const char *name, size_t n_name, const BalView *v, BalError *err) {
    BAL_TRY(check_name(w, name, n_name, err));
    BAL_TRY(bal_grow(&w->tensor, &w->cap, (size_t)w->n + 1, sizeof *w->tensor, err));
    BalLoose *t = &w->tensor[w->n];
    *t = (BalLoose){0};
    BAL_TRY(bal_alloc(&t->name, n_name + 1, 1, err));
    w->n += 1;
    memcpy(t->name, name, n_name);
    return describe(w, t, v, err);
}

static int by_name(const void *a, const void *b) {
    const BalLoose *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static BalStatus sort(BalImport *w, BalError *err) {
    if (!w->n) return BAL_FAIL(err, BAL_E_FORMAT, "%s: there is no tensor in it", w->path);
    qsort(w->tensor, (size_t)w->n, sizeof *w->tensor, by_name);
    for (int i = 1; i < w->n; i++)
        if (!by_name(&w->tensor[i - 1], &w->tensor[i])) return bad(w, w->tensor[i].name, "is there twice", err);
    return BAL_OK;
}

/* ---- containers ---- */
static bool begins(const BalMap *m, const char *mark, size_t n) {
    return m->size >= n && !memcmp(m->data, mark, n);
}

static bool is_safetensors(const BalMap *m) {
    uint64_t n = 0;
    if (m->size < 9 || m->data[8] != '{') return false;
    for (int i = 7; i >= 0; i--) n = n << 8 | m->data[i];
    return n <= m->size - 8;
}

static bool is_zip(const BalMap *m) {
    return begins(m, "PK\3\4", 4);
}
/* Its first pickle is one large integer; protocol 4 puts a frame before it. */
static bool is_legacy(const BalMap *m) {
    static const char number[] = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    enum { PROTO = 2, FRAME = 9, NUMBER = sizeof number - 1 };
    if (m->size < PROTO + FRAME + NUMBER || m->data[0] != 0x80) return false;
    return !memcmp(m->data + PROTO, number, NUMBER) ||
           (m->data[PROTO] == 0x95 && !memcmp(m->data + PROTO + FRAME, number, NUMBER));
}
static bool is_pickle(const BalMap *m) {
    return m->size > 2 && m->data[0] == 0x80 && m->data[1] >= 2 && m->data[1] <= 5;
}
static bool is_tensorflow(const BalMap *m) { /* a sorted string table ends with its magic number */
    return m->size >= 8 && !memcmp(m->data + m->size - 8, "\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
}
static bool is_tar(const BalMap *m) {
    return m->size >= 512 && !memcmp(m->data + 257, "ustar", 5);
}
static bool is_old_script(const BalMap *m) {
    return begins(m, "PYTORCH1", 8);
}
static bool is_npy(const BalMap *m) {
    return begins(m, "\x93NUMPY", 6);
}
static bool is_hdf5(const BalMap *m) {
    return begins(m, "\x89HDF\r\n\x1a\n", 8);
}

static BalStatus read_safetensors(BalImport *w, BalError *err) {
    BalTensorFile f;
    BalStatus rc = BAL_OK;
    w->container = "safetensors";
    BAL_TRY(bal_tensors_parse(&f, w->map.data, w->map.size, w->path, err));
    for (int i = 0; rc >= 0 && i < f.n; i++) {
        const BalNamedTensor *t = &f.tensor[i];
        const BalView v = {.type = t->type, .rank = t->rank, .dim = t->dim, .data = t->data, .bytes = t->bytes};
        rc = bal_import_add(w, t->name, strlen(t->name), &v, err);
    }
    bal_tensors_close(&f);
    return rc;
}

static const struct {
    bool (*is)(const BalMap *m);
    BalStatus (*read)(BalImport *w, BalError *err);
    const char *refused; /* where read is NULL: what it is and what to do */
} kinds[] = {
    {is_zip, bal_import_zip, NULL},
    {is_legacy, bal_import_legacy, NULL},
    {is_safetensors, read_safetensors, NULL},
    {is_tensorflow, NULL,
     "a TensorFlow checkpoint, which is not read: save its variables by name with numpy.savez, or take a port of the "
     "network to PyTorch"},
    {is_tar, NULL, "a tar file, as PyTorch before 0.1.10 wrote them: load it there and save it anew"},
    {is_old_script, NULL, "a TorchScript file of 2018: save the module's state_dict() with torch.save"},
    {is_npy, NULL, "one array without a name: save it with numpy.savez(file, name=array)"},
    {is_hdf5, NULL, "HDF5 (Keras, MATLAB), which is not read: save its arrays by name with numpy.savez"},
    {is_pickle, bal_import_pickle, NULL},
};

static BalStatus read_any(BalImport *w, BalError *err) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].is(&w->map)) continue;
        if (kinds[i].read) return kinds[i].read(w, err);
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: %s", w->path, kinds[i].refused);
    }
    return BAL_FAIL(
        err, BAL_E_FORMAT,
        "%s: no checkpoint of a known kind: safetensors, PyTorch (zip or older), pickle of NumPy arrays, .npz",
        w->path);
}

static BalStatus open_map(BalImport **out, const char *path, const BalMap *borrowed, BalError *err) {
    BalImport *w = NULL;
    BalStatus rc;
    BAL_TRY(bal_alloc(&w, 1, sizeof *w, err));
    BAL_TRY_OR(fail, bal_strdup(&w->path, path, err));
    w->borrowed = borrowed != NULL;
    if (borrowed)
        w->map = *borrowed;
    else
        BAL_TRY_OR(fail, bal_map_open(&w->map, path, err));
    BAL_TRY_OR(fail, read_any(w, err));
    BAL_TRY_OR(fail, sort(w, err));
    *out = w;
    return BAL_OK;
fail:
    bal_import_close(&w);
    return rc;
}

BalStatus bal_import_open(BalImport **out, const char *path, BalError *err) {
    return open_map(out, path, NULL, err);
}

BalStatus bal_import_parse(BalImport **out, const void *data, size_t n, const char *name, BalError *err) {
    return open_map(out, name, &(BalMap){data, n}, err);
}

void bal_import_close(BalImport **out) {
    BalImport *w = *out;
    if (!w) return;
    for (int i = 0; i < w->n; i++) {
        bal_free(w->tensor[i].name);
        bal_free(w->tensor[i].source);
    }
    for (size_t i = 0; i < w->n_blocks; i++) bal_free(w->block[i]);
    for (int i = 0; i < w->n_problems; i++) bal_free(w->problem[i]);
    bal_free(w->tensor);
    bal_free(w->block);
    bal_free(w->problem);
    bal_pickle_reset(&w->pickle);
    if (!w->borrowed) bal_map_close(&w->map);
    bal_free(w->path);
    bal_free(w);
    *out = NULL;
}

/* ---- what is in it ---- */
const char *bal_import_container(const BalImport *w) {
    return w->container;
}
int bal_import_count(const BalImport *w) {
    return w->n;
}
int bal_import_ignored(const BalImport *w) {
    return w->n_ignored;
}
const char *bal_import_network(const BalImport *w) {
    return w->network;
}
const char *bal_import_scheme(const BalImport *w) {
    return w->scheme;
}
int bal_import_problems(const BalImport *w) {
    return w->n_problems;
}
const char *bal_import_problem(const BalImport *w, int i) {
    return w->problem[i];
}

BalImportTensor bal_import_tensor(const BalImport *w, int i) {
    const BalLoose *t = &w->tensor[i];
    BalImportTensor out = {.name = t->name,
                           .source = t->source ? t->source : t->name,
                           .type = bal_tensor_type_name(t->type),
                           .rank = t->rank,
                           .bytes = t->count * (int64_t)bal_tensor_item(t->type)};
    memcpy(out.dim, t->dim, sizeof out.dim);
    return out;
}

/* ---- writing ---- */
static int by_size(const void *a, const void *b) { /* large items first: all data is aligned then */
    const BalLoose *x = *(const BalLoose *const *)a, *y = *(const BalLoose *const *)b;
    const size_t m = bal_tensor_item(x->type), n = bal_tensor_item(y->type);
    return m != n ? (m < n ? 1 : -1) : strcmp(x->name, y->name);
}

static BalStatus write_piece(void *user, const unsigned char *bytes, size_t n, BalError *err) {
    return bal_writer_add(user, bytes, n, err);
}

static BalStatus write_all(const BalImport *w, BalWriter *out, const BalLoose **order, BalNamedTensor *head,
                           BalError *err) {
    char sha256[65];
    bal_sha256_text(w->map.data, w->map.size, sha256);
    const char *metadata[] = {"format",
                              "pt",
                              "source_container",
                              w->container,
                              "source_sha256",
                              sha256,
                              w->network ? "network" : NULL,
                              w->network,
                              "source_names",
                              w->scheme,
                              NULL};
    for (int i = 0; i < w->n; i++) order[i] = &w->tensor[i];
    qsort(order, (size_t)w->n, sizeof *order, by_size);
    for (int i = 0; i < w->n; i++) {
        head[i] = (BalNamedTensor){.name = order[i]->name, .type = order[i]->type, .rank = order[i]->rank};
        memcpy(head[i].dim, order[i]->dim, sizeof head[i].dim);
    }
    BAL_TRY(bal_tensors_begin(out, head, w->n, metadata, err));
    for (int i = 0; i < w->n; i++) BAL_TRY(bal_values_each(order[i], write_piece, out, err));
    return BAL_OK;
}

BalStatus bal_import_save(const BalImport *w, const char *path, BalError *err) {
    const BalLoose **order = NULL;
    BalNamedTensor *head = NULL;
    BalWriter *out = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&order, (size_t)w->n, sizeof *order, err));
    BAL_TRY_OR(done, bal_alloc(&head, (size_t)w->n, sizeof *head, err));
    BAL_TRY_OR(done, bal_writer_open(&out, path, err));
    BAL_TRY_OR(done, write_all(w, out, order, head, err));
    rc = bal_writer_commit(&out, err);
done:
    bal_writer_abort(&out);
    bal_free(order);
    bal_free(head);
    return rc;
}
