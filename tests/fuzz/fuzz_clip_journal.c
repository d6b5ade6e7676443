/* The journal of `clip`: whatever its bytes, reading returns, uses whole lines only, and what it remembers can be relied on. */
#include <string.h>
#include "curate/clip_journal.h"
#include "fuzz/target.h"

static void check_record(const BalClipRecord *r) {
    FUZZ_CHECK(!r->video != !r->clip);
    FUZZ_CHECK(!r->no.rule || (r->no.stage && r->no.reason));
    FUZZ_CHECK(r->n_spans >= 0 && (r->planned || r->n_spans == 0));
    for (int i = 0; i < r->n_spans; i++)
        FUZZ_CHECK(r->span[i].start_ms >= 0 && r->span[i].end_ms > r->span[i].start_ms);
    if (r->clip && !r->no.rule) FUZZ_CHECK(r->file && !strchr(r->file, '/') && r->sha256 && r->bytes >= 0);
    if (r->clip) FUZZ_CHECK(r->at.end_ms > r->at.start_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BalClipJournal j = {.file = BAL_APPEND_CLOSED};
    BalError err = {0};
    char settings[65];
    size_t good = 0;
    BalStatus rc =
        bal_jsonl_read((const char *)data, size, BAL_CLIP_JOURNAL, settings, bal_clip_journal_line, &j, &good, &err);
    FUZZ_CHECK(rc == BAL_OK || err.text[0]);
    if (rc == BAL_OK) {
        FUZZ_CHECK(good <= size && (good == 0 || data[good - 1] == '\n'));
        FUZZ_CHECK(strlen(settings) == 64 || good == 0);
        for (int64_t i = 0; i < j.names.n; i++) {
            const char *name = j.names.name[i];
            check_record(&j.record[i]);
            if (strlen(name) < 4000)
                FUZZ_CHECK((name[0] == 'v' ? bal_clip_journal_video(&j, name + 1)
                                           : bal_clip_journal_clip(&j, name + 1)) == &j.record[i]);
        }
    }
    bal_clip_journal_close(&j);
    return 0;
}
