/* A clip's features -> tar members. The order json, audio, frames is part of the index's format. */
#include "dataset/pack.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/npy.h"
#include "features/jpeg.h"

void bal_pack_key(char key[BAL_TAR_NAME], int64_t row, const char *id) {
    int at = snprintf(key, BAL_TAR_NAME, "%08lld-", (long long)row);
    for (int i = 0; i < BAL_KEY_NAME && id[i]; i++) {
        char c = id[i];
        bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        key[at++] = safe ? c : '_';
    }
    key[at] = 0;
}

/* ---- members: begin, append data to p->tar, end ---- */

static BalStatus begin_member(BalPacked *p, BalMemberKind kind, BalError *err) {
    static const char room[BAL_TAR_BLOCK];
    BAL_TRY(bal_grow(&p->member, &p->member_cap, p->n_members + 1, sizeof *p->member, err));
    bal_text_add_n(&p->tar, room, sizeof room); /* the header is filled in when the size is known */
    p->member[p->n_members] = (BalIndexMember){.offset = p->tar.len, .kind = kind};
    return BAL_OK;
}

static BalStatus end_member(BalPacked *p, const char *key, const char *extension, BalError *err) {
    static const char pad[BAL_TAR_BLOCK];
    char name[BAL_TAR_NAME];
    BAL_TRY(bal_text_ok(&p->tar, err));
    BalIndexMember *m = p->member + p->n_members++;
    m->bytes = p->tar.len - m->offset;
    if (m->bytes >> 33) return BAL_FAIL(err, BAL_E_SHAPE, "%s.%s would take more than 8 GiB", key, extension);
    m->crc = bal_crc32(0, p->tar.data + m->offset, m->bytes);
    snprintf(name, sizeof name, "%s.%s", key, extension);
    bal_tar_header((unsigned char *)p->tar.data + m->offset - BAL_TAR_BLOCK, name, (int64_t)m->bytes);
    bal_text_add_n(&p->tar, pad, (size_t)(bal_tar_padded((int64_t)m->bytes) - (int64_t)m->bytes));
    return bal_text_ok(&p->tar, err);
}

static void add_json(BalText *out, const BalClipFeatures *f, const BalClip *clip, BalSplit split,
                     const char *class_name) {
    BalJsonOut o = bal_json_out(out, false);
    bal_json_open(&o, NULL, '{');
    bal_json_add_text(&o, "id", clip->id);
    bal_json_add_int(&o, "label", clip->label);
    bal_json_add_text(&o, "class", class_name);
    bal_json_add_text(&o, "split", bal_split_name(split));
    bal_json_add_text(&o, "source", clip->source && clip->source[0] ? clip->source : clip->id);
    bal_json_add_real(&o, "start_s", clip->start_s);
    bal_json_add_real(&o, "length_s", f->length_s);
    bal_json_open(&o, "audio", '[');
    for (int i = 0; i < 2; i++) bal_json_add_int(&o, NULL, f->audio_shape[i]);
    bal_json_close(&o, ']');
    const int frames[4] = {f->frames.n, f->frames.height, f->frames.width, f->frames.channels};
    bal_json_open(&o, "frames", '[');
    for (int i = 0; i < 4; i++) bal_json_add_int(&o, NULL, frames[i]);
    bal_json_close(&o, ']');
    bal_json_close(&o, '}');
}

static BalStatus add_audio(BalPacked *p, const BalClipFeatures *f, BalError *err) {
    size_t n = (size_t)(f->audio_shape[0] * f->audio_shape[1]);
    BAL_TRY(bal_grow(&p->half, &p->half_cap, n, sizeof *p->half, err));
    bal_f32_to_f16_n(p->half, f->audio, n);
    for (size_t i = 0; i < n; i++)
        if ((p->half[i] & 0x7c00) == 0x7c00)
            return BAL_FAIL(err, BAL_E_NUMERIC, "audio feature %g is beyond float16", (double)f->audio[i]);
    bal_npy_header(&p->tar, BAL_NPY_F16, f->audio_shape, 2);
    bal_text_add_n(&p->tar, (const char *)p->half, n * sizeof *p->half);
    return BAL_OK;
}

static BalStatus add_frames(BalPacked *p, const BalFrames *f, const char *key, const BalVisualRecipe *recipe,
                            BalError *err) {
    size_t one = (size_t)f->height * (size_t)f->width * (size_t)f->channels;
    if (recipe->codec == BAL_FRAMES_RAW) {
        const int64_t dim[4] = {f->n, f->height, f->width, f->channels};
        BAL_TRY(begin_member(p, BAL_MEMBER_FRAMES, err));
        bal_npy_header(&p->tar, BAL_NPY_U8, dim, 4);
        bal_text_add_n(&p->tar, (const char *)f->data, (size_t)f->n * one);
        return end_member(p, key, "frames.npy", err);
    }
    for (int k = 0; k < f->n; k++) {
        char extension[32];
        snprintf(extension, sizeof extension, "frame-%05d.jpg", k);
        BAL_TRY(begin_member(p, BAL_MEMBER_JPEG, err));
        BAL_TRY(bal_jpeg_write(&p->tar, f->data + (size_t)k * one, f->height, f->width, f->channels,
                               (int)recipe->jpeg_quality, err));
        BAL_TRY(end_member(p, key, extension, err));
    }
    return BAL_OK;
}

BalStatus bal_pack_clip(BalPacked *out, const BalClipFeatures *f, const BalVisualRecipe *recipe, int64_t row,
                        const BalClip *clip, BalSplit split, const char *class_name, BalError *err) {
    char key[BAL_TAR_NAME];
    assert(f->frames.n > 0);
    bal_text_clear(&out->tar);
    out->n_members = 0;
    bal_pack_key(key, row, clip->id);
    BAL_TRY(begin_member(out, BAL_MEMBER_JSON, err));
    add_json(&out->tar, f, clip, split, class_name);
    BAL_TRY(end_member(out, key, "json", err));
    BAL_TRY(begin_member(out, BAL_MEMBER_AUDIO, err));
    BAL_TRY(add_audio(out, f, err));
    BAL_TRY(end_member(out, key, "audio.npy", err));
    BAL_TRY(add_frames(out, &f->frames, key, recipe, err));
    out->tar_crc = bal_crc32(0, out->tar.data, out->tar.len);
    return BAL_OK;
}

void bal_packed_reset(BalPacked *p) {
    bal_text_reset(&p->tar);
    bal_free(p->member);
    bal_free(p->half);
    *p = (BalPacked){0};
}
