#!/bin/sh
# format.sh SOURCES: every C file is as clang-format leaves it. Exit code 77 (skipped) without clang-format 14 or newer.
cd "$1" || exit 1
version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "${version:-0}" -lt 14 ]; then
    echo "clang-format 14 or newer is not here"
    exit 77
fi
said=$(find src include tests bench -name '*.[ch]' -exec clang-format --dry-run --Werror {} + 2>&1) && exit 0
echo "$said" | head -n 100
echo "run: clang-format -i FILE"
exit 1
