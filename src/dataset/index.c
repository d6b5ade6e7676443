/* Writing and checking of the index; the byte table stands in index.h. */
#include "dataset/index.h"

#include <stdbool.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "dataset/tar.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the index is read in place");

static const char MAGIC[8] = {'B', 'A', 'L', 'I', 'N', 'D', 'E', 'X'};

typedef struct Head {
    char magic[8];
    uint32_t version, n_shards;
    uint64_t n_clips, n_members, n_text;
    uint32_t body_crc, head_crc, zero[4];
} Head;
_Static_assert(sizeof(Head) == 64, "file format");

/* ---- reading ---- */

/* Lengths of the four parts; false if they do not add up to exactly n bytes. */
static bool parts_fit(const Head *h, size_t n) {
    uint64_t left = n - sizeof *h;
    const uint64_t count[4] = {h->n_shards, h->n_clips, h->n_members, h->n_text};
    const uint64_t size[4] = {sizeof(uint64_t), sizeof(BalIndexClip), sizeof(BalIndexMember), 1};
    for (int i = 0; i < 4; i++) {
        if (count[i] > left / size[i]) return false;
        left -= count[i] * size[i];
    }
    return left == 0;
}

static bool member_fits(const BalIndexMember *m, uint64_t shard_bytes) {
    return m->offset >= BAL_TAR_BLOCK && m->offset % BAL_TAR_BLOCK == 0 && m->offset <= shard_bytes &&
           m->bytes <= shard_bytes - m->offset && m->kind <= BAL_MEMBER_JPEG;
}

/* json, audio, then one frames.npy or at least one jpeg. */
static bool kinds_in_order(const BalIndexMember *m, uint32_t n) {
    if (n < 3 || m[0].kind != BAL_MEMBER_JSON || m[1].kind != BAL_MEMBER_AUDIO) return false;
    if (m[2].kind == BAL_MEMBER_FRAMES) return n == 3;
    for (uint32_t i = 2; i < n; i++)
        if (m[i].kind != BAL_MEMBER_JPEG) return false;
    return true;
}

static bool clip_fits(const BalIndex *x, const BalIndexClip *c, uint64_t next_member, uint64_t n_text) {
    if (c->first_member != next_member || c->n_members > (uint64_t)x->n_members - next_member) return false;
    if (c->shard >= (uint64_t)x->n_shards || c->label < -1 || c->split < -1 || c->split > 2) return false;
    if (c->id_at >= n_text || c->source_at >= n_text) return false; /* the text ends with NUL, checked before */
    const BalIndexMember *m = x->member + c->first_member;
    for (uint32_t i = 0; i < c->n_members; i++)
        if (!member_fits(m + i, x->shard_bytes[c->shard])) return false;
    return kinds_in_order(m, c->n_members);
}

BalStatus bal_index_parse(BalIndex *out, const void *data, size_t n, const char *name, BalError *err) {
    Head h;
    if (n < sizeof h) return BAL_FAIL(err, BAL_E_FORMAT, "%s: %zu bytes are too few for an index", name, n);
    memcpy(&h, data, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof MAGIC)) return BAL_FAIL(err, BAL_E_FORMAT, "%s: not an avbalance index", name);
    if (h.version != 1)
        return BAL_FAIL(err, BAL_E_UNSUPPORTED, "%s: index version %u; this build reads version 1", name, h.version);
    if (h.head_crc != bal_crc32(0, &h, 44) || h.zero[0] || h.zero[1] || h.zero[2] || h.zero[3])
        return BAL_FAIL(err, BAL_E_MISMATCH, "%s: damaged header", name);
    if (!parts_fit(&h, n)) return BAL_FAIL(err, BAL_E_FORMAT, "%s: cut short or too long (%zu bytes)", name, n);
    const unsigned char *body = (const unsigned char *)data + sizeof h;
    if (h.body_crc != bal_crc32(0, body, n - sizeof h))
        return BAL_FAIL(err, BAL_E_MISMATCH, "%s: the checksum does not match: the file is damaged", name);

    BalIndex x = {.n_shards = h.n_shards, .n_clips = (int64_t)h.n_clips, .n_members = (int64_t)h.n_members};
    x.shard_bytes = (const void *)body;
    x.clip = (const void *)(body + h.n_shards * sizeof(uint64_t));
    x.member = (const void *)(x.clip + h.n_clips);
    x.text = (const char *)(x.member + h.n_members);
    if (h.n_text && x.text[h.n_text - 1]) return BAL_FAIL(err, BAL_E_FORMAT, "%s: text without an end", name);
    uint64_t next = 0;
    for (int64_t i = 0; i < x.n_clips; i++) {
        if (!clip_fits(&x, x.clip + i, next, h.n_text))
            return BAL_FAIL(err, BAL_E_FORMAT, "%s: impossible entry for clip %lld", name, (long long)i);
        next += x.clip[i].n_members;
    }
    if (next != h.n_members) return BAL_FAIL(err, BAL_E_FORMAT, "%s: members that belong to no clip", name);
    *out = x;
    return BAL_OK;
}

/* ---- writing ---- */

BalStatus bal_index_add(BalIndexDraft *d, BalIndexClip clip, const char *id, const char *source,
                        const BalIndexMember *member, BalError *err) {
    BAL_TRY(bal_grow(&d->clip, &d->clip_cap, d->n_clips + 1, sizeof *d->clip, err));
    BAL_TRY(bal_grow(&d->member, &d->member_cap, d->n_members + clip.n_members, sizeof *d->member, err));
    clip.first_member = d->n_members;
    clip.id_at = d->text.len;
    bal_text_add_n(&d->text, id, strlen(id) + 1);
    clip.source_at = clip.id_at;
    if (strcmp(id, source)) {
        clip.source_at = d->text.len;
        bal_text_add_n(&d->text, source, strlen(source) + 1);
    }
    BAL_TRY(bal_text_ok(&d->text, err));
    memcpy(d->member + d->n_members, member, clip.n_members * sizeof *member);
    d->n_members += clip.n_members;
    d->clip[d->n_clips++] = clip;
    return BAL_OK;
}

BalStatus bal_index_add_shard(BalIndexDraft *d, uint64_t bytes, BalError *err) {
    BAL_TRY(bal_grow(&d->shard_bytes, &d->shard_cap, d->n_shards + 1, sizeof *d->shard_bytes, err));
    d->shard_bytes[d->n_shards++] = bytes;
    return BAL_OK;
}

void bal_index_encode(const BalIndexDraft *d, BalText *out) {
    Head h = {.version = 1,
              .n_shards = (uint32_t)d->n_shards,
              .n_clips = d->n_clips,
              .n_members = d->n_members,
              .n_text = d->text.len};
    const void *part[4] = {d->shard_bytes, d->clip, d->member, d->text.data};
    const size_t bytes[4] = {d->n_shards * sizeof *d->shard_bytes, d->n_clips * sizeof *d->clip,
                             d->n_members * sizeof *d->member, d->text.len};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    for (int i = 0; i < 4; i++)
        if (bytes[i]) h.body_crc = bal_crc32(h.body_crc, part[i], bytes[i]);
    h.head_crc = bal_crc32(0, &h, 44);
    bal_text_add_n(out, (const char *)&h, sizeof h);
    for (int i = 0; i < 4; i++)
        if (bytes[i]) bal_text_add_n(out, part[i], bytes[i]);
}

void bal_index_draft_reset(BalIndexDraft *d) {
    bal_free(d->clip);
    bal_free(d->member);
    bal_free(d->shard_bytes);
    bal_text_reset(&d->text);
    *d = (BalIndexDraft){0};
}
