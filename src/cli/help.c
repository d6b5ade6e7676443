/* What the program says about itself: the list of commands, the help of one command, the version. */
#include <string.h>

#include <avbalance/version.h>
#include "cli/command.h"
#ifdef AVB_ROOM_backends
#include <avbalance/backends.h>
#endif
#ifdef AVB_ROOM_curate
#include <avbalance/duplicates.h>
#endif
#ifdef AVB_ROOM_media
#include <avbalance/media.h>
#endif
#ifdef AVB_ROOM_report
#include <avbalance/report.h>
#endif

void bal_help_program(BalText *out) {
    bal_text_f(out,
               "avbalance %s measures, explains and repairs modality imbalance in audio-visual datasets.\n\n"
               "usage: avbalance COMMAND [ARGUMENTS] [OPTIONS]\n\ncommands:\n",
               bal_version());
    for (int i = 0; i < bal_n_commands; i++)
        bal_text_f(out, "  %-10s %s\n", bal_commands[i]->name, bal_commands[i]->summary);
    bal_text_add(
        out,
        "\n`avbalance help COMMAND` or `avbalance COMMAND --help` says more; `avbalance --version` lists what is built "
        "in.\n"
        "exit codes: 0 done, 1 failed, 2 wrong usage, 3 input rejected, 4 not in this build, 5 mismatch (a lock, a\n"
        "certificate, a folder begun with other settings), 130 interrupted (the same command continues).\n");
}

static void help_value(BalText *out, const BalFlag *f) {
    if (f->kind == BAL_FLAG_SWITCH) return;
    bal_text_char(out, ' ');
    if (f->choices)
        for (int i = 0; f->choices[i]; i++) bal_text_f(out, "%s%s", i ? "|" : "", f->choices[i]);
    else
        bal_text_add(out, f->value                   ? f->value
                          : f->kind == BAL_FLAG_INT  ? "N"
                          : f->kind == BAL_FLAG_REAL ? "X"
                                                     : "TEXT");
}

static void help_flags(BalText *out, const BalFlag *flags) {
    for (const BalFlag *f = flags; f && f->kind != BAL_FLAG_END; f++) {
        size_t start = out->len;
        if (f->letter)
            bal_text_f(out, "  -%c, --%s", f->letter, f->name);
        else
            bal_text_f(out, "      --%s", f->name);
        help_value(out, f);
        size_t width = out->len - start;
        if (width > 30) {
            bal_text_char(out, '\n');
            width = 0;
        }
        bal_text_f(out, "%*s  %s", (int)(30 - width), "", f->help);
        if (f->min != 0 || f->max != 0) {
            bal_text_add(out, "; from ");
            bal_text_real(out, f->min);
            if (f->max < 1e15) bal_text_add(out, " to ");
            if (f->max < 1e15) bal_text_real(out, f->max);
        }
        if (f->kind == BAL_FLAG_LIST) bal_text_add(out, "; may be repeated");
        if (f->def) bal_text_f(out, " (default %s)", f->def);
        bal_text_char(out, '\n');
    }
}

void bal_help_command(BalText *out, const BalCommand *c) {
    bal_text_f(out, "usage: avbalance %s%s%s\n\n%s.\n", c->name, *c->usage ? " " : "", c->usage, c->summary);
    if (c->details) bal_text_f(out, "\n%s\n", c->details);
    if (c->flags) {
        bal_text_add(out, "\noptions:\n");
        help_flags(out, c->flags);
    }
    bal_text_add(out, "\ncommon options:\n");
    help_flags(out, bal_common_flags);
    if (c->more_help) {
        bal_text_char(out, '\n');
        c->more_help(out);
    }
}

void bal_help_version(BalText *out) {
    bal_text_f(out, "avbalance %s\ncompiler  %s\n", bal_version(), __VERSION__);
#ifdef AVB_ROOM_backends
    for (int i = 0; i < bal_backend_count(); i++) {
        const char *summary, *version;
        const char *name = bal_backend_name(i, &summary, &version);
        bal_text_f(out, "backend   %s: %s (%s)\n", name, version, summary);
    }
#endif
#ifdef AVB_ROOM_media
    bal_text_f(out, "FFmpeg    %s\n", bal_media_version());
#endif
#ifdef AVB_ROOM_curate
    const char *sound = bal_duplicates_version();
    bal_text_f(out, "duplicates %s\n", *sound ? sound : "not in this build: libchromaprint was not there");
#endif
#ifdef AVB_ROOM_report
    bal_text_f(out, "cairo     %s\n", bal_report_version());
#endif
}
