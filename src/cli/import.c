/* avbalance import: a checkpoint of another program, checked, as safetensors. */
#include <avbalance/import.h>
#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "cli/command.h"

typedef struct ImportArgs {
    const char *out, *as;
    bool list;
} ImportArgs;

static const BalFlag flags[] = {
    {"out", 'o', BAL_FLAG_STRING, "FILE", "where to write, F.safetensors", .offset = offsetof(ImportArgs, out)},
    {"list", 0, BAL_FLAG_SWITCH, NULL, "print names, types and shapes and write nothing",
     .offset = offsetof(ImportArgs, list)},
    {"as", 0, BAL_FLAG_STRING, "NETWORK",
     "the network it has to be, or \"none\" to keep names as they are; without it, the one that fits",
     .offset = offsetof(ImportArgs, as)},
    {0}};

enum { SHOWN_PROBLEMS = 40 };

static void add_shape(BalText *out, const BalImportTensor *t) {
    bal_text_char(out, '[');
    for (int i = 0; i < t->rank; i++) bal_text_f(out, i ? ",%lld" : "%lld", (long long)t->dim[i]);
    bal_text_char(out, ']');
}

static int64_t total_bytes(const BalImport *w) {
    int64_t n = 0;
    for (int i = 0; i < bal_import_count(w); i++) n += bal_import_tensor(w, i).bytes;
    return n;
}

static void list_text(BalText *out, const BalImport *w) {
    int width = 4;
    for (int i = 0; i < bal_import_count(w); i++) {
        const int n = (int)strlen(bal_import_tensor(w, i).name);
        if (n > width) width = n < 72 ? n : 72;
    }
    bal_text_f(out, "%-*s  %-5s shape\n", width, "name", "type");
    for (int i = 0; i < bal_import_count(w); i++) {
        const BalImportTensor t = bal_import_tensor(w, i);
        bal_text_f(out, "%-*s  %-5s ", width, t.name, t.type);
        add_shape(out, &t);
        if (strcmp(t.name, t.source) != 0) bal_text_f(out, "  from %s", t.source);
        bal_text_char(out, '\n');
    }
}

static void summary_text(BalText *out, const BalImport *w, const char *path) {
    bal_text_f(out, "%s: %d tensors, %.1f MB", bal_import_container(w), bal_import_count(w),
               (double)total_bytes(w) / 1e6);
    if (bal_import_ignored(w)) bal_text_f(out, ", %d other entries left out", bal_import_ignored(w));
    if (bal_import_network(w)) bal_text_f(out, "; %s in %s names", bal_import_network(w), bal_import_scheme(w));
    if (path) bal_text_f(out, "; written to %s", path);
    bal_text_char(out, '\n');
}

static void list_json(BalJsonOut *o, const BalImport *w) {
    bal_json_open(o, "tensors", '[');
    for (int i = 0; i < bal_import_count(w); i++) {
        const BalImportTensor t = bal_import_tensor(w, i);
        bal_json_open(o, NULL, '{');
        bal_json_add_text(o, "name", t.name);
        bal_json_add_text(o, "source", t.source);
        bal_json_add_text(o, "type", t.type);
        bal_json_open(o, "shape", '[');
        for (int k = 0; k < t.rank; k++) bal_json_add_int(o, NULL, t.dim[k]);
        bal_json_close(o, ']');
        bal_json_add_int(o, "bytes", t.bytes);
        bal_json_close(o, '}');
    }
    bal_json_close(o, ']');
}

static void as_json(BalText *out, const BalImport *w, const char *file, const ImportArgs *a) {
    BalJsonOut o = bal_json_document(out, true, "avbalance/import/1");
    bal_json_add_text(&o, "file", file);
    bal_json_add_text(&o, "container", bal_import_container(w));
    bal_json_add_text(&o, "network", bal_import_network(w));
    bal_json_add_text(&o, "names", bal_import_scheme(w));
    bal_json_add_int(&o, "n", bal_import_count(w));
    bal_json_add_int(&o, "bytes", total_bytes(w));
    bal_json_add_int(&o, "ignored", bal_import_ignored(w));
    bal_json_add_text(&o, "output", a->list ? NULL : a->out);
    if (a->list) list_json(&o, w);
    bal_json_close(&o, '}');
    bal_text_char(out, '\n');
}

static void warn_problems(const BalCli *cli, const BalImport *w) {
    const int n = bal_import_problems(w), shown = n > SHOWN_PROBLEMS && !cli->verbose ? SHOWN_PROBLEMS : n;
    for (int i = 0; i < shown; i++) bal_cli_warn(cli, "%s", bal_import_problem(w, i));
    if (shown < n) bal_cli_warn(cli, "... and %d more (-v shows them all)", n - shown);
}

/* A list shows the file's own names, unless it was asked what they are in a network. */
static BalStatus list(BalCli *cli, BalImport *w, BalError *err) {
    const ImportArgs *a = cli->self;
    if (a->as) BAL_TRY(bal_import_match(w, a->as, err));
    if (cli->json) {
        as_json(&cli->out, w, cli->args[0], a);
        return BAL_OK;
    }
    list_text(&cli->out, w);
    if (!a->as && bal_import_match(w, NULL, NULL) < 0) bal_cli_note(cli, "its names are those of no known network");
    summary_text(&cli->out, w, NULL);
    return BAL_OK;
}

static BalStatus convert(BalCli *cli, BalImport *w, BalError *err) {
    const ImportArgs *a = cli->self;
    BAL_TRY(bal_import_match(w, a->as, err));
    BAL_TRY(bal_import_save(w, a->out, err));
    if (cli->json)
        as_json(&cli->out, w, cli->args[0], a);
    else
        summary_text(&cli->out, w, a->out);
    return BAL_OK;
}

static BalStatus run(BalCli *cli, BalError *err) {
    const ImportArgs *a = cli->self;
    BalImport *w = NULL;
    if (a->list == (a->out != NULL))
        return BAL_FAIL(err, BAL_E_ARG, "give -o FILE to write the weights, or --list to look at them");
    if (a->out) BAL_TRY(bal_cli_may_write(cli, a->out, err));
    BAL_TRY(bal_import_open(&w, cli->args[0], err));
    BalStatus rc = a->list ? list(cli, w, err) : convert(cli, w, err);
    if (rc < 0) warn_problems(cli, w);
    bal_import_close(&w);
    return rc;
}

static void more_help(BalText *out) {
    bal_text_add(out, "\nNETWORK is one of:\n");
    for (int i = 0; i < bal_import_network_count(); i++) {
        const char *summary = NULL, *name = bal_import_network_at(i, &summary);
        bal_text_f(out, "  %-18s %s\n", name, summary);
    }
    bal_text_f(out, "  %-18s %s\n", "none", "anything: names, shapes and types as they are");
}

const BalCommand bal_cmd_import = {
    "import",
    "WEIGHTS -o F.safetensors",
    "Read weights of other programs, check them, write safetensors",
    "Reads safetensors, PyTorch's files (.pt, .pth, .pyth, .pth.tar; zip or older), Caffe2's .pkl and other pickles "
    "of\n"
    "NumPy arrays, and .npz. Nothing in a file is ever run: a pickle is read by a program that knows tensors only, "
    "and\n"
    "is refused by the name of whatever else it asks for.\n\n"
    "The tensors get the names that the networks here use. SlowFast is known in the names of PySlowFast, pytorchvideo\n"
    "and Caffe2, VGGish in those of PyTorch and TensorFlow (which has other orders of axes). Every tensor of the "
    "network\n"
    "must be there exactly once, in its exact shape and finite; otherwise all that is wrong is listed and nothing is\n"
    "written.",
    1,
    1,
    flags,
    sizeof(ImportArgs),
    run,
    more_help,
    false};
