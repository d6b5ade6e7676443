/* croissant.json: the dataset card, JSON-LD after Croissant 1.0 (MLCommons, mlcommons.org/croissant), which dataset searches read. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "curate/build_export.h"

static void add_context(BalJsonOut *o) {
    static const char *const own[] = {
        "citeAs",     "column",        "extract",  "field",   "fileObject", "fileProperty", "fileSet",  "format",
        "includes",   "isLiveDataset", "jsonPath", "key",     "md5",        "parentField",  "path",     "recordSet",
        "references", "regex",         "repeated", "replace", "separator",  "source",       "subField", "transform"};
    static const char *const typed[][2] = {{"data", "@json"}, {"dataType", "@vocab"}, {"examples", "@json"}};
    BalText id = {0};
    bal_json_open(o, "@context", '{');
    bal_json_add_text(o, "@language", "en");
    bal_json_add_text(o, "@vocab", "https://schema.org/");
    bal_json_add_text(o, "sc", "https://schema.org/");
    bal_json_add_text(o, "cr", "http://mlcommons.org/croissant/");
    bal_json_add_text(o, "rai", "http://mlcommons.org/croissant/RAI/");
    bal_json_add_text(o, "dct", "http://purl.org/dc/terms/");
    bal_json_add_text(o, "conformsTo", "dct:conformsTo");
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) {
        bal_text_clear(&id);
        bal_text_f(&id, "cr:%s", own[k]);
        bal_json_add_text(o, own[k], bal_text_str(&id));
        o->text->failed |= id.failed;
    }
    for (size_t k = 0; k < sizeof typed / sizeof *typed; k++) {
        bal_text_clear(&id);
        bal_text_f(&id, "cr:%s", typed[k][0]);
        bal_json_open(o, typed[k][0], '{');
        bal_json_add_text(o, "@id", bal_text_str(&id));
        bal_json_add_text(o, "@type", typed[k][1]);
        bal_json_close(o, '}');
        o->text->failed |= id.failed;
    }
    bal_json_close(o, '}');
    bal_text_reset(&id);
}

static BalStatus add_file(const BalBuilding *b, BalJsonOut *o, const char *name, const char *format, const char *what,
                          BalError *err) {
    BalText path = {0};
    char hex[65];
    BalStatus rc = bal_build_path(b, name, &path, err);
    if (rc >= 0 && bal_file_exists(path.data)) {
        rc = bal_sha256_file(path.data, hex, err);
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "@type", "cr:FileObject");
        bal_json_add_text(o, "@id", name);
        bal_json_add_text(o, "name", name);
        bal_json_add_text(o, "description", what);
        bal_json_add_text(o, "contentUrl", name);
        bal_json_add_text(o, "encodingFormat", format);
        if (rc >= 0) bal_json_add_text(o, "sha256", hex);
        bal_json_close(o, '}');
    }
    bal_text_reset(&path);
    return rc;
}

static BalStatus add_files(const BalBuilding *b, BalJsonOut *o, BalError *err) {
    bal_json_open(o, "distribution", '[');
    BAL_TRY(add_file(b, o, "manifest.tsv", "text/tab-separated-values", "A line per clip.", err));
    BAL_TRY(add_file(b, o, "rejects.tsv", "text/tab-separated-values",
                     "A line per clip that is not in the dataset, with stage and rule.", err));
    BAL_TRY(add_file(b, o, "dataset.lock.json", "application/json", "Content hashes of the media files.", err));
    bal_json_close(o, ']');
    return BAL_OK;
}

static void add_field(BalJsonOut *o, const BalBuildColumn *c, BalText *id) {
    bal_text_clear(id);
    bal_text_f(id, "clips/%s", c->name);
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "@type", "cr:Field");
    bal_json_add_text(o, "@id", bal_text_str(id));
    bal_json_add_text(o, "name", c->name);
    bal_json_add_text(o, "description", c->what);
    bal_json_add_text(o, "dataType", c->type);
    bal_json_open(o, "source", '{');
    bal_json_open(o, "fileObject", '{');
    bal_json_add_text(o, "@id", "manifest.tsv");
    bal_json_close(o, '}');
    bal_json_open(o, "extract", '{');
    bal_json_add_text(o, "column", c->name);
    bal_json_close(o, '}');
    bal_json_close(o, '}');
    bal_json_close(o, '}');
    o->text->failed |= id->failed;
}

static void add_records(BalJsonOut *o) {
    BalText id = {0};
    bal_json_open(o, "recordSet", '[');
    bal_json_open(o, NULL, '{');
    bal_json_add_text(o, "@type", "cr:RecordSet");
    bal_json_add_text(o, "@id", "clips");
    bal_json_add_text(o, "name", "clips");
    bal_json_open(o, "key", '{');
    bal_json_add_text(o, "@id", "clips/id");
    bal_json_close(o, '}');
    bal_json_open(o, "field", '[');
    for (int k = 0; bal_build_columns[k].name; k++) add_field(o, &bal_build_columns[k], &id);
    bal_json_close(o, ']');
    bal_json_close(o, '}');
    bal_json_close(o, ']');
    bal_text_reset(&id);
}

BalStatus bal_build_card(const BalBuildExport *e, BalText *out, BalError *err) {
    const BalBuildRecipe *r = e->b->recipe;
    BalJsonOut o = bal_json_out(out, true);
    bal_json_open(&o, NULL, '{');
    add_context(&o);
    bal_json_add_text(&o, "@type", "sc:Dataset");
    bal_json_add_text(&o, "conformsTo", "http://mlcommons.org/croissant/1.0");
    bal_json_add_text(&o, "name", *r->name ? r->name : "dataset");
    bal_json_add_text(&o, "description",
                      *r->description
                          ? r->description
                          : "Audio-visual clips whose modality discrepancy (how much better their label can be "
                            "heard than seen) is spread evenly.");
    if (*r->licence) bal_json_add_text(&o, "license", r->licence);
    if (*r->url) bal_json_add_text(&o, "url", r->url);
    if (*r->version) bal_json_add_text(&o, "version", r->version);
    if (*r->date) bal_json_add_text(&o, "datePublished", r->date);
    if (*r->cite) bal_json_add_text(&o, "citeAs", r->cite);
    if (*r->creator) {
        bal_json_open(&o, "creator", '{');
        bal_json_add_text(&o, "@type", "sc:Organization");
        bal_json_add_text(&o, "name", r->creator);
        bal_json_close(&o, '}');
    }
    bal_json_add_text(
        &o, "rai:dataCollection",
        "Clips cut from videos, typed by pretrained networks for sound and for picture, scored by unimodal "
        "training, cleaned and selected by avbalance; report.json has every setting and count.");
    bal_json_add_text(
        &o, "rai:personalSensitiveInformation",
        "Media may show people. The files listed here hold ids, times, labels and scores only; ids of videos to be "
        "taken down are honoured by building again.");
    BAL_TRY(add_files(e->b, &o, err));
    add_records(&o);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
    return bal_text_ok(out, err);
}
