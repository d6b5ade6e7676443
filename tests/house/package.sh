#!/bin/sh
# package.sh SOURCES BUILD CC: installs into a scratch prefix and builds a small program against it, once through the CMake package
# and once through pkg-config; both must run. The installed program must find its recipes from anywhere, moved or not.
set -eu
sources=$1 build=$2 cc=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
quietly() { # shows what was said only where it failed
    "$@" >"$tmp/log" 2>&1 || {
        cat "$tmp/log"
        exit 1
    }
}
quietly cmake --install "$build" --prefix "$tmp/usr"
lib=$(dirname "$(find "$tmp/usr" -name libavbalance.so.0)")
[ -e "$lib/libavbalance.so" ]
readelf -d "$lib/libavbalance.so" | grep -q 'SONAME.*\[libavbalance\.so\.0\]'
mv "$tmp/usr" "$tmp/moved" # a package may be moved
lib=$tmp/moved${lib#"$tmp/usr"}

quietly cmake -G Ninja -S "$sources/tests/house/consumer" -B "$tmp/cmake" -DCMAKE_PREFIX_PATH="$tmp/moved" -DCMAKE_C_COMPILER="$cc"
quietly cmake --build "$tmp/cmake"
"$tmp/cmake/consumer" | grep '^hello from 0\.'

flags=$(PKG_CONFIG_PATH="$lib/pkgconfig" pkg-config --cflags --libs avbalance)
# shellcheck disable=SC2086 # words are wanted
"$cc" -o "$tmp/consumer" "$sources/tests/house/consumer/main.c" $flags
LD_LIBRARY_PATH="$lib" "$tmp/consumer" | grep '^hello from 0\.'

(cd / && "$tmp/moved/bin/avbalance" recipes paper | cmp - "$sources/recipes/paper.yaml")
