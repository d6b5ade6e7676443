/* Parsing of a command line from flag tables, and the services commands get (see command.h). */
#include "cli/command.h"

#include <assert.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define BAL_COMMAND(name) extern const BalCommand bal_cmd_##name;
#include "cli/commands.inc"
#undef BAL_COMMAND
#define BAL_COMMAND(name) &bal_cmd_##name,
const BalCommand *const bal_commands[] = {
#include "cli/commands.inc"
    NULL};
#undef BAL_COMMAND
const int bal_n_commands = (int)(sizeof bal_commands / sizeof *bal_commands) - 1;

static const char *const progress_styles[] = {"auto", "bar", "plain", "json", "none", NULL};
const BalFlag bal_common_flags[] = {
    {"json", 0, BAL_FLAG_SWITCH, NULL, "print the result as one JSON document", .offset = offsetof(BalCommon, json)},
    {"force", 'f', BAL_FLAG_SWITCH, NULL, "overwrite outputs that exist", .offset = offsetof(BalCommon, force)},
    {"seed", 0, BAL_FLAG_INT, "N", "seed of every random choice", .offset = offsetof(BalCommon, seed), .def = "0",
     .min = 0, .max = 9007199254740992.0},
    {"threads", 0, BAL_FLAG_INT, "N", "0: the processors at hand", .offset = offsetof(BalCommon, threads), .def = "0",
     .min = 0, .max = 1024},
    {"progress", 0, BAL_FLAG_ENUM, NULL, "how progress is shown on stderr", .offset = offsetof(BalCommon, progress),
     .def = "auto", .choices = progress_styles},
    {"quiet", 'q', BAL_FLAG_SWITCH, NULL, "only warnings and errors on stderr", .offset = offsetof(BalCommon, quiet)},
    {"verbose", 'v', BAL_FLAG_SWITCH, NULL, "say more on stderr", .offset = offsetof(BalCommon, verbose)},
    {"help", 'h', BAL_FLAG_SWITCH, NULL, "this text", .offset = offsetof(BalCommon, help)},
    {0}};

/* A flag and the block its value goes into. */
typedef struct Target {
    const BalFlag *flag;
    char *self;
} Target;

static Target find(const BalCli *cli, void *common, const char *name, size_t n, char letter) {
    const BalFlag *tables[2] = {cli->command->flags, bal_common_flags};
    char *selves[2] = {cli->self, common};
    for (int t = 0; t < 2; t++)
        for (const BalFlag *f = tables[t]; f && f->kind != BAL_FLAG_END; f++)
            if (letter ? f->letter == letter : strlen(f->name) == n && !memcmp(f->name, name, n))
                return (Target){f, selves[t]};
    return (Target){NULL, NULL};
}

static BalStatus unknown(const BalCli *cli, const char *arg, const char *name, BalError *err) {
    const char *names[128];
    int n = 0;
    const BalFlag *tables[2] = {cli->command->flags, bal_common_flags};
    for (int t = 0; t < 2; t++)
        for (const BalFlag *f = tables[t]; f && f->kind != BAL_FLAG_END && n < 128; f++) names[n++] = f->name;
    const char *near = name ? bal_closest(name, names, n) : NULL;
    if (near) return BAL_FAIL(err, BAL_E_ARG, "%s has no option %s; did you mean --%s?", cli->command->name, arg, near);
    return BAL_FAIL(err, BAL_E_ARG,
                    "%s has no option %s; see `avbalance %s --help` (put file names that begin with - after --)",
                    cli->command->name, arg, cli->command->name);
}

/* Numbers and choices go through base/option.h, so that ranges are checked and worded in one place. */
static BalStatus set_number(Target t, const char *value, BalError *err) {
    const BalFlag *f = t.flag;
    bool limited = f->min != 0 || f->max != 0;
    char name[64];
    snprintf(name, sizeof name, "--%s", f->name);
    BalOption table[2] = {{.name = name,
                           .def = f->def,
                           .help = f->help,
                           .type = f->kind == BAL_FLAG_INT    ? BAL_OPT_INT
                                   : f->kind == BAL_FLAG_REAL ? BAL_OPT_REAL
                                                              : BAL_OPT_ENUM,
                           .offset = f->offset,
                           .min = limited ? f->min : -9007199254740992.0,
                           .max = limited ? f->max : 9007199254740992.0,
                           .choices = f->choices},
                          {0}};
    BalOptionSet set = {table, t.self};
    return bal_options_set(&set, 1, name, value, err);
}

static BalStatus set_value(Target t, const char *value, BalError *err) {
    char *at = t.self + t.flag->offset;
    switch (t.flag->kind) {
    case BAL_FLAG_SWITCH:
        *(bool *)at = true;
        return BAL_OK;
    case BAL_FLAG_STRING:
        *(const char **)at = value;
        return BAL_OK;
    case BAL_FLAG_LIST: {
        BalList *list = (BalList *)at;
        if (list->n == (int)(sizeof list->v / sizeof *list->v))
            return BAL_FAIL(err, BAL_E_ARG, "--%s is given more than %d times", t.flag->name, list->n);
        list->v[list->n++] = value;
        return BAL_OK;
    }
    default:
        return set_number(t, value, err);
    }
}

static BalStatus set_defaults(const BalFlag *flags, void *self, BalError *err) {
    for (const BalFlag *f = flags; f && f->kind != BAL_FLAG_END; f++)
        if (f->def) BAL_TRY(set_value((Target){f, self}, f->def, err));
    return BAL_OK;
}

static bool is_given(Target t) {
    const char *at = t.self + t.flag->offset;
    return t.flag->kind == BAL_FLAG_STRING ? *(const char *const *)at != NULL : ((const BalList *)at)->n > 0;
}

typedef struct Given { /* options of one value that stood on the command line */
    const BalFlag *flag[128];
    int n;
} Given;

/* Of two values one would do nothing. */
static BalStatus give(Given *g, const BalFlag *f, const char *value, BalError *err) {
    if (f->kind == BAL_FLAG_LIST) return BAL_OK;
    for (int i = 0; i < g->n; i++)
        if (g->flag[i] == f)
            return BAL_FAIL(err, BAL_E_ARG, "--%s is given twice, the second time as %s", f->name, value);
    assert(g->n < (int)(sizeof g->flag / sizeof *g->flag)); /* no command has so many */
    g->flag[g->n++] = f;
    return BAL_OK;
}

/* One argument that begins with '-'; *used is how many words it took. */
static BalStatus parse_flag(BalCli *cli, void *common, Given *given, int left, char **argv, int *used, BalError *err) {
    const char *arg = argv[0], *value = NULL;
    bool is_long = arg[1] == '-';
    size_t n = is_long ? strcspn(arg + 2, "=") : 1;
    Target t = is_long ? find(cli, common, arg + 2, n, 0) : find(cli, common, NULL, 0, arg[1]);
    if (!t.flag) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)n, arg + 2);
        return unknown(cli, arg, is_long ? name : NULL, err);
    }
    if (is_long && arg[2 + n] == '=') value = arg + 3 + n;
    if (!is_long && arg[2]) value = arg + 2;
    *used = 1;
    if (t.flag->kind == BAL_FLAG_SWITCH) {
        if (is_long && value) return BAL_FAIL(err, BAL_E_ARG, "--%s takes no value", t.flag->name);
        BAL_TRY(set_value(t, NULL, err));
        if (!value) return BAL_OK;
        char rest[3] = {'-', value[0], 0}; /* -qf: the next letter of the bundle */
        char *word = rest;
        if (value[1])
            return BAL_FAIL(err, BAL_E_ARG,
                            "%s: give short options one by one, and file names that begin with - after --", arg);
        int one;
        return parse_flag(cli, common, given, 1, &word, &one, err);
    }
    if (!value) {
        bool looks_like_flag = left > 1 && argv[1][0] == '-' && argv[1][1] == '-';
        if (left < 2 || looks_like_flag)
            return BAL_FAIL(err, BAL_E_ARG, "--%s needs a value%s%s", t.flag->name,
                            looks_like_flag ? "; if it begins with --, write --name=value, not " : "",
                            looks_like_flag ? argv[1] : "");
        value = argv[1];
        *used = 2;
    }
    if (!*value && (t.flag->required || t.flag->kind == BAL_FLAG_STRING) && !t.flag->may_be_empty)
        return BAL_FAIL(err, BAL_E_ARG, "--%s is given, but empty: is a variable of the shell unset?", t.flag->name);
    if (t.self == (char *)common) {
        cli->seed_given |= t.flag->offset == offsetof(BalCommon, seed);
        cli->threads_given |= t.flag->offset == offsetof(BalCommon, threads);
    }
    BAL_TRY(give(given, t.flag, value, err));
    return set_value(t, value, err);
}

BalStatus bal_command_parse(BalCli *cli, void *common, int argc, char **argv, BalError *err) {
    const BalCommand *c = cli->command;
    BAL_TRY(set_defaults(bal_common_flags, common, err));
    BAL_TRY(set_defaults(c->flags, cli->self, err));
    int n_args = 0;
    bool flags_end = false;
    Given given = {0};
    for (int i = 0, used; i < argc; i += used) {
        used = 1;
        if (!flags_end && !strcmp(argv[i], "--"))
            flags_end = true;
        else if (!flags_end && argv[i][0] == '-' && argv[i][1])
            BAL_TRY(parse_flag(cli, common, &given, argc - i, argv + i, &used, err));
        else
            argv[n_args++] = argv[i];
    }
    cli->args = (const char *const *)argv;
    cli->n_args = n_args;
    if (((BalCommon *)common)->help) return BAL_OK;

    for (int i = 0; i < n_args; i++)
        if (!*argv[i])
            return BAL_FAIL(err, BAL_E_ARG, "argument %d is empty: is a variable of the shell unset? avbalance %s %s",
                            i + 1, c->name, c->usage);
    if (n_args < c->min_args)
        return BAL_FAIL(err, BAL_E_ARG, "something is missing: avbalance %s %s", c->name, c->usage);
    if (c->max_args >= 0 && n_args > c->max_args)
        return BAL_FAIL(err, BAL_E_ARG, "do not know what to do with \"%s\": avbalance %s %s", argv[c->max_args],
                        c->name, c->usage);
    for (const BalFlag *f = c->flags; f && f->kind != BAL_FLAG_END; f++)
        if (f->required && !is_given((Target){f, cli->self}))
            return BAL_FAIL(err, BAL_E_ARG, "--%s is missing: avbalance %s %s", f->name, c->name, c->usage);
    return BAL_OK;
}

/* A word of the command line names the file at path: an argument or a value of an option, but for path itself. */
static bool is_named(const BalCli *cli, const char *path) {
    bool found = false;
    for (int i = 0; i < cli->n_args && !found; i++) found = bal_same_file(cli->args[i], path);
    for (const BalFlag *f = cli->command->flags; f && f->kind != BAL_FLAG_END && !found; f++) {
        const char *at = (const char *)cli->self + f->offset;
        const BalList one = {{f->kind == BAL_FLAG_STRING ? *(const char *const *)at : NULL}, 1},
                      *list = f->kind == BAL_FLAG_LIST ? (const BalList *)at : &one;
        for (int i = 0; i < list->n && !found; i++)
            found = list->v[i] && list->v[i] != path && bal_same_file(list->v[i], path);
    }
    return found;
}

BalStatus bal_cli_may_write(const BalCli *cli, const char *path, BalError *err) {
    if (is_named(cli, path))
        return BAL_FAIL(err, BAL_E_ARG, "%s is read here and would be written; give another name", path);
    if (cli->force || !bal_file_exists(path)) return BAL_OK;
    return BAL_FAIL(err, BAL_E_EXISTS, "%s is already there; give -f to overwrite it", path);
}

BalStatus bal_cli_may_write_in(const BalCli *cli, const char *dir, const char *const *name, BalError *err) {
    BalText path = {0};
    BalStatus rc = BAL_OK;
    int n = 0;
    while (name[n]) n++;
    for (int i = n - 1; i >= 0 && rc >= 0; i--) {
        bal_text_clear(&path);
        bal_path_join(&path, dir, name[i]);
        rc = bal_text_ok(&path, err);
        if (rc >= 0) rc = bal_cli_may_write(cli, path.data, err);
    }
    bal_text_reset(&path);
    return rc;
}

static bool is_there(const char *path, const char *says) {
    BalMap m = {0};
    if (bal_map_open(&m, path, NULL) < 0) return false;
    const bool there = m.size && memmem(m.data, m.size < 4096 ? m.size : 4096, says, strlen(says));
    bal_map_close(&m);
    return there;
}

/* Whoever works in the folder holds it, or the file that says how far it came. The folder stays: it may be a link to a larger disk. */
static BalStatus empty_idle(const char *dir, const char *mark, BalError *err) {
    int fd[2] = {-1, -1};
    BalStatus rc = bal_lock_dir(dir, &fd[0], err);
    if (rc >= 0) rc = bal_lock_file(mark, &fd[1], err);
    if (rc >= 0) rc = bal_empty_dir(dir, strrchr(mark, '/') + 1, err); /* killed, it is still known to be ours */
    bal_unlock_dir(&fd[1]);
    bal_unlock_dir(&fd[0]);
    return rc;
}

static bool is_one_of(const char *name, const char *patterns) {
    char one[64];
    for (size_t n; *patterns; patterns += n + (patterns[n] == ' ')) {
        n = strcspn(patterns, " ");
        snprintf(one, sizeof one, "%.*s", (int)n, patterns);
        if (!fnmatch(one, name, 0)) return true;
    }
    return false;
}

/* What a command reads, and what it has not made, outlives what it makes anew. */
static BalStatus nothing_else_in(const BalCliRoom *room, BalError *err) {
    char **names = NULL, *dir = realpath(room->dir, NULL);
    int n = 0;
    BalStatus rc = bal_list_dir(room->dir, &names, &n, err);
    for (int i = 0; i < n && rc >= 0; i++)
        if (!is_one_of(names[i], room->form->holds) && !is_one_of(names[i], "*" BAL_TMP_MARK "*"))
            rc = BAL_FAIL(err, BAL_E_EXISTS,
                          "%s holds %s, which -f would take away with the older output: move it or give another folder",
                          room->dir, names[i]);
    for (int i = 0; i < room->cli->n_args && dir && rc >= 0; i++) {
        char *arg = realpath(room->cli->args[i], NULL);
        if (arg && bal_has_prefix(arg, dir) && (!arg[strlen(dir)] || arg[strlen(dir)] == '/'))
            rc = BAL_FAIL(err, BAL_E_ARG, "%s is read here and -f would take it away with the older output in %s",
                          room->cli->args[i], room->dir);
        free(arg);
    }
    bal_names_free(names, n);
    free(dir);
    return rc;
}

BalStatus bal_cli_room(void *user, BalError *err) {
    const BalCliRoom *room = user;
    BalText path = {0};
    BalStatus rc = BAL_OK;
    bool ours = false;
    for (int k = 0; k < 2 && room->cli->force && room->form->mark[k].file && !ours && rc >= 0; k++) {
        bal_text_clear(&path);
        bal_path_join(&path, room->dir, room->form->mark[k].file);
        rc = bal_text_ok(&path, err);
        ours = rc >= 0 && is_there(path.data, room->form->mark[k].says);
        if (ours) rc = nothing_else_in(room, err);
        if (ours && rc >= 0) rc = empty_idle(room->dir, path.data, err);
    }
    bal_text_reset(&path);
    return rc;
}

BalStatus bal_cli_flush(BalCli *cli, BalError *err) {
    BAL_TRY(bal_text_ok(&cli->out, err));
    bal_progress_pause();
    size_t n = cli->out.len;
    bool good = fwrite(bal_text_str(&cli->out), 1, n, stdout) == n && fflush(stdout) == 0;
    bal_text_clear(&cli->out);
    if (!good) return BAL_FAIL(err, BAL_E_IO, "cannot write to standard output (disk full, or the reader went away)");
    return BAL_OK;
}

static void BAL_PRINTF(2, 0) say(const char *prefix, const char *fmt, va_list ap) {
    bal_progress_pause();
    fputs(prefix, stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void bal_cli_note(const BalCli *cli, const char *fmt, ...) {
    if (cli->quiet) return;
    va_list ap;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

void bal_cli_warn(const BalCli *cli, const char *fmt, ...) {
    (void)cli;
    va_list ap;
    va_start(ap, fmt);
    say("warning: ", fmt, ap);
    va_end(ap);
}
