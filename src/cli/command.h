/* The frame every command of the program stands in.
 *
 * How to add a command `foo`: write src/cli/foo.c, which parses nothing itself, calls the library and fills cli->out; end it with
 *
 *     typedef struct Foo { const char *out; double rate; bool deep; BalList threshold; } Foo;
 *     static const BalFlag flags[] = {
 *         {"out", 'o', BAL_FLAG_STRING, "FILE", "where to write (required)", .offset = offsetof(Foo, out), .required = true},
 *         {"rate", 0, BAL_FLAG_REAL, NULL, "share kept", .offset = offsetof(Foo, rate), .def = "0.5", .min = 0, .max = 1},
 *         {"deep", 0, BAL_FLAG_SWITCH, NULL, "look into everything", .offset = offsetof(Foo, deep)},
 *         {"threshold", 0, BAL_FLAG_LIST, "T", "may be given several times", .offset = offsetof(Foo, threshold)},
 *         {0}};
 *     const BalCommand bal_cmd_foo = {"foo", "SCORES -o FILE", "Does this and that", "Longer text.", 1, 1, flags, sizeof(Foo), run};
 *
 * and add `foo:ROOM` (the room it needs) to AVB_COMMANDS in src/cli/CMakeLists.txt. The table drives parsing, --help and "did you mean". Common flags
 * (--help --json -q -v --progress -f --seed --threads) are the frame's. Values of flags are parsed and checked by base/option.h.
 *
 * A command writes its result to cli->out: text for people, or with cli->json one JSON document, begun by bal_json_document. The frame prints
 * it after run() succeeded; a command that prints much, or prints and then fails, calls bal_cli_flush. Everything else that is said
 * goes to stderr through bal_cli_note and bal_cli_warn. run() returns a status; the frame prints the error and picks the exit code. */
#ifndef BAL_CLI_COMMAND_H
#define BAL_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avbalance/error.h>
#include <avbalance/progress.h>
#include "base/option.h"
#include "base/output.h"
#include "base/text.h"

typedef struct BalList { /* values of a flag that may be given several times, in order; borrowed from argv */
    const char *v[64];
    int n;
} BalList;

typedef enum BalFlagKind {                  /* member of the command's struct at `offset` */
                           BAL_FLAG_END,    /* ends a table                               */
                           BAL_FLAG_SWITCH, /* bool, takes no value                       */
                           BAL_FLAG_STRING, /* const char *, borrowed from argv           */
                           BAL_FLAG_LIST,   /* BalList                                    */
                           BAL_FLAG_INT,    /* int64_t in [min,max]                       */
                           BAL_FLAG_REAL,   /* double in [min,max]                        */
                           BAL_FLAG_ENUM,   /* int, index into choices                    */
} BalFlagKind;

typedef struct BalFlag {
    const char *name; /* without the dashes */
    char letter;      /* short form, or 0 */
    BalFlagKind kind;
    const char *value; /* placeholder in the help, "FILE"; NULL: made from the kind */
    const char *help;
    size_t offset;
    const char *def; /* as written on the command line; NULL: zero, or for numbers required to be given before use */
    double min, max; /* both 0: no limit */
    const char *const *choices;
    bool required;
    bool may_be_empty; /* "" is a value, as for a title; else a sign of an unset variable */
} BalFlag;

struct BalCommand;
typedef struct BalCli {
    const struct BalCommand *command;
    void *self;              /* the command's struct, filled from its flags */
    const char *const *args; /* positional arguments */
    int n_args;
    bool json, quiet, verbose, force, seed_given, threads_given;
    int64_t seed;
    int threads; /* at least 1; default: the processors this process may use */
    BalProgressSink progress;
    BalText out; /* what goes to stdout */
} BalCli;

typedef struct BalCommand {
    const char *name, *usage, *summary; /* usage: what follows the name, flags of the table excepted: "STORE -o DIR" */
    const char *details;                /* paragraphs of the help, or NULL */
    int min_args, max_args;             /* of positional arguments; max -1: any number */
    const BalFlag *flags;               /* or NULL */
    size_t self_size;
    BalStatus (*run)(BalCli *cli, BalError *err);
    void (*more_help)(BalText *out); /* optional: appended to the help, such as bal_options_help of a recipe */
    bool trains;                     /* its OpenMP threads shall sleep while they wait (main.c) */
} BalCommand;

extern const BalCommand *const bal_commands[];
extern const int bal_n_commands;

/* Print cli->out to stdout now and clear it. BAL_E_IO: stdout cannot be written (full disk). */
BAL_MUST_USE BalStatus bal_cli_flush(BalCli *cli, BalError *err);
void bal_cli_note(const BalCli *cli, const char *fmt, ...) BAL_PRINTF(2, 3); /* stderr, a line; silent with -q */
void bal_cli_warn(const BalCli *cli, const char *fmt, ...) BAL_PRINTF(2, 3); /* stderr, a line, always */
bool bal_cli_cancelled(void); /* SIGINT or SIGTERM came: stop at the next safe point with BAL_E_CANCELLED */

/* BAL_E_EXISTS with the remedy where `path` exists and -f was not given; BAL_E_ARG, with -f too, where another word of the command line
 * names that file: what is read must outlive what is written. */
BAL_MUST_USE BalStatus bal_cli_may_write(const BalCli *cli, const char *path, BalError *err);
/* The same for files of the folder `dir`, of which `name` (ends with NULL) has the one that says that all are whole last. */
BAL_MUST_USE BalStatus bal_cli_may_write_in(const BalCli *cli, const char *dir, const char *const *name, BalError *err);
/* With -f an older output in the folder `dir`, finished or not, makes room: user of a BalRoom. It is known by what stands in its files, and
 * not by a name alone: others keep a "journal", too. A folder of anything else stays, for the library to refuse. BAL_E_EXISTS:
 * another process is writing it, or something lies in it that is none of its files. BAL_E_ARG: an argument of the command lies in it. */
typedef struct BalCliRoom {
    const BalCli *cli;
    const char *dir;
    const BalOutput *form;
} BalCliRoom;
BAL_MUST_USE BalStatus bal_cli_room(void *room, BalError *err);

/* ---- between the files of the frame ---- */
void bal_help_program(BalText *out);
void bal_help_command(BalText *out, const BalCommand *c);
void bal_help_version(BalText *out);
extern const BalFlag bal_common_flags[];

/* Fill *cli and the block self (self_size bytes, zeroed) from argv; positional arguments are moved to the front of argv. */
BAL_MUST_USE BalStatus bal_command_parse(BalCli *cli, void *common, int argc, char **argv, BalError *err);

typedef enum BalProgressStyle {
    BAL_PROGRESS_AUTO,
    BAL_PROGRESS_BAR,
    BAL_PROGRESS_PLAIN,
    BAL_PROGRESS_JSON,
    BAL_PROGRESS_NONE
} BalProgressStyle;
BalProgressSink bal_progress_open(BalProgressStyle style); /* lane 0 */
/* Lines for work that runs side by side, in the style that was opened; left when its work has ended. */
enum { BAL_PROGRESS_LANES = 64 };
BalProgressSink bal_progress_lane(int i);
void bal_progress_leave(int i);
void bal_progress_pause(
    void); /* take the bar off the screen before something else is printed; it comes back by itself */

typedef struct BalCommon { /* what the common flags fill */
    bool help, json, quiet, verbose, force;
    int progress;
    int64_t seed, threads;
} BalCommon;

#endif
