#!/bin/sh
# format.sh SOURCES: every C file is as clang-format 14 leaves it. Exit code 77 (skipped) without it: other versions break lines of
# macros and tables otherwise.
cd "$1" || exit 1
version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "${version:-0}" -ne 14 ]; then
    echo "clang-format 14 is not here"
    exit 77
fi
said=$(find src include tests bench examples -name '*.[ch]' -exec clang-format --dry-run --Werror {} + 2>&1) && exit 0
echo "$said" | head -n 100
echo "run: clang-format -i FILE"
exit 1
