/* Figures: the kind follows the path, equal input gives equal bytes, the colour of cells follows the counts. */
#include "../base/fault.h"

#include <math.h>
#include <avbalance/report.h>
#include "base/text.h"
#include "report/figure.h"
#include "report/tables.h"

static BalError err;

static void fill(BalHeatmap *h) {
    memset(h, 0, sizeof *h);
    for (int i = 0; i < 400; i++) bal_heatmap_add(h, (i % 20) / 20.0, (i / 20) * (i / 20) / 400.0);
}

static const unsigned char *bytes_of(const char *path, BalText *t) {
    assert_ok(bal_file_read(path, 0, t, &err));
    return (const unsigned char *)t->data;
}

static void test_kinds(void **state) {
    (void)state;
    static BalHeatmap h;
    static const struct {
        const char *name, *magic;
    } kind[] = {{"a.png", "\x89PNG"}, {"a.svg", "<?xml"}, {"a.pdf", "%PDF"}};
    BalText first = {0}, second = {0};
    BalFigureSpec spec = bal_figure_spec_default();
    const double t[2] = {0.2, 0.4};
    spec.threshold = t;
    spec.n_thresholds = 2;
    spec.title = "speech_and *music*";
    fill(&h);
    for (int k = 0; k < 3; k++) {
        const char *path = scratch(kind[k].name);
        assert_ok(bal_figure_heatmap(&h, &spec, path, &err));
        assert_memory_equal(bytes_of(path, &first), kind[k].magic, strlen(kind[k].magic));
        assert_ok(bal_figure_heatmap(&h, &spec, path, &err));
        bytes_of(path, &second);
        if (k != 1) { /* SVG numbers its glyphs through the life of the process */
            assert_int_equal(first.len, second.len);
            assert_memory_equal(first.data, second.data, first.len);
        }
    }
    assert_fails(bal_figure_heatmap(&h, &spec, scratch("a.gif"), &err), BAL_E_ARG, ".png, .svg or .pdf");
    assert_fails(bal_figure_heatmap(&h, &spec, scratch("no/such/a.png"), &err), BAL_E_IO, "no/such/a.png");
    memset(&h, 0, sizeof h);
    assert_fails(bal_figure_heatmap(&h, &spec, scratch("e.png"), &err), BAL_E_ARG, "empty");
    bal_text_reset(&first);
    bal_text_reset(&second);
}

/* Words of any length, and of any bytes: a character is never cut in two, and what is none becomes a question mark. */
static void test_words(void **state) {
    (void)state;
    static BalHeatmap h;
    BalFigureSpec spec = bal_figure_spec_default();
    char title[400];
    fill(&h);
    spec.title = title;
    for (int n = 250; n < 258; n++) {
        memset(title, 'x', (size_t)n);
        strcpy(title + n, "\xE2\x88\x92 and more");
        assert_ok(bal_figure_heatmap(&h, &spec, scratch("w.png"), &err));
    }
    strcpy(title, "tr\xE4n \xFF\xE2\x88");
    assert_ok(bal_figure_heatmap(&h, &spec, scratch("w.svg"), &err));
}

/* Pixels of a PNG that have a colour. */
static int count_pixels(const char *path, BalRgb c) {
    cairo_surface_t *s = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    const unsigned char *data = cairo_image_surface_get_data(s);
    int stride = cairo_image_surface_get_stride(s), n = 0;
    for (int y = 0; y < cairo_image_surface_get_height(s); y++)
        for (int x = 0; x < cairo_image_surface_get_width(s); x++) {
            const unsigned char *p = data + y * stride + 4 * x; /* B G R x */
            n += abs(p[2] - (int)lround(255 * c.r)) < 3 && abs(p[1] - (int)lround(255 * c.g)) < 3 &&
                 abs(p[0] - (int)lround(255 * c.b)) < 3;
        }
    cairo_surface_destroy(s);
    return n;
}

static void test_one_clip(void **state) {
    (void)state;
    static BalHeatmap h;
    BalFigureSpec spec = bal_figure_spec_default();
    memset(&h, 0, sizeof h);
    bal_heatmap_add(&h, 1, 0);
    assert_ok(bal_figure_heatmap(&h, &spec, scratch("one.png"), &err));
    /* the cell of 7 x 7 pixels, and the bar, in the middle of the scale */
    assert_in_range(count_pixels(scratch("one.png"), bal_colour_map(0.525)), 40, 1e6);
}

static BalRgb bar_of(BalRgb c) {
    return (BalRgb){0.15 + 0.85 * c.r, 0.15 + 0.85 * c.g, 0.15 + 0.85 * c.b};
}

/* Ties belong to neither side, in the figure as in the lists. */
static void test_ties(void **state) {
    (void)state;
    static const char *const tables[2] = {"id,u_audio,u_visual\na,0.5,0.5\nb,0.2,0.2\n",
                                          "id,u_audio,u_visual\na,1,0.5\n"};
    BalFigureSpec spec = bal_figure_spec_default();
    for (int k = 0; k < 2; k++) {
        BalScores s = {0};
        const char *path = scratch("t.csv");
        assert_ok(bal_file_write(path, tables[k], strlen(tables[k]), &err));
        assert_ok(bal_scores_load(&s, path, NULL, &err));
        assert_ok(bal_figure_discrepancy(&s, &spec, scratch("t.png"), &err));
        int grey = count_pixels(scratch("t.png"), bar_of(bal_colour_grey)),
            heard = count_pixels(scratch("t.png"), bar_of(bal_colour_audio));
        assert_in_range(k ? heard : grey, 3000, 20000); /* words have some such pixels too */
        assert_in_range(k ? grey : heard, 0, 1000);
        bal_scores_reset(&s);
    }
}

/* From light to dark without a step back: lightness must order the shares, also in grey print. */
static void test_colours(void **state) {
    (void)state;
    double before = 2;
    for (int i = 0; i <= 100; i++) {
        BalRgb c = bal_colour_map(i / 100.0);
        double light = 0.2126 * pow(c.r, 2.2) + 0.7152 * pow(c.g, 2.2) + 0.0722 * pow(c.b, 2.2);
        assert_true(light < before);
        before = light;
    }
}

static void test_scores(void **state) {
    (void)state;
    BalScores s = {0};
    const char *path = scratch("s.csv");
    const char *text = "id,split,u_audio,u_visual,sd_audio,sd_visual,correct_audio,correct_visual\na,train,0.1,0.9,0.2,"
                       "0.1,0,1\nb,test,1,0,0,0,1,0\n"
                       "c,,0.5,0.5,0.5,,0.5,\n";
    BalFigureSpec spec = bal_figure_spec_default();
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    assert_ok(bal_scores_load(&s, path, NULL, &err));
    assert_ok(bal_figure_datamap(&s, &spec, scratch("map.png"), &err));
    assert_ok(bal_figure_discrepancy(&s, &spec, scratch("d.pdf"), &err));
    bal_scores_reset(&s);
    text = "id,u_audio,u_visual\na,0.1,0.9\n";
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    assert_ok(bal_scores_load(&s, path, NULL, &err));
    assert_fails(bal_figure_datamap(&s, &spec, scratch("map2.png"), &err), BAL_E_FORMAT, "sd_audio");
    assert_ok(bal_figure_discrepancy(&s, &spec, scratch("d.svg"), &err));
    assert_false(bal_file_exists(scratch("map2.png")));
    bal_scores_reset(&s);
}

static BalStatus draw_once(void *user, BalError *e) {
    BalFigureSpec spec = bal_figure_spec_default();
    return bal_figure_curves(user, &spec, scratch("once.svg"), e);
}

static BalStatus write_once(void *user, BalError *e) {
    BalText out = {0};
    BalStatus rc = BAL_OK;
    for (int k = 0; k < BAL_TABLES && rc >= 0; k++) {
        bal_text_reset(&out);
        bal_table_formats[k].write(&out, user);
        rc = bal_text_ok(&out, e);
    }
    bal_text_reset(&out);
    return rc;
}

/* The curve of the audio-only model is there in its colour, and an empty subset leaves a gap instead of a line. */
static void test_curves(void **state) {
    (void)state;
    BalScores s = {0};
    BalPredictions p[2] = {{0}};
    BalEvaluation e = {0};
    BalFigureSpec spec = bal_figure_spec_default();
    const BalEvaluateSpec every = {.replicates = 10, .threads = 1};
    const char *path = scratch("c.csv"), *answers = scratch("audio.csv");
    const char *text = "id,label,u_audio,u_visual\na,x,1,0.4\nb,y,0.2,0.5\nc,x,0.9,0\n";
    assert_ok(bal_file_write(path, text, strlen(text), &err));
    assert_ok(bal_scores_load(&s, path, NULL, &err));
    text = "id,prediction\na,x\nb,x\nc,x\n";
    assert_ok(bal_file_write(answers, text, strlen(text), &err));
    assert_ok(bal_predictions_load(&p[0], answers, &s, NULL, &err));
    assert_ok(
        bal_predictions_load(&p[1], answers, &s, &(BalPredictionsSpec){.name = "a method with a long name"}, &err));
    assert_ok(bal_evaluate(&e, &s, p, 2, &every, &err));
    assert_ok(bal_figure_curves(&e, &spec, scratch("c.png"), &err));
    assert_in_range(count_pixels(scratch("c.png"), bal_colour_audio), 2000, 20000);
    assert_ok(bal_figure_curves(&e, &spec, scratch("c.pdf"), &err));
    assert_fails(bal_figure_curves(&e, &spec, scratch("c.jpg"), &err), BAL_E_ARG, ".png, .svg or .pdf");
    assert_in_range(fault_each_allocation(draw_once, &e), 50, 1000); /* neither a figure nor a table lacks a word */
    assert_in_range(fault_each_allocation(write_once, &e), 20, 1000);
    e.row[0].modality = BAL_MODALITY_VISUAL; /* the same lines in another colour, but for words and bars */
    assert_ok(bal_figure_curves(&e, &spec, scratch("d.png"), &err));
    assert_in_range(count_pixels(scratch("d.png"), bal_colour_audio), 0, 1500);
    bal_evaluation_reset(&e);
    assert_fails(bal_figure_curves(&e, &spec, scratch("e.png"), &err), BAL_E_ARG, "no method");
    for (int k = 0; k < 2; k++) bal_predictions_reset(&p[k]);
    bal_scores_reset(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),    cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_one_clip), cmocka_unit_test(test_ties),
                                       cmocka_unit_test(test_colours),  cmocka_unit_test(test_scores),
                                       cmocka_unit_test(test_curves)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
