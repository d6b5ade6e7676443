/* The byte formats of a store, each alone: tar headers, index, journal, keys. */
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dataset/index.h"
#include "dataset/journal.h"
#include "dataset/pack.h"
#include "dataset/tar.h"

static void tar_header(void **state) {
    (void)state;
    BalError err = {0};
    unsigned char block[BAL_TAR_BLOCK], zero[BAL_TAR_BLOCK] = {0};
    char name[BAL_TAR_NAME];
    int64_t bytes;
    bal_tar_header(block, "00000001-a.json", 1234567);
    assert_memory_equal(block, "00000001-a.json\0", 16);
    assert_memory_equal(block + 100,
                        "0000644\0"
                        "0000000\0"
                        "0000000\0"
                        "00004553207\0"
                        "00000000000\0",
                        48);
    assert_memory_equal(block + 257,
                        "ustar\0"
                        "00",
                        8);
    assert_ok(bal_tar_parse(block, name, &bytes, &err));
    assert_string_equal(name, "00000001-a.json");
    assert_int_equal(bytes, 1234567);
    assert_int_equal(bal_tar_parse(zero, name, &bytes, &err), BAL_END);
    for (int at = 0; at < BAL_TAR_BLOCK; at++) { /* any changed byte is seen, or changes nothing that is read */
        block[at] ^= 1;
        if (bal_tar_parse(block, name, &bytes, NULL) == BAL_OK) assert_in_range(at, 148, 155);
        block[at] ^= 1;
    }
    assert_int_equal(bal_tar_padded(0), 0);
    assert_int_equal(bal_tar_padded(1), 512);
    assert_int_equal(bal_tar_padded(512), 512);
}

static void keys(void **state) {
    (void)state;
    char key[BAL_TAR_NAME];
    bal_pack_key(key, 12, "-a.b/c d\xc3\xbc_9");
    assert_string_equal(key, "00000012--a_b_c_d___9");
    bal_pack_key(key, INT64_MAX, "0123456789012345678901234567890123456789012345678901234567890123456789");
    assert_int_equal(strlen(key), 19 + 1 + 60);
}

static void make_index(BalText *out) {
    BalIndexDraft d = {0};
    BalError err = {0};
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "clip%d", i);
        BalIndexMember m[4] = {{512, 100, 1, BAL_MEMBER_JSON},
                               {1536, 600, 2, BAL_MEMBER_AUDIO},
                               {3072, 10, 3, i % 2 ? BAL_MEMBER_JPEG : BAL_MEMBER_FRAMES},
                               {4096, 9, 3, BAL_MEMBER_JPEG}};
        BalIndexClip c = {
            .n_members = i % 2 ? 4 : 3, .shard = (uint32_t)(i / 3), .label = i - 1, .split = i % 4 - 1, .row = 7};
        assert_ok(bal_index_add(&d, c, id, i == 2 ? id : "source", m, &err));
    }
    assert_ok(bal_index_add_shard(&d, 5632, &err));
    assert_ok(bal_index_add_shard(&d, 5632, &err));
    bal_index_encode(&d, out);
    bal_index_draft_reset(&d);
}

static void index_round_trip(void **state) {
    (void)state;
    BalError err = {0};
    BalText t = {0};
    BalIndex x;
    make_index(&t);
    assert_ok(bal_index_parse(&x, t.data, t.len, "index", &err));
    assert_int_equal(x.n_clips, 5);
    assert_int_equal(x.n_shards, 2);
    assert_int_equal(x.n_members, 17);
    assert_string_equal(x.text + x.clip[3].id_at, "clip3");
    assert_string_equal(x.text + x.clip[3].source_at, "source");
    assert_int_equal(x.clip[2].id_at, x.clip[2].source_at);
    assert_int_equal(x.member[x.clip[3].first_member + 3].offset, 4096);
    for (size_t n = 0; n < t.len; n++) assert_true(bal_index_parse(&x, t.data, n, "index", NULL) < 0);
    bal_text_char(&t, 0);
    assert_true(bal_index_parse(&x, t.data, t.len, "index", NULL) < 0);
    bal_text_reset(&t);
}

/* An index whose checksums are right but whose content is not: the checks behind the checksum. */
static void index_with_impossible_entries(void **state) {
    (void)state;
    static const struct {
        size_t at; /* from the end of the shard table */
        uint32_t value;
    } wrong[] = {{0, 1},           {4, 1},   {8, 100}, {8, 2},   {12, 2},  {16, 0xfffffffe}, {20, 3},
                 {20, 0xfffffffe}, {24, 90}, {28, 1},  {32, 90}, {240, 0}, {240, 513},       {244, 1},
                 {248, 6000},      {252, 1}, {260, 4}, {260, 1}, {284, 0}, {308, 0}};
    BalError err = {0};
    BalText t = {0};
    BalIndex x;
    make_index(&t);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint32_t was, crc;
        char *at = t.data + 64 + 16 + wrong[i].at;
        memcpy(&was, at, 4);
        memcpy(at, &wrong[i].value, 4);
        crc = bal_crc32(0, t.data + 64, t.len - 64);
        memcpy(t.data + 40, &crc, 4);
        crc = bal_crc32(0, t.data, 44);
        memcpy(t.data + 44, &crc, 4);
        BalStatus rc = bal_index_parse(&x, t.data, t.len, "index", &err);
        if (rc != BAL_E_FORMAT) fail_msg("case %zu: %s", i, bal_status_name(rc));
        memcpy(at, &was, 4);
    }
    bal_text_reset(&t);
}

/* ---- journal ---- */

typedef struct Seen {
    int n, stop_at;
    BalJournalEntry last;
    BalIndexMember member[4];
    char reason[80];
} Seen;

static BalStatus see(void *user, const BalJournalEntry *e, BalError *err) {
    Seen *s = user;
    (void)err;
    if (s->n == s->stop_at) return BAL_END;
    s->n++;
    s->last = *e;
    if (e->stored) memcpy(s->member, e->member, e->n_members * sizeof *e->member);
    snprintf(s->reason, sizeof s->reason, "%s", e->reason);
    return BAL_OK;
}

static void journal_round_trip(void **state) {
    (void)state;
    BalError err = {0};
    BalIdentity id, got;
    BalText t = {0};
    size_t good, end[5];
    const BalIndexMember m[3] = {
        {512, 1, 0xdeadbeef, BAL_MEMBER_JSON}, {UINT64_MAX / 2, 3, 0, BAL_MEMBER_AUDIO}, {9, 9, 9, 2}};
    bal_sha256_text("a", 1, id.recipe);
    bal_sha256_text("b", 1, id.manifest);
    bal_sha256_text("c", 1, id.settings);
    bal_sha256_text("d", 1, id.code);
    bal_journal_head(&t, &id);
    end[0] = t.len;
    for (int i = 0; i < 4; i++) {
        BalJournalEntry e = {.row = i,
                             .stored = i % 2 == 0,
                             .shard = 7,
                             .tar_crc = 0xabc,
                             .n_members = 3,
                             .member = m,
                             .code = BAL_E_MEDIA,
                             .reason = "no\nsound, 5 % \xc3\xbc"};
        bal_journal_line(&t, &e);
        end[i + 1] = t.len;
    }
    for (size_t n = 0; n <= t.len; n++) { /* torn at every byte */
        Seen s = {.stop_at = 99};
        assert_ok(bal_journal_replay(t.data, n, 100, see, &s, &got, &good, &err));
        int lines = 0;
        while (lines < 5 && end[lines] <= n) lines++;
        assert_int_equal(good, lines ? end[lines - 1] : 0);
        assert_int_equal(s.n, lines ? lines - 1 : 0);
    }
    Seen s = {.stop_at = 99};
    assert_ok(bal_journal_replay(t.data, t.len, 100, see, &s, &got, &good, &err));
    assert_memory_equal(&got, &id, sizeof id);
    assert_int_equal(s.last.code, BAL_E_MEDIA);
    assert_string_equal(s.reason, "no sound, 5 % \xc3\xbc");
    s = (Seen){.stop_at = 99};
    assert_ok(bal_journal_replay(t.data, t.len, 3, see, &s, &got, &good, &err));
    assert_int_equal(good, end[3]);
    assert_true(s.last.stored && s.last.shard == 7 && s.last.tar_crc == 0xabc);
    assert_memory_equal(s.member, m, sizeof m);
    s = (Seen){.stop_at = 2};
    assert_ok(bal_journal_replay(t.data, t.len, 100, see, &s, &got, &good, &err));
    assert_int_equal(good, end[2]);
    for (size_t at = 0; at < t.len; at++) { /* a changed byte ends the replay before its line */
        t.data[at] ^= 4;
        s = (Seen){.stop_at = 99};
        assert_ok(bal_journal_replay(t.data, t.len, 100, see, &s, &got, &good, &err));
        assert_true(good <= at);
        t.data[at] ^= 4;
    }
    bal_text_reset(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tar_header),         cmocka_unit_test(keys),
        cmocka_unit_test(index_round_trip),   cmocka_unit_test(index_with_impossible_entries),
        cmocka_unit_test(journal_round_trip),
    };
    return cmocka_run_group_tests_name("dataset.formats", tests, NULL, NULL);
}
