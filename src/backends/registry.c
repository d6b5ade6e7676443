/* The backends of this build, best first. A new backend is one line here. */
#include <avbalance/backends.h>
#include <string.h>
#include "engine/backend.h"
#include "base/text.h"

extern const BalBackendOps bal_backend_reference;
#ifdef AVB_HAVE_ONEDNN
extern const BalBackendOps bal_backend_onednn;
#endif

static const BalBackendOps *const backends[] = {
#ifdef AVB_HAVE_ONEDNN
    &bal_backend_onednn,
#endif
    &bal_backend_reference,
};

int bal_backend_count(void) {
    return (int)(sizeof backends / sizeof *backends);
}

const char *bal_backend_name(int i, const char **summary, const char **version) {
    if (i < 0 || i >= bal_backend_count()) return NULL;
    if (summary) *summary = backends[i]->summary;
    if (version) *version = backends[i]->version();
    return backends[i]->name;
}

BalStatus bal_backend_find(const BalBackendOps **out, const char *name, BalError *err) {
    BalText known = {0};
    for (int i = 0; i < bal_backend_count(); i++) {
        *out = backends[i];
        if (!name || !strcmp(name, backends[i]->name)) return BAL_OK;
    }
    *out = NULL;
    for (int i = 0; i < bal_backend_count(); i++) bal_text_f(&known, "%s%s", i ? ", " : "", backends[i]->name);
    BalStatus rc = BAL_FAIL(err, BAL_E_UNSUPPORTED, "backend \"%s\" is not in this build, which has %s", name,
                            bal_text_str(&known));
    bal_text_reset(&known);
    return rc;
}
