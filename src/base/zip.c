/* Zip reader (format and what is refused: zip.h). Numbers are little endian and unaligned; every offset is checked against the space
 * that is left before it is added to anything. */
#include "base/zip.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"

enum { END_BYTES = 22, END64_BYTES = 56, LOCATOR_BYTES = 20, ENTRY_BYTES = 46, LOCAL_BYTES = 30 };
#define MAX_MEMBERS 200000
#define MAX_NAME    512
#define MAX_RATIO   1032 /* of deflate: 258 bytes in two bits */
#define MAX_COMMENT 65535

typedef struct Archive {
    const unsigned char *data;
    size_t size;
    const char *file;
    size_t directory, directory_bytes; /* where */
    uint64_t n;
} Archive;

typedef struct Span { /* of the file, taken by a member with its header */
    size_t from, to;
} Span;

static uint64_t little(const unsigned char *p, int bytes) {
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static bool is(const unsigned char *p, const char *mark) {
    return !memcmp(p, mark, 4);
}

static BalStatus bad(const Archive *a, const char *what, BalError *err) {
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: not a usable zip archive: %s", a->file, what);
}

/* ---- the end ---- */

/* The last end record in the file; it and no other must end where the file ends. */
static BalStatus find_end(const Archive *a, size_t *at, BalError *err) {
    size_t found = 0, n = 0;
    if (a->size < END_BYTES) return bad(a, "it is cut short", err);
    const size_t last = a->size - END_BYTES, first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
    for (size_t i = last + 1; i-- > first;) {
        if (!is(a->data + i, "PK\5\6")) continue;
        const bool fits = little(a->data + i + 20, 2) == last - i;
        if (!n && !fits) return bad(a, "bytes follow its end, or its end lies in a comment", err);
        if (!n++)
            found = i;
        else if (fits)
            return bad(a, "it has two ends, one in the comment of the other", err);
    }
    if (!n) return bad(a, "its end is missing: is the file complete?", err);
    *at = found;
    return BAL_OK;
}

/* *end moves to where the directory has to end. */
static BalStatus read_end64(Archive *a, size_t *end, BalError *err) {
    const unsigned char *locator = a->data + *end - LOCATOR_BYTES;
    const uint64_t at = little(locator + 8, 8), room = *end - LOCATOR_BYTES;
    if (little(locator + 4, 4) || little(locator + 16, 4) > 1) return bad(a, "it is part of several disks", err);
    if (room < END64_BYTES || at > room - END64_BYTES || !is(a->data + at, "PK\6\6") ||
        little(a->data + at + 4, 8) != room - at - 12)
        return bad(a, "its ZIP64 record is not where it should be", err);
    const unsigned char *p = a->data + at;
    if (little(p + 16, 4) || little(p + 20, 4) || little(p + 24, 8) != little(p + 32, 8))
        return bad(a, "it is part of several disks", err);
    a->n = little(p + 32, 8);
    a->directory_bytes = little(p + 40, 8);
    a->directory = little(p + 48, 8);
    *end = at;
    return BAL_OK;
}

static BalStatus read_end(Archive *a, BalError *err) {
    size_t end = 0;
    BAL_TRY(find_end(a, &end, err));
    const unsigned char *p = a->data + end;
    const uint64_t n = little(p + 10, 2), bytes = little(p + 12, 4), at = little(p + 16, 4);
    if (end >= LOCATOR_BYTES && is(p - LOCATOR_BYTES, "PK\6\7")) {
        BAL_TRY(read_end64(a, &end, err));
        if ((n != 0xFFFF && n != a->n) || (bytes != 0xFFFFFFFF && bytes != a->directory_bytes) ||
            (at != 0xFFFFFFFF && at != a->directory))
            return bad(a, "its end and its ZIP64 record differ", err);
    } else {
        if (little(p + 4, 2) || little(p + 6, 2) || little(p + 8, 2) != n)
            return bad(a, "it is part of several disks", err);
        a->n = n, a->directory_bytes = bytes, a->directory = at;
    }
    if (a->n > MAX_MEMBERS) return bad(a, "it has more than 200000 members", err);
    if (a->directory > end || end - a->directory != a->directory_bytes)
        return bad(a, "its directory does not lie before its end", err);
    return BAL_OK;
}

/* ---- members ---- */

static bool name_is_good(const char *name, size_t n) {
    if (!n || n > MAX_NAME || memchr(name, '\0', n) || memchr(name, '\\', n) || name[0] == '/') return false;
    for (const char *part = name;;) {
        const char *slash = memchr(part, '/', n - (size_t)(part - name));
        const size_t length = slash ? (size_t)(slash - part) : n - (size_t)(part - name);
        if (length == 2 && part[0] == '.' && part[1] == '.') return false;
        if (!slash) return true;
        part = slash + 1;
    }
}

/* Sizes and place that do not fit 32 bits stand in the extra field 0x0001, in this order and only those. */
static BalStatus read_extra(const Archive *a, const unsigned char *p, size_t n, uint64_t *value[3], BalError *err) {
    while (n >= 4) {
        const size_t id = little(p, 2), bytes = little(p + 2, 2);
        if (bytes > n - 4) return bad(a, "an extra field leaves its entry", err);
        size_t at = 0;
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*value[i] != 0xFFFFFFFF) continue;
            if (bytes - at < 8) return bad(a, "a ZIP64 field is cut short", err);
            *value[i] = little(p + 4 + at, 8);
            at += 8;
        }
        if (id == 1) return BAL_OK;
        p += 4 + bytes, n -= 4 + bytes;
    }
    return BAL_OK;
}

/* Where the data of the member whose own header lies at `local` begins. */
static BalStatus find_data(const Archive *a, BalZipMember *m, uint64_t local, Span *span, BalError *err) {
    const size_t n_name = strlen(m->name);
    if (a->directory < LOCAL_BYTES || local > a->directory - LOCAL_BYTES || !is(a->data + local, "PK\3\4"))
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: member \"%s\" does not lie where its directory says", a->file, m->name);
    const unsigned char *p = a->data + local;
    const size_t header = LOCAL_BYTES + little(p + 26, 2) + little(p + 28, 2), room = a->directory - local;
    if (header > room || m->stored_bytes > room - header)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: member \"%s\" runs into the directory", a->file, m->name);
    if (little(p + 26, 2) != n_name || memcmp(p + LOCAL_BYTES, m->name, n_name) != 0)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: member \"%s\" has another name in its own header", a->file, m->name);
    m->data = p + header;
    *span = (Span){local, local + header + m->stored_bytes};
    return BAL_OK;
}

static BalStatus check_entry(const Archive *a, const BalZipMember *m, unsigned flags, uint64_t method, BalError *err) {
    const char *what = NULL;
    if (flags & 0x2041)
        what = "is encrypted";
    else if (method != 0 && method != 8)
        what = "is packed by a method other than deflate";
    else if (!m->deflated && m->stored_bytes != m->bytes)
        what = "is stored, yet has two sizes";
    else if (m->deflated && m->bytes / MAX_RATIO > m->stored_bytes)
        what = "claims more bytes than deflate can hold";
    if (!what) return BAL_OK;
    return BAL_FAIL(err, BAL_E_FORMAT, "%s: member \"%s\" %s", a->file, m->name, what);
}

/* One entry of the directory, at p with n bytes left; *used of them are its own. */
static BalStatus read_entry(const Archive *a, const unsigned char *p, size_t n, char *name, BalZipMember *m, Span *span,
                            size_t *used, BalError *err) {
    if (n < ENTRY_BYTES || !is(p, "PK\1\2")) return bad(a, "its directory has fewer entries than it says", err);
    const size_t n_name = little(p + 28, 2), n_extra = little(p + 30, 2), n_comment = little(p + 32, 2);
    uint64_t bytes = little(p + 24, 4), stored = little(p + 20, 4), local = little(p + 42, 4);
    if (n_name + n_extra + n_comment > n - ENTRY_BYTES) return bad(a, "its directory is cut short", err);
    if (!name_is_good((const char *)p + ENTRY_BYTES, n_name)) return bad(a, "a member's name is not acceptable", err);
    memcpy(name, p + ENTRY_BYTES, n_name);
    name[n_name] = '\0';
    for (size_t i = 0, step; i < n_name; i += step)
        if (!(step = bal_utf8_length(name + i))) return bad(a, "a member's name is not UTF-8", err);
    BAL_TRY(read_extra(a, p + ENTRY_BYTES + n_name, n_extra, (uint64_t *[3]){&bytes, &stored, &local}, err));
    if (little(p + 34, 2)) return bad(a, "it is part of several disks", err);
    *m = (BalZipMember){.name = name, .stored_bytes = stored, .bytes = bytes, .crc = (uint32_t)little(p + 16, 4)};
    m->deflated = little(p + 10, 2) == 8;
    BAL_TRY(check_entry(a, m, (unsigned)little(p + 8, 2), little(p + 10, 2), err));
    *used = ENTRY_BYTES + n_name + n_extra + n_comment;
    return find_data(a, m, local, span, err);
}

static int by_place(const void *a, const void *b) {
    const Span *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static int by_name(const void *a, const void *b) {
    const BalZipMember *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static BalStatus check_spans(const Archive *a, Span *span, BalError *err) {
    qsort(span, a->n, sizeof *span, by_place);
    for (size_t i = 1; i < a->n; i++)
        if (span[i].from < span[i - 1].to) return bad(a, "two of its members overlap", err);
    return BAL_OK;
}

static BalStatus sort_members(const Archive *a, BalZip *z, BalError *err) {
    const char *first = z->n ? z->member[0].name : NULL;
    qsort(z->member, z->n, sizeof *z->member, by_name);
    for (size_t i = 0; i < z->n; i++) {
        if (z->member[i].name == first) z->first = i;
        if (i && !by_name(&z->member[i], &z->member[i - 1]))
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: has two members \"%s\"", a->file, z->member[i].name);
    }
    return BAL_OK;
}

static BalStatus read_directory(const Archive *a, BalZip *z, Span *span, BalError *err) {
    const unsigned char *p = a->data + a->directory;
    size_t left = a->directory_bytes, used = 0;
    char *name = z->names; /* an entry is longer than its name and a NUL */
    for (z->n = 0; z->n < a->n; z->n++) {
        BAL_TRY(read_entry(a, p, left, name, &z->member[z->n], &span[z->n], &used, err));
        name += strlen(name) + 1;
        p += used, left -= used;
    }
    if (left) return bad(a, "its directory has more entries than it says", err);
    BAL_TRY(check_spans(a, span, err));
    return sort_members(a, z, err);
}

BalStatus bal_zip_open(BalZip *out, const void *data, size_t n, const char *file, BalError *err) {
    Archive a = {.data = data, .size = n, .file = file};
    BalZip z = {0};
    Span *span = NULL;
    BalStatus rc;
    BAL_TRY(read_end(&a, err));
    if (a.n > a.directory_bytes / ENTRY_BYTES) return bad(&a, "its directory has fewer entries than it says", err);
    BAL_TRY_OR(fail, bal_alloc(&z.member, a.n, sizeof *z.member, err));
    BAL_TRY_OR(fail, bal_alloc(&z.names, a.directory_bytes, 1, err));
    BAL_TRY_OR(fail, bal_alloc(&span, a.n, sizeof *span, err));
    BAL_TRY_OR(fail, read_directory(&a, &z, span, err));
    *out = z;
    bal_free(span);
    return BAL_OK;
fail:
    bal_zip_close(&z);
    bal_free(span);
    return rc;
}

void bal_zip_close(BalZip *z) {
    bal_free(z->member);
    bal_free(z->names);
    *z = (BalZip){0};
}

const BalZipMember *bal_zip_find(const BalZip *z, const char *name) {
    const BalZipMember key = {.name = name};
    return z->n ? bsearch(&key, z->member, z->n, sizeof *z->member, by_name) : NULL;
}

/* ---- data ---- */

static voidpf take(voidpf user, uInt n, uInt size) {
    void *p = NULL;
    (void)user;
    return bal_alloc(&p, n, size, NULL) < 0 ? Z_NULL : p;
}

static void give(voidpf user, voidpf p) {
    (void)user;
    bal_free(p);
}

/* zlib counts in 32 bits, so both sides are handed over in pieces. */
static int unpack(const BalZipMember *m, unsigned char *out) {
    enum { PIECE = 1 << 30 };
    z_stream s = {.zalloc = take, .zfree = give};
    const unsigned char *in = m->data;
    size_t left = m->stored_bytes, room = m->bytes;
    int rc = inflateInit2(&s, -MAX_WBITS);
    while (rc == Z_OK) {
        const uInt in_now = left < PIECE ? (uInt)left : PIECE, out_now = room < PIECE ? (uInt)room : PIECE;
        s.next_in = (Bytef *)(uintptr_t)in, s.avail_in = in_now;
        s.next_out = out, s.avail_out = out_now;
        rc = inflate(&s, Z_NO_FLUSH); /* Z_BUF_ERROR: it needs more than it has or may give */
        in += in_now - s.avail_in, left -= in_now - s.avail_in;
        out += out_now - s.avail_out, room -= out_now - s.avail_out;
    }
    inflateEnd(&s);
    return rc == Z_STREAM_END && (left || room) ? Z_DATA_ERROR : rc;
}

BalStatus bal_zip_extract(const BalZipMember *m, void *out, const char *file, BalError *err) {
    const int rc = m->deflated ? unpack(m, out) : Z_STREAM_END;
    if (rc == Z_MEM_ERROR) return BAL_FAIL(err, BAL_E_NOMEM, "%s: out of memory", file);
    if (rc != Z_STREAM_END)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: member \"%s\" does not unpack to the %zu bytes it should have", file,
                        m->name, m->bytes);
    if (bal_crc32(0, m->deflated ? out : m->data, m->bytes) != m->crc)
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: member \"%s\" does not match its checksum: the file is damaged", file,
                        m->name);
    if (!m->deflated && out && m->bytes) memcpy(out, m->data, m->bytes);
    return BAL_OK;
}
