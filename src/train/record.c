/* The record of a run: confidence.npy and correct.npy with one row per epoch, log.jsonl and timing.jsonl with one line each.
 *
 * The files are rewritten whole with every checkpoint, so that each is valid at any moment; a resumed run takes over as many rows
 * as its checkpoint has epochs (they hold more when the process died between the two). The log holds no time of day and no
 * durations: those go to timing.jsonl, the only file that may differ between two runs of one recipe. */
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/npy.h"
#include "train/run.h"

void bal_record_reset(BalRecord *r) {
    bal_free(r->confidence);
    bal_free(r->correct);
    bal_text_reset(&r->log);
    bal_text_reset(&r->timing);
    *r = (BalRecord){0};
}

BalStatus bal_path_in(BalText *out, const char *dir, const char *name, BalError *err) {
    bal_text_clear(out);
    bal_path_join(out, dir, name);
    return bal_text_ok(out, err);
}

static BalStatus make_room(BalRecord *r, int n_epochs, BalError *err) {
    size_t need = (size_t)n_epochs * (size_t)r->n;
    BAL_TRY(bal_grow(&r->confidence, &r->confidence_cap, need, sizeof *r->confidence, err));
    return bal_grow(&r->correct, &r->correct_cap, need, sizeof *r->correct, err);
}

BalStatus bal_record_add(BalRecord *r, const BalScored *s, const char *log, const char *timing, BalError *err) {
    BAL_TRY(make_room(r, r->n_epochs + 1, err));
    size_t at = (size_t)r->n_epochs * (size_t)r->n;
    memcpy(r->confidence + at, s->confidence, (size_t)r->n * sizeof *r->confidence);
    memcpy(r->correct + at, s->correct, (size_t)r->n * sizeof *r->correct);
    bal_text_f(&r->log, "%s\n", log);
    bal_text_f(&r->timing, "%s\n", timing);
    BAL_TRY(bal_text_ok(&r->log, err));
    BAL_TRY(bal_text_ok(&r->timing, err));
    r->n_epochs++;
    return BAL_OK;
}

static BalStatus write_all(const BalRecord *r, const char *dir, BalText *path, BalError *err) {
    const int64_t dim[2] = {r->n_epochs, r->n};
    BAL_TRY(bal_path_in(path, dir, "confidence.npy", err));
    BAL_TRY(bal_npy_write(path->data, BAL_NPY_F32, dim, 2, r->confidence, err));
    BAL_TRY(bal_path_in(path, dir, "correct.npy", err));
    BAL_TRY(bal_npy_write(path->data, BAL_NPY_U8, dim, 2, r->correct, err));
    BAL_TRY(bal_path_in(path, dir, "log.jsonl", err));
    BAL_TRY(bal_file_write(path->data, bal_text_str(&r->log), r->log.len, err));
    BAL_TRY(bal_path_in(path, dir, "timing.jsonl", err));
    return bal_file_write(path->data, bal_text_str(&r->timing), r->timing.len, err);
}

BalStatus bal_record_write(const BalRecord *r, const char *dir, BalError *err) {
    if (!r->n_epochs) return BAL_OK;
    BalText path = {0};
    BalStatus rc = write_all(r, dir, &path, err);
    bal_text_reset(&path);
    return rc;
}

/* First n rows of an [E,N] array on disk into dst. */
static BalStatus read_rows(const char *path, BalNpyType type, int n_epochs, int64_t n, void *dst, BalError *err) {
    BalMap map = {0};
    BalNpy npy;
    BAL_TRY(bal_map_open(&map, path, err));
    BalStatus rc = bal_npy_parse(&npy, map.data, map.size, path, err);
    if (rc == BAL_OK && (npy.type != type || npy.rank != 2 || npy.dim[0] < n_epochs || npy.dim[1] != n))
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "%s does not hold the %d epochs of %lld clips that the checkpoint was written after", path,
                      n_epochs, (long long)n);
    if (rc == BAL_OK) memcpy(dst, map.data + npy.data_at, (size_t)n_epochs * (size_t)n * bal_npy_item(type));
    bal_map_close(&map);
    return rc;
}

/* First n lines of a file; `strict`: fewer are an error. */
static BalStatus read_lines(const char *path, int n, bool strict, BalText *out, BalError *err) {
    BAL_TRY(bal_file_read(path, 0, out, err));
    size_t end = 0;
    int lines = 0;
    while (lines < n && end < out->len) {
        const char *nl = memchr(out->data + end, '\n', out->len - end);
        if (!nl) break;
        end = (size_t)(nl - out->data) + 1;
        lines++;
    }
    if (lines < n && strict)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s has %d lines, the checkpoint was written after %d", path, lines, n);
    if (out->data) out->data[out->len = end] = '\0';
    return BAL_OK;
}

static BalStatus read_all(BalRecord *r, const char *dir, int n_epochs, BalText *path, BalError *err) {
    BAL_TRY(make_room(r, n_epochs, err));
    BAL_TRY(bal_path_in(path, dir, "confidence.npy", err));
    BAL_TRY(read_rows(path->data, BAL_NPY_F32, n_epochs, r->n, r->confidence, err));
    BAL_TRY(bal_path_in(path, dir, "correct.npy", err));
    BAL_TRY(read_rows(path->data, BAL_NPY_U8, n_epochs, r->n, r->correct, err));
    BAL_TRY(bal_path_in(path, dir, "log.jsonl", err));
    BAL_TRY(read_lines(path->data, n_epochs, true, &r->log, err));
    BAL_TRY(bal_path_in(path, dir, "timing.jsonl", err));
    BAL_TRY(read_lines(path->data, n_epochs, false, &r->timing, err));
    r->n_epochs = n_epochs;
    return BAL_OK;
}

BalStatus bal_record_read(BalRecord *r, const char *dir, int n_epochs, BalError *err) {
    if (n_epochs == 0) return BAL_OK;
    BalText path = {0};
    BalStatus rc = read_all(r, dir, n_epochs, &path, err);
    bal_text_reset(&path);
    return rc;
}
