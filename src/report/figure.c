/* Canvas and parts of figures. Everything is drawn once, in points; the surface decides what it becomes. Text is never hinted, so
 * that it has the same widths in pixels and in vectors, and dates are left out, so that equal input gives equal bytes. */
#include "report/figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cairo-pdf.h>
#include <cairo-svg.h>

#include "base/file.h"

enum { PNG, SVG, PDF, N_KINDS };
static const char *const kinds[N_KINDS] = {".png", ".svg", ".pdf"};

const BalRgb bal_colour_audio = {0.000, 0.447, 0.698}, bal_colour_visual = {0.835, 0.369, 0.000};
const BalRgb bal_colour_ink = {0.12, 0.12, 0.14}, bal_colour_grey = {0.45, 0.45, 0.48},
             bal_colour_pale = {0.88, 0.88, 0.90};

/* Eleven colours of magma (van der Walt & Smith 2015), equally far from each other to the eye, light to dark. */
BalRgb bal_colour_map(double t) {
    static const unsigned char stop[11][3] = {{252, 253, 191}, {254, 207, 146}, {254, 159, 109}, {247, 112, 92},
                                              {222, 73, 104},  {183, 55, 121},  {140, 41, 129},  {100, 26, 128},
                                              {59, 15, 112},   {20, 14, 54},    {0, 0, 4}};
    double x = 10 * (t < 0 ? 0 : t > 1 ? 1 : t);
    int k = x >= 10 ? 9 : (int)x;
    double w = x - k, c[3];
    for (int i = 0; i < 3; i++) c[i] = ((1 - w) * stop[k][i] + w * stop[k + 1][i]) / 255;
    return (BalRgb){c[0], c[1], c[2]};
}

BalFigureSpec bal_figure_spec_default(void) {
    return (BalFigureSpec){.scale = 2.5};
}

const char *bal_report_version(void) {
    return cairo_version_string();
}

#ifdef AVB_SANITIZED
/* fontconfig, beneath cairo, keeps some patterns until the process ends; the leak check is told so. */
BAL_EXPORT const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig\n";
}
BAL_EXPORT const char *__lsan_default_options(void);
const char *__lsan_default_options(void) {
    return "print_suppressions=0";
}
#endif

/* PNG, SVG or PDF by the ending of the path; -1. */
static int kind_of(const char *path) {
    const char *dot = strrchr(path, '.');
    for (int k = 0; dot && k < N_KINDS; k++)
        if (!strcasecmp(dot, kinds[k])) return k;
    return -1;
}

BalStatus bal_figure_may_be(const char *path, BalError *err) {
    if (kind_of(path) >= 0) return BAL_OK;
    return BAL_FAIL(err, BAL_E_ARG, "%s: figures are .png, .svg or .pdf", path);
}

static cairo_status_t keep_bytes(void *to, const unsigned char *data, unsigned n) {
    BalText *t = to;
    bal_text_add_n(t, (const char *)data, n);
    return t->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static BalStatus cairo_failed(const char *path, cairo_status_t status, BalError *err) {
    BalStatus rc = status == CAIRO_STATUS_NO_MEMORY ? BAL_E_NOMEM : BAL_E_BACKEND;
    return BAL_FAIL(err, rc, "%s: cannot draw: %s", path, cairo_status_to_string(status));
}

BalStatus bal_figure_open(BalFigure *f, const char *path, double width, double height, double scale, BalError *err) {
    *f = (BalFigure){.width = width, .height = height, .kind = kind_of(path)};
    BAL_TRY(bal_figure_may_be(path, err));
    if (f->kind == PNG) {
        f->surface =
            cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(width * scale), (int)ceil(height * scale));
    } else if (f->kind == SVG) {
        f->surface = cairo_svg_surface_create_for_stream(keep_bytes, &f->bytes, width, height);
        cairo_svg_surface_set_document_unit(f->surface, CAIRO_SVG_UNIT_PT);
    } else {
        f->surface = cairo_pdf_surface_create_for_stream(keep_bytes, &f->bytes, width, height);
        cairo_pdf_surface_set_metadata(f->surface, CAIRO_PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z");
    }
    cairo_status_t status = cairo_surface_status(f->surface);
    if (status != CAIRO_STATUS_SUCCESS) {
        bal_figure_drop(f);
        return cairo_failed(path, status, err);
    }
    f->cr = cairo_create(f->surface);
    if (f->kind == PNG) cairo_scale(f->cr, scale, scale);
    cairo_font_options_t *font = cairo_font_options_create();
    cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(f->cr, font);
    cairo_font_options_destroy(font);
    bal_figure_bold(f, false);
    bal_figure_colour(f, (BalRgb){1, 1, 1}, 1);
    bal_figure_rect(f, 0, 0, width, height);
    bal_figure_colour(f, bal_colour_ink, 1);
    return BAL_OK;
}

BalStatus bal_figure_finish(BalFigure *f, const char *path, BalError *err) {
    cairo_status_t status = cairo_status(f->cr);
    if (status == CAIRO_STATUS_SUCCESS && f->kind == PNG)
        status = cairo_surface_write_to_png_stream(f->surface, keep_bytes, &f->bytes);
    if (status == CAIRO_STATUS_SUCCESS && f->kind != PNG) {
        cairo_show_page(f->cr);
        cairo_surface_finish(f->surface);
        status = cairo_surface_status(f->surface);
    }
    if (status != CAIRO_STATUS_SUCCESS) return cairo_failed(path, status, err);
    return bal_text_ok(&f->bytes, err);
}

BalStatus bal_figure_save(BalFigure *f, const char *path, BalError *err) {
    BAL_TRY(bal_figure_finish(f, path, err));
    return bal_file_write(path, f->bytes.data, f->bytes.len, err);
}

void bal_figure_drop(BalFigure *f) {
    if (f->cr) cairo_destroy(f->cr);
    if (f->surface) cairo_surface_destroy(f->surface);
    bal_text_reset(&f->bytes);
    *f = (BalFigure){0};
}

void bal_figure_colour(BalFigure *f, BalRgb c, double alpha) {
    cairo_set_source_rgba(f->cr, c.r, c.g, c.b, alpha);
}

void bal_figure_rect(BalFigure *f, double x, double y, double w, double h) {
    cairo_rectangle(f->cr, x, y, w, h);
    cairo_fill(f->cr);
}

void bal_figure_line(BalFigure *f, double x0, double y0, double x1, double y1, double width) {
    cairo_set_line_width(f->cr, width);
    cairo_move_to(f->cr, x0, y0);
    cairo_line_to(f->cr, x1, y1);
    cairo_stroke(f->cr);
}

void bal_figure_bold(BalFigure *f, bool on) {
    cairo_select_font_face(f->cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           on ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
}

/* Whole characters from *s on into run, up to a mark. Of a byte that is no UTF-8 cairo would make a figure that is none; it becomes a
 * question mark, as in messages. */
static size_t take_run(const char **s, char *run, size_t cap) {
    size_t n = 0, bytes;
    for (; **s && **s != BAL_SLANT[0] && **s != BAL_INDEX[0]; *s += bytes ? bytes : 1) {
        bytes = bal_utf8_length(*s);
        if (n + (bytes ? bytes : 1) >= cap) break;
        if (bytes)
            memcpy(run + n, *s, bytes);
        else
            run[n] = '?';
        n += bytes ? bytes : 1;
    }
    return n;
}

/* Walk over the marked text; draw it, or only measure it. Returns the advance. */
static double walk_text(BalFigure *f, const char *s, double size, bool draw) {
    double x = 0;
    cairo_font_face_t *plain = cairo_font_face_reference(cairo_get_font_face(f->cr));
    bool italic = false;
    while (*s) {
        char run[256];
        size_t n = 0;
        if (*s == BAL_INDEX[0] && !s[1]) break;
        bool index = *s == BAL_INDEX[0];
        if (index) {
            run[n++] = s[1];
            s += 2;
        } else if (*s == BAL_SLANT[0]) {
            italic = !italic;
            if (italic)
                cairo_select_font_face(f->cr, "DejaVu Sans", CAIRO_FONT_SLANT_ITALIC, CAIRO_FONT_WEIGHT_NORMAL);
            else
                cairo_set_font_face(f->cr, plain);
            s++;
            continue;
        } else {
            n = take_run(&s, run, sizeof run);
        }
        run[n] = '\0';
        cairo_text_extents_t e;
        cairo_set_font_size(f->cr, index ? 0.72 * size : size);
        cairo_text_extents(f->cr, run, &e);
        if (draw) {
            cairo_move_to(f->cr, x, index ? 0.22 * size : 0);
            cairo_show_text(f->cr, run);
        }
        x += e.x_advance;
    }
    cairo_set_font_face(f->cr, plain);
    cairo_font_face_destroy(plain);
    return x;
}

double bal_figure_text(BalFigure *f, double x, double y, double size, int align, bool turned, const char *fmt, ...) {
    BalText t = {0};
    va_list ap;
    va_start(ap, fmt);
    bal_text_vf(&t, fmt, ap);
    va_end(ap);
    double width = walk_text(f, bal_text_str(&t), size, false);
    cairo_save(f->cr);
    cairo_translate(f->cr, x, y);
    if (turned) cairo_rotate(f->cr, -M_PI / 2);
    cairo_translate(f->cr, -width * (align + 1) / 2, 0);
    walk_text(f, bal_text_str(&t), size, true);
    cairo_restore(f->cr);
    f->bytes.failed |= t.failed; /* a figure without its words is none: bal_figure_finish says so */
    bal_text_reset(&t);
    return width;
}

const char *bal_figure_count(char *out, int64_t n) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), to = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = '\0';
    return out;
}

void bal_figure_frame(BalFigure *f, double x, double y, double w, double h, const BalAxis *across, const BalAxis *up) {
    const double tick = 3, size = 8;
    bal_figure_colour(f, bal_colour_ink, 1);
    cairo_set_line_width(f->cr, 0.8);
    cairo_rectangle(f->cr, x, y, w, h);
    cairo_stroke(f->cr);
    double widest = 0;
    for (int k = 0; across && across->min + k * across->step <= across->max + 1e-9; k++) {
        double v = across->min + k * across->step, at = x + w * (v - across->min) / (across->max - across->min);
        bal_figure_line(f, at, y + h, at, y + h + tick, 0.8);
        bal_figure_text(f, at, y + h + tick + size + 1, size, 0, false, "%s%.*f", v < 0 ? "−" : "", across->decimals,
                        fabs(v));
    }
    for (int k = 0; up && up->min + k * up->step <= up->max + 1e-9; k++) {
        double v = up->min + k * up->step, at = y + h - h * (v - up->min) / (up->max - up->min);
        bal_figure_line(f, x, at, x - tick, at, 0.8);
        widest =
            fmax(widest, bal_figure_text(f, x - tick - 2, at + 0.36 * size, size, 1, false, "%.*f", up->decimals, v));
    }
    if (across && across->label)
        bal_figure_text(f, x + w / 2, y + h + tick + 2.75 * size, 9, 0, false, "%s", across->label);
    if (up && up->label) bal_figure_text(f, x - tick - widest - 9, y + h / 2, 9, 0, true, "%s", up->label);
}
