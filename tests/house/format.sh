#!/bin/sh
# format.sh SOURCES: every C file is as clang-format leaves it. Exit code 77 (skipped) without clang-format 14 or newer.
cd "$1" || exit 1
version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "${version:-0}" -lt 14 ]; then
    echo "clang-format 14 or newer is not here"
    exit 77
fi
find src include tests bench examples -name '*.[ch]' -exec clang-format --dry-run --Werror {} + 2>&1 |
     grep 'error:' | sort | head -n 50 >"${TMPDIR:-/tmp}/format.$$"
wrong=$(wc -l <"${TMPDIR:-/tmp}/format.$$")
cat "${TMPDIR:-/tmp}/format.$$"
rm -f "${TMPDIR:-/tmp}/format.$$"
[ "$wrong" -eq 0 ] || echo "run: clang-format -i FILE"
[ "$wrong" -eq 0 ]
