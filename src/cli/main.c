/* avbalance: find the command, let the frame parse its arguments, run it, print its result or its error, pick the exit code. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "cli/command.h"

static volatile sig_atomic_t cancelled;

/* The first signal asks the work to stop at its next safe point; a second one ends the program at once (nothing is lost then
 * either: outputs appear whole or not at all). */
static void on_signal(int number) {
    cancelled = 1;
    signal(number, SIG_DFL);
}

bool bal_cli_cancelled(void) {
    return cancelled != 0;
}

static int exit_code(BalStatus rc) {
    switch (rc) {
    case BAL_OK:
    case BAL_END:
        return 0;
    case BAL_E_ARG:
    case BAL_E_EXISTS:
        return 2;
    case BAL_E_FORMAT:
    case BAL_E_MEDIA:
    case BAL_E_SHAPE:
    case BAL_E_NUMERIC:
        return 3;
    case BAL_E_UNSUPPORTED:
        return 4;
    case BAL_E_MISMATCH:
        return 5;
    case BAL_E_CANCELLED:
        return 130;
    default:
        return 1;
    }
}

static int fail(BalStatus rc, const BalError *err, const BalCommon *common) {
    bal_progress_pause();
    if (rc == BAL_E_CANCELLED) {
        fprintf(stderr, "interrupted; run the same command again%s to continue\n", common->force ? " without -f" : "");
        return exit_code(rc);
    }
    bool colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
    fprintf(stderr, "%serror:%s %s\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", err->text);
    if (common->verbose) fprintf(stderr, "  (%s at %s:%d)\n", bal_status_name(rc), err->file, err->line);
    return exit_code(rc);
}

/* Print and make sure that it arrived: a full disk shows only here. */
static int print(BalText *text) {
    BalCli cli = {.out = *text};
    BalError err = {0};
    BalStatus rc = bal_cli_flush(&cli, &err);
    bal_text_reset(&cli.out);
    return rc < 0 ? fail(rc, &err, &(BalCommon){0}) : 0;
}

static const BalCommand *find_command(const char *name, BalError *err) {
    const char *names[64];
    for (int i = 0; i < bal_n_commands && i < 64; i++) {
        if (!strcmp(bal_commands[i]->name, name)) return bal_commands[i];
        names[i] = bal_commands[i]->name;
    }
    const char *near = bal_closest(name, names, bal_n_commands);
    if (near)
        BAL_FAIL(err, BAL_E_ARG, "there is no command \"%s\"; did you mean \"%s\"?", name, near);
    else
        BAL_FAIL(err, BAL_E_ARG, "there is no command \"%s\"; `avbalance --help` lists them", name);
    return NULL;
}

static BalStatus run_command(const BalCommand *c, int argc, char **argv, BalCommon *common, BalError *err) {
    BalCli cli = {.command = c};
    char *self = NULL;
    BalStatus rc;
    BAL_TRY_OR(done, bal_alloc(&self, c->self_size + 1, 1, err));
    cli.self = self;
    BAL_TRY_OR(done, bal_command_parse(&cli, common, argc, argv, err));
    if (common->help) {
        bal_help_command(&cli.out, c);
    } else {
        cli.json = common->json;
        cli.quiet = common->quiet;
        cli.verbose = common->verbose;
        cli.force = common->force;
        cli.seed = common->seed;
        cli.threads = common->threads > 0 ? (int)common->threads : bal_cpu_count();
        bool hidden = common->quiet && common->progress == BAL_PROGRESS_AUTO;
        cli.progress = bal_progress_open(hidden ? BAL_PROGRESS_NONE : (BalProgressStyle)common->progress);
        BAL_TRY_OR(done, c->run(&cli, err));
        bal_progress_pause();
    }
    rc = bal_cli_flush(&cli, err);
done:
    bal_text_reset(&cli.out);
    bal_free(self);
    return rc;
}

/* Threads of the OpenMP runtime wait for each other by spinning unless told otherwise. On a machine that does anything else
 * besides, a spinner keeps the processor that the late thread needs: training then runs 5 to 8 times slower. The runtime reads
 * its settings before main, hence a program that is to train starts itself once more with them. */
static void let_threads_sleep(char **argv) {
    char self[4096];
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || setenv("OMP_WAIT_POLICY", "passive", 1) != 0) return;
    self[n] = 0;
    execv(self, argv); /* no harm done where it fails */
}

/* A standard stream that the caller closed must not become the number of an output file. Opened the wrong way round, so that
 * using it still fails. */
static void fill_standard_streams(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0) _exit(1);
}

int main(int argc, char **argv) {
    fill_standard_streams();
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    BalError err = {0};
    BalText text = {0};
    BalCommon common = {0};
    if (argc < 2) {
        bal_help_program(&text);
        fputs(bal_text_str(&text), stderr);
        bal_text_reset(&text);
        return 2;
    }
    const char *word = argv[1];
    if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
        bal_help_version(&text);
        return print(&text);
    }
    bool help = !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
    if (help && argc == 2) {
        bal_help_program(&text);
        return print(&text);
    }
    const BalCommand *c = find_command(help ? argv[2] : word, &err);
    if (!c) return fail(BAL_E_ARG, &err, &common);
    if (help) {
        bal_help_command(&text, c);
        return print(&text);
    }
    if (c->trains) let_threads_sleep(argv);
    BalStatus rc = run_command(c, argc - 2, argv + 2, &common, &err);
    int code = rc < 0 ? fail(rc, &err, &common) : exit_code(rc);
    if (fclose(stdout) != 0 && code == 0) return 1;
    return code;
}
