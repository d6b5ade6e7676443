#!/bin/sh
# run.sh PROGRAM TABLE.tst: black-box tests of the program, one per line of the table, columns parted by one tab:
#
#     exit code    stdout    stderr    command
#
# stdout and stderr: "-" nothing, "*" anything, "=FILE" exactly the file in data/, else an extended regular expression that some line
# must match. The command is run by sh in an empty folder that the lines of a table share; $A is the program, $D is data/.
# A table named after a command that this build does not have is skipped (77).
set -u
A=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") table=$2
here=$(cd "$(dirname "$table")" && pwd)
D=$here/data name=$(basename "$table" .tst)
export A D
unset NO_COLOR || :
if [ "${name%%-*}" != frame ] && ! "$A" help "${name%%-*}" >/dev/null 2>&1; then
    echo "skipped: this build has no command ${name%%-*}"
    exit 77
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
tab=$(printf '\t') failed=0 done=0 number=0

# matches WANT FILE
matches() {
    case $1 in
    '*') ;;
    -) [ ! -s "$2" ] ;;
    =*) cmp -s "$D/${1#=}" "$2" ;;
    *) grep -Eq -e "$1" "$2" ;;
    esac
}

while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    case $line in '' | '#'*) continue ;; esac
    code=${line%%"$tab"*} rest=${line#*"$tab"}
    out=${rest%%"$tab"*} rest=${rest#*"$tab"}
    err=${rest%%"$tab"*} command=${rest#*"$tab"}
    (cd "$work" && sh -c "$command") >"$work.out" 2>"$work.err" </dev/null
    got=$? why=
    [ "$got" = "$code" ] || why="exit code $got instead of $code"
    matches "$out" "$work.out" || why="$why; stdout is not $out"
    matches "$err" "$work.err" || why="$why; stderr is not $err"
    done=$((done + 1))
    if [ -n "$why" ]; then
        failed=$((failed + 1))
        printf '%s:%d: %s\n  %s\n' "$table" "$number" "${why#; }" "$command"
        sed 's/^/  out: /' "$work.out" | head -20
        sed 's/^/  err: /' "$work.err" | head -20
    fi
    rm -f "$work.out" "$work.err"
done <"$table"
echo "$name: $done lines, $failed failed"
[ "$failed" = 0 ] && [ "$done" -gt 0 ]
