#!/bin/sh
# layers.sh SOURCES: reads every #include line under src/ and include/ and fails on an edge between rooms that the design does not
# allow (ARCHITECTURE.md), and on a vendor's header outside the one folder that may see it.
cd "$1" || exit 1
find src include -name '*.[ch]' -exec grep -Hn '^[[:blank:]]*#[[:blank:]]*include' {} + | awk '
BEGIN {
    may["base"] = ""
    may["media"] = "base"
    may["features"] = "base media"
    may["dataset"] = "base media features"
    may["engine"] = "base"
    may["backends"] = "base engine"
    may["comm"] = "base"
    may["models"] = "base engine"
    may["methods"] = "base engine models"
    may["train"] = "base dataset engine comm models methods <features> <backends>" # <room>: its public header only
    may["analysis"] = "base dataset"
    may["curate"] = "base media dataset models train analysis <features> <engine> <backends>"
    may["report"] = "base analysis curate"
    may["cli"] = "base media features dataset engine backends comm models methods train analysis curate report"
    split("error export progress version", w); for (i in w) public[w[i]] = "base"
    split("graph session", w); for (i in w) public[w[i]] = "engine"
    public["method"] = "methods"; public["import"] = "models"; public["cut"] = "media"; public["select"] = "curate"; public["lock"] = "curate"
    public["clips"] = "curate"; public["score"] = "curate"; public["duplicates"] = "curate"; public["build"] = "curate"
    split("media=^(libav|libsw) base=^(jansson|yaml|zlib)[.]h|^nettle/ backends=^(dnnl|oneapi|omp[.]h|cuda|cudnn|cublas|nccl) " \
          "features=^(jpeglib|jerror|jconfig)[.]h report=^cairo comm=^mpi[.]h curate=^chromaprint", v, " ")
    for (i in v) { split(v[i], kv, "="); vendor[kv[2]] = kv[1] }
    system_header = "^(assert|complex|cpuid|ctype|dirent|errno|fcntl|fenv|float|fnmatch|getopt|immintrin|inttypes|limits|locale|malloc|math|poll|" \
        "pthread|sched|setjmp|signal|spawn|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|termios|time|unistd)" \
        "[.]h$|^(sys|linux)/"
}
function room_of_header(name) {                # of <avbalance/NAME.h>
    sub(/[.]h$/, "", name)
    return name in public ? public[name] : name
}
function fail(what) { print place ": " what; bad++ }
{
    i = index($0, ":"); path = substr($0, 1, i - 1); rest = substr($0, i + 1)
    i = index(rest, ":"); place = path ":" substr(rest, 1, i - 1); line = substr(rest, i + 1)
    n = split(path, part, "/")
    room = part[1] == "src" ? part[2] : room_of_header(part[n])
    if (!(room in may)) { fail("the room " room " is not in the design"); next }
    open = match(line, /[<"]/); name = substr(line, open + 1); style = substr(line, open, 1)
    sub(/[>"].*$/, "", name)
    edges++
    if (style == "\"") {
        if (index(name, "/") == 0) { fail("\"" name "\": private headers are written from src/: \"room/name.h\""); next }
        target = substr(name, 1, index(name, "/") - 1)
        if (part[1] == "include") fail("a public header must not include the private \"" name "\"")
        else if (target != room && index(" " may[room] " ", " " target " ") == 0) fail(room " must not include \"" name "\"")
    } else if (name ~ /^avbalance\//) {
        target = room_of_header(substr(name, 11))
        allowed = " " may[room] " "
        if (target != room && index(allowed, " " target " ") == 0 && index(allowed, " <" target "> ") == 0)
            fail(room " must not include <" name ">")
    } else if (name !~ system_header) {
        owner = ""
        for (pattern in vendor) if (name ~ pattern) owner = vendor[pattern]
        if (owner == "") fail("<" name "> is neither the system'"'"'s nor a known vendor'"'"'s")
        else if (owner != room) fail("<" name "> may be included in " owner " only")
        else if (part[1] == "include") fail("a public header must not include a vendor'"'"'s <" name ">")
    }
}
END {
    print edges " include lines, " bad + 0 " wrong"
    exit bad || !edges
}'
