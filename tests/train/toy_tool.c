/* A toy store for tests of the program and its peers, which need features but no media: toy_tool DIR [same|untrained]. */
#include "train/toy.h"

int main(int argc, char **argv) {
    Toy toy = {.n = 240, .heard = true, .seen = true, .n_train = 6, .n_val = 2};
    if (argc < 2 || argc > 3) return 2;
    toy.same = argc == 3 && !strcmp(argv[2], "same");
    toy.untrained = argc == 3 && !strcmp(argv[2], "untrained");
    BalStore *store = toy_store(&toy, argv[1]);
    bal_store_close(&store);
    return 0;
}
