#!/bin/sh
# headers.sh SOURCES CC CXX [-Idir...]: every public header compiles alone as C11 and C++17, every private one as C11. A header
# that is included twice must not mind. NAME_body.h is a piece of a source file, not a header. CXX may be empty: then C++ is left
# out, and said so.
sources=$1 cc=$2 cxx=$3
shift 3
cd "$sources" || exit 1
bad=0 n=0
# try INCLUDE COMPILER ARGUMENT...: INCLUDE is <name> or "name"
try() {
    include=$1
    shift
    n=$((n + 1))
    printf '#include %s\n#include %s\n' "$include" "$include" |
        "$@" -fsyntax-only -Wall -Wextra -Werror -Wno-psabi -D_GNU_SOURCE -Iinclude - && return
    echo "$include does not compile alone"
    bad=$((bad + 1))
}
for header in include/avbalance/*.h; do
    try "<${header#include/}>" "$cc" -std=c11 -xc
    if [ -n "$cxx" ]; then try "<${header#include/}>" "$cxx" -std=c++17 -xc++; fi
done
for header in $(find src -name '*.h' ! -name '*_body.h' | sort); do
    try "\"${header#src/}\"" "$cc" -std=c11 -Isrc "$@" -xc
done
[ -n "$cxx" ] || echo "no C++ compiler here: public headers were not tried as C++"
echo "$n compilations, $bad failed"
[ $bad -eq 0 ] && [ $n -gt 0 ]
