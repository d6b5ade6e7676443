#!/bin/sh
# tree.sh SOURCES: no file over 1 MiB, no unfinished business left in comments, shell scripts parse (and please shellcheck).
cd "$1" || exit 1
bad=0
fail() {
    echo "$*"
    bad=1
}
list=$(git ls-files 2>/dev/null) && [ -n "$list" ] ||
    list=$(find . -path ./.git -prune -o -path './build*' -prune -o -path ./demo-out\* -prune -o -type f -print | sed 's|^\./||')
mark="TO""DO|FIX""ME|XX""X:"
echo "$list" | while IFS= read -r file; do
    [ -f "$file" ] || continue
    [ "$(wc -c <"$file")" -le 1048576 ] || echo "$file: over 1 MiB"
    case $file in *.c | *.h | *.sh | *.cmake | *.py | *.md | *.txt | *.yaml)
        grep -HnE "\\b($mark)\\b" "$file"
        ;;
    esac
    case $file in *.sh | .ci/run)
        sh -n "$file" 2>&1 || [ "$file" = .ci/run ]
        if command -v shellcheck >/dev/null 2>&1; then shellcheck -S warning "$file"; fi
        ;;
    esac
done >"${TMPDIR:-/tmp}/tree.$$"
[ ! -s "${TMPDIR:-/tmp}/tree.$$" ] || fail "$(cat "${TMPDIR:-/tmp}/tree.$$")"
rm -f "${TMPDIR:-/tmp}/tree.$$"
command -v shellcheck >/dev/null 2>&1 || echo "no shellcheck here: scripts were only parsed"
echo "$(echo "$list" | wc -l) files looked at"
exit $bad
