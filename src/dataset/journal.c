/* Lines of the journal, written and replayed; the form stands in journal.h. */
#include "dataset/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"

/* Put the checksum in front of the line that begins at `from` and end it. */
static void seal(BalText *out, size_t from) {
    if (out->failed) return;
    char crc[10];
    snprintf(crc, sizeof crc, "%08" PRIx32, bal_crc32(0, out->data + from + 9, out->len - from - 9));
    memcpy(out->data + from, crc, 8);
    bal_text_char(out, '\n');
}

void bal_journal_head(BalText *out, const BalIdentity *id) {
    size_t from = out->len;
    bal_text_f(out, "00000000 avbalance-journal 1 %s %s %s %s", id->recipe, id->manifest, id->settings, id->code);
    seal(out, from);
}

void bal_journal_line(BalText *out, const BalJournalEntry *e) {
    size_t from = out->len;
    if (e->stored) {
        bal_text_f(out, "00000000 stored %" PRId64 " %" PRIu32 " %08" PRIx32, e->row, e->shard, e->tar_crc);
        for (uint32_t i = 0; i < e->n_members; i++) {
            const BalIndexMember *m = e->member + i;
            bal_text_f(out, " %" PRIu32 ":%" PRIu64 ":%" PRIu64 ":%08" PRIx32, m->kind, m->offset, m->bytes, m->crc);
        }
    } else {
        bal_text_f(out, "00000000 rejected %" PRId64 " %d ", e->row, (int)e->code);
        for (const char *s = e->reason; *s; s++) bal_text_char(out, *s == '\n' || *s == '\r' ? ' ' : *s);
    }
    seal(out, from);
}

/* ---- reading ---- */

typedef struct Replay {
    BalText line; /* the current one, without checksum and end */
    BalIndexMember *member;
    size_t member_cap;
} Replay;

/* Next line into r->line: false if it is torn or its checksum is wrong. */
static bool next_line(Replay *r, const char **at, const char *end) {
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    if (!stop || stop - *at < 10 || (*at)[8] != ' ' || memchr(*at, 0, (size_t)(stop - *at))) return false;
    char crc[9] = {0};
    memcpy(crc, *at, 8);
    const char *body = *at + 9;
    size_t n = (size_t)(stop - body);
    if (strtoul(crc, NULL, 16) != bal_crc32(0, body, n)) return false;
    bal_text_clear(&r->line);
    bal_text_add_n(&r->line, body, n);
    *at = stop + 1;
    return !r->line.failed;
}

static bool parse_head(const char *line, BalIdentity *id) {
    int used = 0;
    return sscanf(line, "avbalance-journal 1 %64[0-9a-f] %64[0-9a-f] %64[0-9a-f] %64[0-9a-f]%n", id->recipe,
                  id->manifest, id->settings, id->code, &used) == 4 &&
           used && !line[used];
}

/* The members of a stored line. BAL_END: not as they should be. */
static BalStatus parse_members(Replay *r, const char *s, BalJournalEntry *e, BalError *err) {
    while (*s) {
        BalIndexMember m;
        int used = 0;
        if (sscanf(s, " %" SCNu32 ":%" SCNu64 ":%" SCNu64 ":%" SCNx32 "%n", &m.kind, &m.offset, &m.bytes, &m.crc,
                   &used) != 4)
            return BAL_END;
        BAL_TRY(bal_grow(&r->member, &r->member_cap, e->n_members + 1, sizeof m, err));
        r->member[e->n_members++] = m;
        s += used;
    }
    e->member = r->member;
    return e->n_members ? BAL_OK : BAL_END;
}

static BalStatus parse_entry(Replay *r, int64_t row, BalJournalEntry *e, BalError *err) {
    const char *line = r->line.data;
    int used = 0, code = 0;
    *e = (BalJournalEntry){.reason = ""};
    if (sscanf(line, "stored %" SCNd64 " %" SCNu32 " %" SCNx32 "%n", &e->row, &e->shard, &e->tar_crc, &used) == 3) {
        e->stored = true;
        BalStatus rc = parse_members(r, line + used, e, err);
        if (rc != BAL_OK) return rc;
    } else if (sscanf(line, "rejected %" SCNd64 " %d %n", &e->row, &code, &used) == 2 && code < 0) {
        e->code = (BalStatus)code;
        e->reason = line + used;
    } else {
        return BAL_END;
    }
    return e->row == row ? BAL_OK : BAL_END;
}

BalStatus bal_journal_replay(const void *data, size_t n, int64_t max_rows, BalJournalFn *fn, void *user,
                             BalIdentity *id, size_t *good_bytes, BalError *err) {
    Replay r = {0};
    BalStatus rc = BAL_OK;
    const char *at = data, *end = at + n;
    *good_bytes = 0;
    if (!n || !next_line(&r, &at, end) || !parse_head(r.line.data, id)) goto done;
    *good_bytes = (size_t)(at - (const char *)data);
    for (int64_t row = 0; row < max_rows && next_line(&r, &at, end); row++) {
        BalJournalEntry e;
        rc = parse_entry(&r, row, &e, err);
        if (rc == BAL_OK) rc = fn(user, &e, err);
        if (rc != BAL_OK) break;
        *good_bytes = (size_t)(at - (const char *)data);
    }
done:
    bal_text_reset(&r.line);
    bal_free(r.member);
    return rc < 0 ? rc : BAL_OK;
}
