/* The form of a folder that a command makes: what it is known by, and what lies in it. The room that writes the files says so beside the code
 * that does, so that -f takes away what was made there and nothing else. */
#ifndef BAL_BASE_OUTPUT_H
#define BAL_BASE_OUTPUT_H

typedef struct BalOutput {
    struct {
        const char *file,
            *says;     /* a file that only an output of ours has: its name, and what stands in its first lines */
    } mark[2];         /* of a finished and of an unfinished one; file NULL: none */
    const char *holds; /* patterns of names, parted by blanks; temporaries need not be named */
} BalOutput;

#endif
