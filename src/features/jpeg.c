/* JPEG through libjpeg-turbo, which reports errors by calling back: the callback jumps out of it (setjmp), so nothing that must be
 * freed is owned by the frames in between.
 *
 * Bytes from outside are checked before memory is taken: a JPEG codes an 8 x 8 block in no less than one bit per component, so a
 * picture of more than 512 pixels per byte claims more than it can hold. Scans are counted, since a progressive file can ask for
 * thousands of passes. libjpeg's warnings (missing data filled with grey) are failures here: a damaged frame must not pass. */
#include "features/jpeg.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include "base/mem.h"

enum { MAX_SCANS = 100 };
static const int64_t max_pixels = (int64_t)64 << 20, max_pixels_per_byte = 512;

typedef struct Guard {
    struct jpeg_error_mgr mgr; /* first: libjpeg hands back a pointer to it */
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    char text[JMSG_LENGTH_MAX];
} Guard;

static _Noreturn void on_error(j_common_ptr j) {
    Guard *g = (Guard *)(void *)j->err;
    g->mgr.format_message(j, g->text);
    longjmp(g->out, 1);
}

static void on_message(j_common_ptr j, int level) {
    if (level < 0) on_error(j);
}

static void on_progress(j_common_ptr j) {
    Guard *g = (Guard *)(void *)j->err;
    if (((j_decompress_ptr)(void *)j)->input_scan_number <= MAX_SCANS) return;
    snprintf(g->text, sizeof g->text, "more than %d scans", MAX_SCANS);
    longjmp(g->out, 1);
}

static struct jpeg_error_mgr *guard(Guard *g) {
    jpeg_std_error(&g->mgr);
    g->mgr.error_exit = on_error;
    g->mgr.emit_message = on_message;
    g->progress.progress_monitor = on_progress;
    return &g->mgr;
}

BalStatus bal_jpeg_write(BalText *out, const uint8_t *px, int h, int w, int c, int quality, BalError *err) {
    if (h < 1 || w < 1 || h > JPEG_MAX_DIMENSION || w > JPEG_MAX_DIMENSION || (c != 1 && c != 3))
        return BAL_FAIL(err, BAL_E_ARG, "JPEG cannot hold %d x %d pixels of %d channels", h, w, c);
    struct jpeg_compress_struct j;
    Guard g = {0};
    unsigned char *volatile data = NULL; /* libjpeg's own malloc */
    unsigned char *grown = NULL;
    unsigned long n = 0;
    j.err = guard(&g);
    if (setjmp(g.out)) {
        jpeg_destroy_compress(&j);
        free(data);
        return BAL_FAIL(err, BAL_E_ARG, "cannot write a JPEG: %s", g.text);
    }
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &grown, &n);
    j.image_width = (JDIMENSION)w;
    j.image_height = (JDIMENSION)h;
    j.input_components = c;
    j.in_color_space = c == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, quality, TRUE);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(px + (size_t)j.next_scanline * (size_t)w * (size_t)c);
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    data = grown;
    bal_text_add_n(out, (const char *)data, n);
    jpeg_destroy_compress(&j);
    free(data);
    return bal_text_ok(out, err);
}

/* Header to frame size; false with the reason in g->text. */
static bool accept(j_decompress_ptr j, const BalFrames *f, size_t n, Guard *g) {
    int64_t pixels = (int64_t)j->image_width * j->image_height;
    if (pixels > max_pixels || pixels / max_pixels_per_byte > (int64_t)n)
        snprintf(g->text, sizeof g->text, "%u x %u pixels in %zu bytes", j->image_width, j->image_height, n);
    else if (j->num_components != 1 && j->num_components != 3)
        snprintf(g->text, sizeof g->text, "%d colour components, must be 1 or 3", j->num_components);
    else if (f->n > 0 &&
             ((int)j->image_width != f->width || (int)j->image_height != f->height || j->num_components != f->channels))
        snprintf(g->text, sizeof g->text, "%u x %u pixels where the clip's frames have %d x %d", j->image_width,
                 j->image_height, f->width, f->height);
    else
        return true;
    return false;
}

BalStatus bal_jpeg_read(BalFrames *out, const void *data, size_t n, const char *name, BalError *err) {
    struct jpeg_decompress_struct j;
    Guard g = {0};
    j.err = guard(&g);
    if (setjmp(g.out)) {
        jpeg_destroy_decompress(&j);
        return BAL_FAIL(err, BAL_E_FORMAT, "%s: not a usable JPEG: %s", name, g.text);
    }
    jpeg_create_decompress(&j);
    j.progress = &g.progress;
    jpeg_mem_src(&j, data, (unsigned long)n);
    jpeg_read_header(&j, TRUE);
    if (!accept(&j, out, n, &g)) longjmp(g.out, 1);
    j.out_color_space = j.num_components == 3 ? JCS_RGB : JCS_GRAYSCALE;
    size_t width = (size_t)j.image_width * (size_t)j.num_components, frame = width * j.image_height;
    BalStatus rc = bal_grow(&out->data, &out->cap, frame * ((size_t)out->n + 1), 1, err);
    if (rc < 0) {
        jpeg_destroy_decompress(&j);
        return rc;
    }
    jpeg_start_decompress(&j);
    while (j.output_scanline < j.output_height) {
        JSAMPROW row = out->data + frame * (size_t)out->n + width * j.output_scanline;
        jpeg_read_scanlines(&j, &row, 1);
    }
    jpeg_finish_decompress(&j);
    out->height = (int)j.image_height;
    out->width = (int)j.image_width;
    out->channels = j.num_components;
    out->n++;
    jpeg_destroy_decompress(&j);
    return BAL_OK;
}
