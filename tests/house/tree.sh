#!/bin/sh
# tree.sh SOURCES: no file over 1 MiB, no build output (what .gitignore names, programs, libraries), no unfinished business left in
# comments; shell scripts parse (and please shellcheck).
cd "$1" || exit 1
list=$(git ls-files 2>/dev/null) && [ -n "$list" ] ||
    list=$(find . -path ./.git -prune -o -path './build*' -prune -o -path ./demo-out\* -prune -o -type f -print | sed 's|^\./||')
files() { echo "$list" | grep -E "$1"; }
each() { tr '\n' '\0' | xargs -0 "$@"; }
scripts='\.sh$|^\.ci/run$'
mark="TO""DO|FIX""ME|XX""X:"
found=$(
    git ls-files -c -i --exclude-standard 2>/dev/null | sed 's/$/: is ignored, yet in the tree/'
    files . | each wc -c | awk '$1 > 1048576 && $2 != "total" { print $2 ": over 1 MiB" }'
    files . | LC_ALL=C each grep -laE '^(.ELF|!<arch>)' | sed 's/$/: build output/'
    files "\\.(c|h|cmake|py|md|txt|yaml)\$|$scripts" | each grep -HnE "\\b($mark)\\b"
    for script in $(files "$scripts"); do
        case $script in *.sh) sh -n "$script" 2>&1 ;; *) bash -n "$script" 2>&1 ;; esac
    done
    if command -v shellcheck >/dev/null 2>&1; then files "$scripts" | each shellcheck -S warning; fi
)
command -v shellcheck >/dev/null 2>&1 || echo "no shellcheck here: scripts were only parsed"
echo "$(echo "$list" | wc -l) files looked at"
[ -z "$found" ] || echo "$found"
[ -z "$found" ]
