#!/bin/sh
# One door to everything: installs what is missing (Debian, Ubuntu), builds, runs. `sh run.sh help` lists what it can do.
set -eu
cd "$(dirname "$0")"

BUILD_PACKAGES="gcc g++ libc6-dev cmake ninja-build pkg-config
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libswresample-dev libjansson-dev libyaml-dev nettle-dev
  zlib1g-dev libjpeg-dev libcairo2-dev libdnnl-dev libcmocka-dev"
TEST_PACKAGES="python3 python3-numpy"
PEER_PACKAGES="python3-torch python3-torchvision python3-scipy python3-pil ffmpeg libjemalloc2 libopenblas0-pthread"
LINT_PACKAGES="clang-format clang-tidy shellcheck"

say() { printf '\n== %s\n' "$*"; }
die() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
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
    say "installing$missing"
    root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "neither root nor sudo; as root: apt-get install$missing"
        root="sudo"
    fi
    # shellcheck disable=SC2086 # words are wanted
    { $root env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null; } ||
        die "apt-get could not install:$missing"
}

# configure_and_build PRESET [TARGET...]; AVB_CMAKE_ARGS adds to the configuration
configure_and_build() {
    preset=$1
    shift
    say "building ($preset)"
    mkdir -p build
    # shellcheck disable=SC2086
    cmake --preset "$preset" ${AVB_CMAKE_ARGS:-} >build/configure.log || {
        cat build/configure.log >&2
        die "cmake could not configure"
    }
    if [ $# -gt 0 ]; then
        cmake --build --preset "$preset" --target "$@"
    else
        cmake --build --preset "$preset"
    fi
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
    say "shellcheck"
    git ls-files '*.sh' | xargs shellcheck -S warning run.sh .ci/run
    say "clang-format"
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
    say "clang-tidy"
    git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/debug
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

Installs what is missing with apt-get on Debian 12, 13 and Ubuntu. AVB_CMAKE_ARGS adds to cmake's configuration.
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
