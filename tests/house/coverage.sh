#!/bin/sh
# coverage.sh BUILD: after the tests ran in BUILD (preset coverage), the share of lines that they reached, room by room. A report,
# not a test.
set -eu
build=$(cd "$1" && pwd)
find "$build/src" -name '*.gcda' -print0 | (cd "$build" && xargs -0 gcov -n 2>/dev/null) | awk -F"'" '
/^File/ { room = ""; if (match($2, /src\/[a-z0-9]+\//)) room = substr($2, RSTART + 4, RLENGTH - 5) }
/^Lines executed/ && room != "" {
    split($0, part, /[:% ]+/) # Lines executed:97.30% of 74
    n[room] += part[5]; hit[room] += part[3] * part[5] / 100; room = ""
}
END {
    for (room in n) { printf "%-9s %5.1f %% of %5d lines\n", room, 100 * hit[room] / n[room], n[room] | "sort"; all += n[room]; got += hit[room] }
    close("sort")
    if (!all) { print "no counts here: build with the preset coverage and run ctest first"; exit 1 }
    printf "all       %5.1f %% of %5d lines\n", 100 * got / all, all
}'
