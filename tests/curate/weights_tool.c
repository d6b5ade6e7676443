/* weights_tool SCORER CLASSES WIDTH OUT.safetensors: made-up weights (weights.h); WIDTH 64 is the published size. */
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "curate/weights.h"

int main(int argc, char **argv) {
    BalError err = {0};
    if (argc != 5) {
        fprintf(stderr, "usage: weights_tool SCORER CLASSES WIDTH OUT.safetensors\n");
        return 2;
    }
    if (weights_make(argv[1], atoi(argv[2]), atoi(argv[3]), argv[4], &err) >= 0) return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
