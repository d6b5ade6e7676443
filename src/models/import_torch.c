/* Checkpoints that are pickles: PyTorch's zip archives (since 1.6), the single files of PyTorch before, Caffe2's and other pickles of
 * NumPy arrays.
 *
 *   zip       TOP/data.pkl, the object; TOP/data/KEY, the bytes of a storage; TOP/byteorder; all stored, none packed
 *   older     five pickles: a magic number, 1001, facts about the machine, the object, the list of the storages' keys;
 *             then per key the number of its items as int64 and their bytes, up to the end of the file
 *   Caffe2    one pickle: {"blobs": {name: array}}
 *
 * The object is a dict of names and tensors, or has one under a key that trainers use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "models/import.h"

static const char *const state_keys[] = {"model_state", "model_state_dict", "state_dict", "blobs"};

/* ---- the state dict ---- */
static bool has_tensors(const Pickle *p, const PickleNode *v) {
    if (!v || v->kind != PICKLE_DICT) return false;
    for (uint32_t i = 1; i < v->n; i += 2)
        if (bal_pickle_item(p, v, i)->kind == PICKLE_TENSOR) return true;
    return false;
}

static BalStatus no_state(const BalImport *w, const PickleNode *root, BalError *err) {
    BalText keys = {0};
    for (uint32_t i = 0; root->kind == PICKLE_DICT && i < root->n && keys.len < 120; i += 2) {
        const PickleNode *k = bal_pickle_item(&w->pickle, root, i);
        if (k->kind != PICKLE_TEXT && k->kind != PICKLE_BYTES) continue;
        bal_text_add(&keys, keys.len ? ", " : "; its keys are ");
        for (uint32_t c = 0; c < k->n && c < 40; c++)
            bal_text_char(&keys, k->bytes[c] > ' ' && k->bytes[c] < 0x7F ? (char)k->bytes[c] : '?');
    }
    BalStatus rc = BAL_FAIL(err, BAL_E_FORMAT,
                            "%s: no dict of tensors at its top, nor under model_state, model_state_dict, state_dict or "
                            "blobs%s",
                            w->path, bal_text_str(&keys));
    bal_text_reset(&keys);
    return rc;
}

static BalStatus add_tensor(BalImport *w, const PickleNode *name, const PickleTensor *t, BalError *err) {
    BalView v = {t->type, t->rank, t->dim, NULL, t->fortran, t->offset, t->data, t->bytes};
    if (!t->filled) return BAL_FAIL(err, BAL_E_FORMAT, "%s: an array without values in its pickle", w->path);
    if (name->kind != PICKLE_TEXT && name->kind != PICKLE_BYTES)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: a tensor whose name is no text in its pickle", w->path);
    if (t->storage >= 0) {
        const PickleStorage *s = &w->pickle.storage[t->storage];
        const size_t unit = s->type == BAL_T_COUNT ? 1 : bal_tensor_item(s->type);
        v.stride = t->stride;
        v.data = s->data + (size_t)s->from * unit;
        v.bytes = (size_t)s->n_items * unit;
    }
    return bal_import_add(w, (const char *)name->bytes, name->n, &v, err);
}

static BalStatus add_state(BalImport *w, BalError *err) {
    const Pickle *p = &w->pickle;
    const PickleNode *root = bal_pickle_root(p), *state = NULL;
    for (size_t i = 0; !state && i < sizeof state_keys / sizeof *state_keys; i++) {
        state = bal_pickle_get(p, root, state_keys[i]);
        if (!has_tensors(p, state)) state = NULL;
    }
    if (state) w->n_ignored += (int)(root->n / 2 - 1);
    if (!state && has_tensors(p, root)) state = root;
    if (!state) return no_state(w, root, err);
    for (uint32_t i = 0; i < state->n; i += 2) {
        const PickleNode *v = bal_pickle_item(p, state, i + 1);
        if (v->kind == PICKLE_TENSOR)
            BAL_TRY(add_tensor(w, bal_pickle_item(p, state, i), &p->tensor[v->n], err));
        else
            w->n_ignored += 1;
    }
    return BAL_OK;
}

/* ---- storages ---- */
static BalStatus bad_storage(const BalImport *w, const PickleStorage *s, const char *what, BalError *err) {
    char key[65] = "";
    for (uint32_t i = 0; i < s->n_key && i < sizeof key - 1; i++)
        key[i] = s->key[i] > ' ' && s->key[i] < 0x7F ? (char)s->key[i] : '?';
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: storage \"%s\" %s", w->path, key, what);
}

static bool storage_bytes(const PickleStorage *s, size_t *bytes) {
    return !__builtin_mul_overflow((size_t)s->count, s->type == BAL_T_COUNT ? 1 : bal_tensor_item(s->type), bytes);
}

/* ---- zip ---- */
static BalStatus find_storage(const BalImport *w, const BalZip *zip, const char *top, PickleStorage *s, BalError *err) {
    char name[2 * BAL_IMPORT_NAME];
    size_t n = strlen(top), bytes = 0;
    if (s->n_key > BAL_IMPORT_NAME || n + s->n_key + sizeof "/data/" > sizeof name)
        return bad_storage(w, s, "has too long a key", err);
    memcpy(name, top, n);
    memcpy(name + n, "/data/", 6);
    memcpy(name + n + 6, s->key, s->n_key);
    name[n + 6 + s->n_key] = '\0';
    const BalZipMember *m = bal_zip_find(zip, name);
    if (!m || strlen(m->name) != n + 6 + s->n_key) return bad_storage(w, s, "is not in the archive", err);
    if (m->deflated) return bad_storage(w, s, "is compressed", err);
    if (!storage_bytes(s, &bytes) || bytes != m->bytes)
        return bad_storage(w, s, "has another size than the file says", err);
    s->data = m->data;
    return BAL_OK;
}

static const BalZipMember *find_under(const BalZip *zip, const char *top, const char *what) {
    char name[BAL_IMPORT_NAME + 32];
    snprintf(name, sizeof name, "%s/%s", top, what);
    return bal_zip_find(zip, name);
}

static BalStatus read_archive(BalImport *w, const BalZip *zip, const char *top, BalError *err) {
    const BalZipMember *object = find_under(zip, top, "data.pkl"), *order = find_under(zip, top, "byteorder");
    if (!object || object->deflated)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: %s/data.pkl is missing or compressed", w->path, top);
    if (order && (order->deflated || order->bytes != 6 || memcmp(order->data, "little", 6) != 0))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: not written on a little-endian machine", w->path);
    for (size_t i = 0; i < zip->n; i++)
        if (!zip->member[i].deflated) BAL_TRY(bal_zip_extract(&zip->member[i], NULL, w->path, err));
    BAL_TRY(bal_pickle_read(&w->pickle, object->data, object->bytes, w->path, err));
    if (w->pickle.used != object->bytes)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: bytes follow the pickle in data.pkl", w->path);
    for (size_t i = 0; i < w->pickle.n_storages; i++) BAL_TRY(find_storage(w, zip, top, &w->pickle.storage[i], err));
    return add_state(w, err);
}

BalStatus bal_import_torch(BalImport *w, const BalZip *zip, BalError *err) {
    char top[BAL_IMPORT_NAME + 1];
    const char *name = zip->member[zip->first].name, *slash = strchr(name, '/');
    w->container = "torch zip";
    const size_t n = slash ? (size_t)(slash - name) : 0;
    memcpy(top, name, n);
    top[n] = '\0';
    return read_archive(w, zip, top, err);
}

/* ---- before 1.6 ---- */
static BalStatus bad_legacy(const BalImport *w, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: not a usable PyTorch checkpoint: %s", w->path, what);
}

/* The pickle at *at, behind which *at then is. */
static BalStatus next_pickle(const BalImport *w, Pickle *p, size_t *at, BalError *err) {
    BAL_TRY(bal_pickle_read(p, w->map.data + *at, w->map.size - *at, w->path, err));
    *at += p->used;
    return BAL_OK;
}

static bool is_whole(const PickleNode *v, int64_t whole) {
    return v && (v->kind == PICKLE_INT || v->kind == PICKLE_BOOL) && v->whole == whole;
}

static BalStatus read_preamble(const BalImport *w, size_t *at, BalError *err) {
    Pickle p = {0};
    BAL_TRY(next_pickle(w, &p, at, err)); /* its bytes are the mark by which the file was known */
    bal_pickle_reset(&p);
    BAL_TRY(next_pickle(w, &p, at, err));
    const bool version = is_whole(bal_pickle_root(&p), 1001);
    bal_pickle_reset(&p);
    if (!version) return bad_legacy(w, "its protocol is not 1001", err);
    BAL_TRY(next_pickle(w, &p, at, err));
    const bool little = is_whole(bal_pickle_get(&p, bal_pickle_root(&p), "little_endian"), 1);
    bal_pickle_reset(&p);
    return little ? BAL_OK : bad_legacy(w, "not written on a little-endian machine", err);
}

static int compare_keys(const PickleStorage *a, const unsigned char *key, uint32_t n) {
    const int c = memcmp(a->key, key, a->n_key < n ? a->n_key : n);
    return c ? c : (a->n_key > n) - (a->n_key < n);
}

static int by_key(const void *a, const void *b) {
    const PickleStorage *x = *(PickleStorage *const *)a, *y = *(PickleStorage *const *)b;
    return compare_keys(x, y->key, y->n_key);
}

/* The first of the sorted storages with this key. */
static size_t lowest(PickleStorage *const *s, size_t n, const PickleNode *key) {
    size_t low = 0;
    while (n > low) {
        const size_t mid = low + (n - low) / 2;
        if (compare_keys(s[mid], key->bytes, key->n) < 0)
            low = mid + 1;
        else
            n = mid;
    }
    return low;
}

/* The next storage in the file is that of `key`: all views of it get their data. */
static BalStatus give_data(const BalImport *w, PickleStorage **s, size_t n, const PickleNode *key, size_t *at,
                           BalError *err) {
    size_t i = lowest(s, n, key), bytes = 0;
    if (i == n || compare_keys(s[i], key->bytes, key->n) != 0)
        return bad_legacy(w, "it lists a storage that no tensor names, so that its size is unknown", err);
    const PickleStorage *first = s[i];
    if (first->data) return bad_storage(w, first, "is listed twice", err);
    uint64_t count = 0;
    if (w->map.size - *at < 8) return bad_storage(w, first, "is missing: is the file complete?", err);
    for (int k = 7; k >= 0; k--) count = count << 8 | w->map.data[*at + (size_t)k];
    *at += 8;
    if (count != (uint64_t)first->count) return bad_storage(w, first, "has another size than the file says", err);
    if (!storage_bytes(first, &bytes) || bytes > w->map.size - *at)
        return bad_storage(w, first, "is cut short: is the file complete?", err);
    for (; i < n && !compare_keys(s[i], key->bytes, key->n); i++) {
        if (s[i]->type != first->type || s[i]->count != first->count)
            return bad_storage(w, first, "is named with two types or sizes", err);
        s[i]->data = w->map.data + *at;
    }
    *at += bytes;
    return BAL_OK;
}

static BalStatus give_all_data(BalImport *w, const Pickle *keys, size_t at, BalError *err) {
    const PickleNode *list = bal_pickle_root(keys);
    const size_t n = w->pickle.n_storages;
    PickleStorage **s = NULL;
    BalStatus rc = BAL_OK;
    if (list->kind != PICKLE_LIST) return bad_legacy(w, "the list of its storages is missing", err);
    BAL_TRY(bal_alloc(&s, n, sizeof *s, err));
    for (size_t i = 0; i < n; i++) s[i] = &w->pickle.storage[i];
    qsort(s, n, sizeof *s, by_key);
    for (uint32_t i = 0; rc >= 0 && i < list->n; i++) {
        const PickleNode *key = bal_pickle_item(keys, list, i);
        if (key->kind == PICKLE_TEXT || key->kind == PICKLE_BYTES)
            rc = give_data(w, s, n, key, &at, err);
        else
            rc = bad_legacy(w, "a storage's key is no text", err);
    }
    bal_free(s);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        if (!w->pickle.storage[i].data) rc = bad_storage(w, &w->pickle.storage[i], "is not in the file", err);
    if (rc >= 0 && at != w->map.size) rc = bad_legacy(w, "bytes follow its last storage", err);
    return rc;
}

BalStatus bal_import_legacy(BalImport *w, BalError *err) {
    size_t at = 0;
    Pickle keys = {0};
    w->container = "torch before 1.6";
    BAL_TRY(read_preamble(w, &at, err));
    BAL_TRY(next_pickle(w, &w->pickle, &at, err));
    BAL_TRY(next_pickle(w, &keys, &at, err));
    BalStatus rc = give_all_data(w, &keys, at, err);
    bal_pickle_reset(&keys);
    BAL_TRY(rc);
    return add_state(w, err);
}

/* ---- arrays ---- */
BalStatus bal_import_pickle(BalImport *w, BalError *err) {
    BAL_TRY(bal_pickle_read(&w->pickle, w->map.data, w->map.size, w->path, err));
    if (w->pickle.used != w->map.size) return BAL_FAIL(err, BAL_E_FORMAT, "%s: bytes follow its pickle", w->path);
    if (w->pickle.n_storages)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: a pickle whose tensors lie in another file: save it with torch.save",
                        w->path);
    const bool caffe2 = bal_pickle_get(&w->pickle, bal_pickle_root(&w->pickle), "blobs") != NULL;
    w->container = caffe2 ? "Caffe2 pickle" : "pickle";
    return add_state(w, err);
}
