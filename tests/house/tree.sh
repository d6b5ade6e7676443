#!/bin/sh
# tree.sh SOURCES: no file over 1 MiB, no build output (what .gitignore names, programs, libraries), no unfinished business left in
# comments; shell scripts parse (and please shellcheck).
cd "$1" || exit 1
list=$(git ls-files 2>/dev/null) && [ -n "$list" ] ||
    list=$(find . -path ./.git -prune -o -path './build*' -prune -o -path ./demo-out\* -prune -o -type f -print | sed 's|^\./||')
mark="TO""DO|FIX""ME|XX""X:"
found=$(
    git ls-files -c -i --exclude-standard 2>/dev/null | sed 's/$/: is ignored, yet in the tree/'
    echo "$list" | while IFS= read -r file; do
        [ -f "$file" ] || continue
        [ "$(wc -c <"$file")" -le 1048576 ] || echo "$file: over 1 MiB"
        if LC_ALL=C grep -qaE '^(.ELF|!<arch>)' "$file"; then echo "$file: build output"; fi
        case $file in *.c | *.h | *.sh | *.cmake | *.py | *.md | *.txt | *.yaml | .ci/run)
            grep -HnE "\\b($mark)\\b" "$file"
            ;;
        esac
        case $file in *.sh) sh -n "$file" 2>&1 ;; .ci/run) bash -n "$file" 2>&1 ;; *) continue ;; esac
        if command -v shellcheck >/dev/null 2>&1; then shellcheck -S warning "$file"; fi
    done
)
command -v shellcheck >/dev/null 2>&1 || echo "no shellcheck here: scripts were only parsed"
echo "$(echo "$list" | wc -l) files looked at"
[ -z "$found" ] || echo "$found"
[ -z "$found" ]
