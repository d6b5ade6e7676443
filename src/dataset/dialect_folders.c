/* A folder with one folder per class, or train/, val/, test/ above those. The id is the path without extension from the class on. */
#include <string.h>
#include "base/file.h"
#include "dataset/manifest.h"

static BalStatus add_file(BalBuild *b, const char *split, const char *class, const char *name, BalText *path,
                          BalError *err) {
    BalRow row = bal_row(0);
    bal_text_clear(path);
    bal_path_join(path, split, class);
    bal_text_f(path, "/%s", name);
    BAL_TRY(bal_text_ok(path, err));
    row.media = (BalField){path->data, path->len, false};
    row.label = bal_field(class);
    row.split = bal_field(split);
    size_t skip = *split ? strlen(split) + 1 : 0, extension = strlen(name) - bal_stem(bal_field(name)).n;
    row.id = (BalField){path->data + skip, path->len - skip - extension, false};
    return bal_build_add(b, &row, err);
}

/* The media files of root/split/class */
static BalStatus add_class(BalBuild *b, const char *split, const char *class, BalError *err) {
    BalText folder = {0}, path = {0};
    char **names = NULL;
    int n = 0;
    BalStatus rc = BAL_OK;
    bal_path_join(&folder, b->path, split);
    bal_text_f(&folder, "/%s", class);
    BAL_TRY_OR(fail, bal_text_ok(&folder, err));
    if (!bal_is_dir(folder.data)) goto fail;
    BAL_TRY_OR(fail, bal_list_dir(folder.data, &names, &n, err));
    for (int i = 0; i < n; i++)
        if (bal_has_media_extension(bal_field(names[i])))
            BAL_TRY_OR(fail, add_file(b, split, class, names[i], &path, err));
fail:
    bal_names_free(names, n);
    bal_text_reset(&folder);
    bal_text_reset(&path);
    return rc;
}

/* Is the folder root/name a split? One that holds media files itself is a class of that name, "train" beside "bus". */
static BalStatus find_split(const BalBuild *b, const char *name, bool *yes, BalError *err) {
    BalText folder = {0}, inner = {0};
    char **names = NULL;
    int n = 0, files = 0, folders = 0;
    BalStatus rc = BAL_OK;
    *yes = false;
    if (bal_split_named(name, strlen(name)) == BAL_SPLIT_NONE) return BAL_OK;
    bal_path_join(&folder, b->path, name);
    BAL_TRY_OR(fail, bal_text_ok(&folder, err));
    if (!bal_is_dir(folder.data)) goto fail;
    BAL_TRY_OR(fail, bal_list_dir(folder.data, &names, &n, err));
    for (int i = 0; i < n; i++) {
        bal_text_clear(&inner);
        bal_path_join(&inner, folder.data, names[i]);
        BAL_TRY_OR(fail, bal_text_ok(&inner, err));
        if (names[i][0] == '.') continue;
        if (bal_is_dir(inner.data))
            folders++;
        else
            files += bal_has_media_extension(bal_field(names[i]));
    }
    if (files && folders)
        rc = BAL_FAIL(err, BAL_E_FORMAT,
                      "%s holds media files and folders: is it the class or the split %s? Move one or the other away",
                      folder.data, name);
    *yes = !files;
fail:
    bal_names_free(names, n);
    bal_text_reset(&folder);
    bal_text_reset(&inner);
    return rc;
}

/* The classes of root, or of root/split */
static BalStatus add_classes(BalBuild *b, const char *split, BalError *err) {
    BalText folder = {0};
    char **names = NULL;
    int n = 0;
    BalStatus rc = BAL_OK;
    bal_path_join(&folder, b->path, split);
    BAL_TRY_OR(fail, bal_text_ok(&folder, err));
    BAL_TRY_OR(fail, bal_list_dir(folder.data, &names, &n, err));
    for (int i = 0; i < n; i++) {
        bool is_split = false;
        if (names[i][0] == '.') continue;
        if (!*split) BAL_TRY_OR(fail, find_split(b, names[i], &is_split, err));
        BAL_TRY_OR(fail, is_split ? add_classes(b, names[i], err) : add_class(b, split, names[i], err));
    }
fail:
    bal_names_free(names, n);
    bal_text_reset(&folder);
    return rc;
}

static BalClaim claim(const BalSniff *s) {
    return s->is_dir ? BAL_CLAIM_SURE : BAL_CLAIM_NO;
}

static BalStatus read_folders(BalBuild *b, const BalSniff *s, BalError *err) {
    (void)s;
    BAL_TRY(add_classes(b, "", err));
    if (b->m->n) return BAL_OK;
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: no media file lies in a folder of its class: %s/CLASS/CLIP.mp4 is wanted",
                    b->path, b->path);
}

const BalDialect bal_dialect_folders = {
    .name = "folders",
    .summary = "a folder with one folder of media files per class, or train/, val/, test/ above those",
    .claim = claim,
    .read = read_folders,
    .index_base = -1,
};
