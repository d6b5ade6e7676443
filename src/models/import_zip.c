/* Checkpoints in zip archives: NumPy's .npz here, PyTorch's in import_torch.c. */
#include <string.h>
#include "base/mem.h"
#include "base/npy.h"
#include "models/import.h"

#define MAX_UNPACKED ((size_t)4 << 30)

static const BalTensorType type_of[] = {
    [BAL_NPY_U8] = BAL_T_U8,   [BAL_NPY_I8] = BAL_T_I8,   [BAL_NPY_BOOL] = BAL_T_BOOL,
    [BAL_NPY_I16] = BAL_T_I16, [BAL_NPY_I32] = BAL_T_I32, [BAL_NPY_I64] = BAL_T_I64,
    [BAL_NPY_F16] = BAL_T_F16, [BAL_NPY_F32] = BAL_T_F32, [BAL_NPY_F64] = BAL_T_F64};

/* The bytes of a member: where they lie in the file, or unpacked into a block of the import's. */
static BalStatus unpack(BalImport *w, const BalZipMember *m, size_t *total, const unsigned char **data, BalError *err) {
    *data = m->data;
    if (!m->deflated) return bal_zip_extract(m, NULL, w->path, err);
    *total += m->bytes;
    if (*total > MAX_UNPACKED)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: it would unpack to more than 4 GiB: save it with numpy.savez", w->path);
    BAL_TRY(bal_grow(&w->block, &w->block_cap, w->n_blocks + 1, sizeof *w->block, err));
    unsigned char *block = NULL;
    BAL_TRY(bal_alloc(&block, m->bytes, 1, err));
    w->block[w->n_blocks++] = block;
    *data = block;
    return bal_zip_extract(m, block, w->path, err);
}

static BalStatus add_array(BalImport *w, const BalZipMember *m, const unsigned char *data, BalError *err) {
    BalNpy npy;
    BalStatus rc = bal_npy_parse_any_order(&npy, data, m->bytes, m->name, err);
    if (rc < 0) return bal_error_add(err, rc, "in %s", w->path);
    if (npy.data_bytes != m->bytes - npy.data_at)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: %s: bytes follow its values", w->path, m->name);
    const BalView v = {.type = type_of[npy.type],
                       .rank = npy.rank,
                       .dim = npy.dim,
                       .fortran = npy.fortran,
                       .data = data + npy.data_at,
                       .bytes = npy.data_bytes};
    return bal_import_add(w, m->name, strlen(m->name) - strlen(".npy"), &v, err);
}

static BalStatus read_npz(BalImport *w, const BalZip *zip, BalError *err) {
    size_t total = 0;
    w->container = "npz";
    for (size_t i = 0; i < zip->n; i++) {
        const unsigned char *data = NULL;
        if (!bal_has_suffix(zip->member[i].name, ".npy")) {
            w->n_ignored += 1;
            continue;
        }
        BAL_TRY(unpack(w, &zip->member[i], &total, &data, err));
        BAL_TRY(add_array(w, &zip->member[i], data, err));
    }
    return BAL_OK;
}

static BalStatus read_zip(BalImport *w, const BalZip *zip, BalError *err) {
    bool torch = false, script = false, npz = false;
    for (size_t i = 0; i < zip->n; i++) {
        const char *name = zip->member[i].name, *slash = strchr(name, '/');
        torch |= slash && !strcmp(slash, "/data.pkl");
        script |= slash && (!strcmp(slash, "/constants.pkl") || bal_has_prefix(slash, "/code/"));
        npz |= bal_has_suffix(name, ".npy");
    }
    if (torch && script)
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: a TorchScript archive, which is a program: save the module's state_dict() with torch.save",
                        w->path);
    if (torch) return bal_import_torch(w, zip, err);
    if (npz) return read_npz(w, zip, err);
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: a zip archive with neither PyTorch's data.pkl nor .npy arrays in it",
                    w->path);
}

BalStatus bal_import_zip(BalImport *w, BalError *err) {
    BalZip zip = {0};
    BAL_TRY(bal_zip_open(&zip, w->map.data, w->map.size, w->path, err));
    BalStatus rc = read_zip(w, &zip, err);
    bal_zip_close(&zip);
    return rc;
}
