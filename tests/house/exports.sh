#!/bin/sh
# exports.sh SOURCES CC LIBRARY: the symbols the shared library exports are exactly the functions declared BAL_API.
sources=$1 cc=$2 library=$3
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/avbalance"
# In place of export.h: the attribute becomes a word that can be looked for
cat >"$tmp/avbalance/export.h" <<'C'
#define BAL_API exported_function
#define BAL_MUST_USE
#define BAL_PRINTF(fmt, args)
C
for header in "$sources"/include/avbalance/*.h; do
    [ "${header##*/}" = export.h ] || printf '#include <avbalance/%s>\n' "${header##*/}"
done | "$cc" -E -P -I"$tmp" -I"$sources/include" -xc - >"$tmp/all.c" || exit 1
# One declaration per line; the name stands before the first parenthesis
tr '\n' ' ' <"$tmp/all.c" | tr ';' '\n' | sed -n 's/.*exported_function\([^(]*\)(.*/\1/p' |
    sed 's/[[:blank:]]*$//; s/.*[^A-Za-z0-9_]//' | sort -u >"$tmp/declared"
nm -D --defined-only "$library" | awk '{ print $NF }' | sort -u >"$tmp/exported"
echo "declared BAL_API: $(wc -l <"$tmp/declared"), exported: $(wc -l <"$tmp/exported")"
comm -23 "$tmp/declared" "$tmp/exported" | sed 's/^/declared, not exported: /'
comm -13 "$tmp/declared" "$tmp/exported" | sed 's/^/exported, not declared: /'
[ -s "$tmp/declared" ] && cmp -s "$tmp/declared" "$tmp/exported"
