/* What the form of an id or a path tells. */
#include "dataset/manifest.h"
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

BalField bal_field(const char *s) {
    return (BalField){.s = s, .n = strlen(s)};
}

int bal_split_line(BalField line, char separator, BalField *field, int max) {
    const char *s = line.s, *end = line.s + line.n;
    for (int n = 0; n < max;) {
        const char *stop = s;
        bool quoted = s < end && *s == '"';
        if (quoted) stop = memchr(s + 1, '"', (size_t)(end - s - 1));
        while (quoted && stop && end - stop > 1 && stop[1] == '"') /* doubled: a quote inside */
            stop = memchr(stop + 2, '"', (size_t)(end - stop - 2));
        if (!stop) return n; /* an open quote: the reader will say where */
        const char *next = memchr(stop, separator, (size_t)(end - stop));
        if (!next) next = end;
        field[n++] =
            quoted ? (BalField){s + 1, (size_t)(stop - s - 1), true} : (BalField){s, (size_t)(next - s), false};
        if (next == end) return n;
        s = next + 1;
    }
    return max;
}

bool bal_all_digits(BalField f) {
    for (size_t i = 0; i < f.n; i++)
        if (!isdigit((unsigned char)f.s[i])) return false;
    return f.n > 0;
}

bool bal_is_number(BalField f) {
    double v;
    return f.n > 0 && bal_parse_real_n(f.s, f.n, &v) && isfinite(v);
}

static const char *const extensions[] = {"mp4", "mkv",  "webm", "avi", "mov", "m4v", "flv",
                                         "mpg", "mpeg", "ts",   "3gp", "wmv", "ogv", NULL};

/* Length of the media extension with its dot, or 0 */
static size_t extension_length(BalField path) {
    for (int i = 0; extensions[i]; i++) {
        size_t n = strlen(extensions[i]);
        if (path.n > n + 1 && path.s[path.n - n - 1] == '.' && strncasecmp(path.s + path.n - n, extensions[i], n) == 0)
            return n + 1;
    }
    return 0;
}

bool bal_has_media_extension(BalField path) {
    return extension_length(path) > 0;
}

BalField bal_stem(BalField path) {
    const char *slash = memrchr(path.s, '/', path.n);
    if (slash) path = (BalField){slash + 1, path.n - (size_t)(slash + 1 - path.s), false};
    path.n -= extension_length(path);
    return path;
}

/* Up to two numbers "_12_34" in s[0..n); how many, or -1 where something else stands there */
static int numbers(const char *s, size_t n, int64_t value[2], size_t digits[2]) {
    int count = 0;
    for (size_t i = 0; i < n; count++) {
        if (count == 2 || s[i++] != '_') return -1;
        value[count] = 0;
        for (digits[count] = 0; i < n && isdigit((unsigned char)s[i]) && digits[count] < 15; i++, digits[count]++)
            value[count] = value[count] * 10 + (s[i] - '0');
        if (digits[count] == 0) return -1;
    }
    return count;
}

size_t bal_youtube_prefix(BalField id) {
    int64_t value[2];
    size_t digits[2];
    if (id.n < 11) return 0;
    for (int i = 0; i < 11; i++)
        if (!isalnum((unsigned char)id.s[i]) && id.s[i] != '-' && id.s[i] != '_') return 0;
    return numbers(id.s + 11, id.n - 11, value, digits) < 0 ? 0 : 11;
}

bool bal_is_crema_d(BalField id) {
    static const char form[] = "0000_AAA_AAA_AA";
    if (id.n != sizeof form - 1) return false;
    for (size_t i = 0; i < id.n; i++) {
        unsigned char c = (unsigned char)id.s[i];
        if (form[i] == '0' ? !isdigit(c) : form[i] == 'A' ? !isupper(c) : c != '_') return false;
    }
    return true;
}

bool bal_clip_time(BalField id, double *start_s, double *duration_s) {
    int64_t value[2];
    size_t digits[2];
    if (bal_youtube_prefix(id) == 0) return false;
    int n = numbers(id.s + 11, id.n - 11, value, digits);
    if (n == 1 && digits[0] == 6) {
        *start_s = (double)value[0];
        *duration_s = 10;
        return true;
    }
    if (n != 2 || value[1] <= value[0]) return false;
    double unit = value[1] - value[0] >= 1000 ? 0.001 : 1; /* no clip is a thousand seconds long, none is below one */
    *start_s = (double)value[0] * unit;
    *duration_s = (double)(value[1] - value[0]) * unit;
    return true;
}

BalField bal_source_of(BalField id) {
    return (BalField){id.s, bal_is_crema_d(id) ? 4 : bal_youtube_prefix(id), false};
}
