/* The store's index: where every member of every clip lies, so that shards are mapped and read at random.
 *
 * Little endian, every record aligned to 8 bytes, read in place from the mapping.
 *
 *   offset  bytes   meaning
 *   0       8       "BALINDEX"
 *   8       4       version, 1
 *   12      4       S shards
 *   16      8       N clips
 *   24      8       M members
 *   32      8       B bytes of text
 *   40      4       CRC-32 of everything from byte 64 on
 *   44      4       CRC-32 of bytes 0..43
 *   48      16      zero
 *   64      8 S     size of each shard-NNNNNN.tar in bytes
 *   ...     48 N    clips, in manifest order: BalIndexClip
 *   ...     24 M    members, those of a clip together and in shard order: BalIndexMember
 *   ...     B       text: ids and sources, each ended by NUL
 *
 * A clip's members are its json, its audio and then either one frames.npy or its jpegs in order. */
#ifndef BAL_DATASET_INDEX_H
#define BAL_DATASET_INDEX_H

#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include "base/text.h"

typedef enum BalMemberKind { BAL_MEMBER_JSON, BAL_MEMBER_AUDIO, BAL_MEMBER_FRAMES, BAL_MEMBER_JPEG } BalMemberKind;

typedef struct BalIndexClip {
    uint64_t first_member;
    uint32_t n_members, shard;
    int32_t label, split;
    uint64_t id_at, source_at; /* in text */
    uint64_t row;              /* of the manifest: the number in the key */
} BalIndexClip;
typedef struct BalIndexMember {
    uint64_t offset, bytes; /* of the data; their tar header stands in the 512 bytes before */
    uint32_t crc, kind;
} BalIndexMember;
_Static_assert(sizeof(BalIndexClip) == 48 && sizeof(BalIndexMember) == 24, "file format");

typedef struct BalIndex { /* a view into the file's bytes */
    int64_t n_shards, n_clips, n_members;
    const uint64_t *shard_bytes;
    const BalIndexClip *clip;
    const BalIndexMember *member;
    const char *text;
} BalIndex;

/* Check a whole file in memory (8-byte aligned) so that no later access needs a check: counts against size, checksums, every
 * offset against its shard, order of kinds. `name` goes into messages. BAL_E_FORMAT or BAL_E_MISMATCH (checksum). */
BAL_MUST_USE BalStatus bal_index_parse(BalIndex *out, const void *data, size_t n, const char *name, BalError *err);

/* An index being put together; zero is empty. Clips arrive in order. */
typedef struct BalIndexDraft {
    BalIndexClip *clip;
    BalIndexMember *member;
    uint64_t *shard_bytes;
    size_t n_clips, n_members, n_shards, clip_cap, member_cap, shard_cap;
    BalText text;
} BalIndexDraft;
/* clip: first_member, id_at, source_at are filled in here; member: [clip->n_members]. */
BAL_MUST_USE BalStatus bal_index_add(BalIndexDraft *d, BalIndexClip clip, const char *id, const char *source,
                                     const BalIndexMember *member, BalError *err);
BAL_MUST_USE BalStatus bal_index_add_shard(BalIndexDraft *d, uint64_t bytes, BalError *err);
void bal_index_encode(const BalIndexDraft *d, BalText *out); /* the file's bytes, appended */
void bal_index_draft_reset(BalIndexDraft *d);

#endif
