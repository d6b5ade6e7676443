/* Programs, timed. */
#ifndef BAL_BENCH_RUN_H
#define BAL_BENCH_RUN_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"

/* Seconds a program takes with its output thrown away; *cpu_s (may be NULL) those of the processors; *peak_mb grows to its largest
 * resident size. */
static inline double run(char *const argv[], double *cpu_s, double *peak_mb) {
    double start = bal_now_s();
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    int status;
    struct rusage use;
    if (pid < 0 || wait4(pid, &status, 0, &use) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "%s failed\n", argv[0]);
        exit(1);
    }
    double mb = (double)use.ru_maxrss / 1024;
    if (mb > *peak_mb) *peak_mb = mb;
    if (cpu_s)
        *cpu_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                 1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
    return bal_now_s() - start;
}

#endif
