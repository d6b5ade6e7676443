#!/bin/sh
# One door to everything: installs what is missing (Debian, Ubuntu), builds, runs. `sh run.sh help` lists what it can do.
set -eu
cd "$(dirname "$0")"

BUILD_PACKAGES="gcc g++ libc6-dev cmake ninja-build pkg-config
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libswresample-dev libjansson-dev libyaml-dev nettle-dev
  zlib1g-dev libjpeg-dev libcairo2-dev libdnnl-dev libchromaprint-dev libcmocka-dev"
TEST_PACKAGES="python3 python3-numpy clang-format shellcheck"
PEER_PACKAGES="python3-torch python3-torchvision python3-scipy python3-yaml python3-pil ffmpeg libjemalloc2 libopenblas0-pthread glpk-utils"
LINT_PACKAGES="clang-format clang-tidy shellcheck"
mkdir -p build

say() { printf '\n== %s\n' "$*"; }
die() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
}

# logged LOG COMMAND...: keeps what the command says, and shows it only where it failed
logged() {
    log=$1
    shift
    "$@" >>"$log" 2>&1 || {
        cat "$log" >&2
        return 1
    }
}

# install PACKAGE...: with apt-get, as root or through sudo, only where something is missing
install() {
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        printf 'run.sh: no apt-get here; what is needed, by its Debian names: %s\n' "$*" >&2
        return 0
    fi
    missing=
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "packages are missing, and this is neither root nor is there sudo; as root:
    apt-get install --no-install-recommends$missing"
        root="sudo"
    fi
    say "installing$missing"
    : >build/install.log
    # shellcheck disable=SC2086 # words are wanted
    { logged build/install.log $root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        logged build/install.log $root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y --no-install-recommends install $missing; } || die "apt-get could not install:$missing"
}

# configure_and_build PRESET; AVB_CMAKE_ARGS adds to the configuration
configure_and_build() {
    say "building ($1)"
    : >build/configure.log
    # shellcheck disable=SC2086
    logged build/configure.log cmake --preset "$1" ${AVB_CMAKE_ARGS:-} || die "cmake could not configure"
    # ninja's progress is one line that changes on a terminal and hundreds elsewhere
    quiet=
    [ -t 1 ] || quiet="-- --quiet"
    # shellcheck disable=SC2086
    cmake --build --preset "$1" $quiet || die "the build failed"
}

# shellcheck disable=SC2086
build() {
    install $BUILD_PACKAGES
    configure_and_build release
}

demo() {
    build
    out=demo-out
    n=2
    while [ -e "$out" ]; do
        out=demo-out-$n
        n=$((n + 1))
    done
    say "demo: everything is written to $out"
    build/release/avbalance demo -o "$out" "$@"
}

# shellcheck disable=SC2086
run_tests() {
    install $BUILD_PACKAGES $TEST_PACKAGES
    configure_and_build release
    say "all tests"
    ctest --test-dir build/release --output-on-failure -j "$(nproc)" "$@"
}

# tests/peer/*.py and *.sh: against PyTorch, torchvision, scipy and ffmpeg. A test that exits with 77 skipped itself.
# shellcheck disable=SC2086
peer() {
    install $BUILD_PACKAGES $TEST_PACKAGES $PEER_PACKAGES
    configure_and_build release
    AVB_BUILD=$PWD/build/release
    export AVB_BUILD
    failed=
    for test in tests/peer/*.py tests/peer/*.sh bench/peer/run.sh; do
        [ -f "$test" ] || continue
        case $test in *.py) shell='/usr/bin/python3' ;; *) shell='sh' ;; esac
        say "$test"
        rc=0
        $shell "$test" "$@" || rc=$?
        case $rc in 0) ;; 77) echo "skipped" ;; *) failed="$failed $test" ;; esac
    done
    [ -z "$failed" ] || die "failed:$failed"
    say "all peers agree"
}

# shellcheck disable=SC2086
bench() {
    install $BUILD_PACKAGES
    configure_and_build release
    say "benchmarks: JSON lines"
    sh bench/run.sh build/release "$@"
}

# shellcheck disable=SC2086
lint() {
    install $BUILD_PACKAGES $LINT_PACKAGES
    configure_and_build debug
    say "shellcheck, clang-format"
    sh tests/house/tree.sh .
    sh tests/house/format.sh .
    say "clang-tidy"
    # what it says of system headers, it says even when quiet: shown only with a finding
    # shellcheck disable=SC2016
    find src -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 4 sh -c '
        said=$(clang-tidy --quiet -p build/debug "$@" 2>&1) || { printf "%s\n" "$said"; exit 1; }' sh ||
        die "clang-tidy has found something"
    say "nothing found"
}

help() {
    cat <<'TEXT'
usage: sh run.sh COMMAND [ARGUMENTS]

  build            release build; the program is then build/release/avbalance
  demo             build, then the whole pipeline on made-up videos, ending in figures and a summary
  test             build, then every test; arguments go to ctest
  bench            build, then the benchmarks; an argument names a file to keep them in
  peer             build, then tests and benchmarks against PyTorch, torchvision, scipy and ffmpeg, which it installs
  lint             clang-format, clang-tidy, shellcheck
  clean            remove build/

Installs what is missing with apt-get on Debian 12 and 13 and Ubuntu 24.04. AVB_CMAKE_ARGS adds to cmake's configuration.
TEXT
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
build) build ;;
demo) demo "$@" ;;
test) run_tests "$@" ;;
bench) bench "$@" ;;
peer) peer "$@" ;;
lint) lint ;;
clean) rm -rf build ;;
help | -h | --help) help ;;
*)
    help >&2
    exit 2
    ;;
esac
