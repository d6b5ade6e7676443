/* Frames: PIL's resize and grey to the bit, torchvision's transforms, JPEG of good and bad bytes. */
#include "../base/fault.h"
#include <avbalance/features.h>
#include <math.h>
#include "base/mem.h"
#include "base/rng.h"
#include "features/jpeg.h"
#include "golden.h"

enum { H = 45, W = 70 };
static BalError err;
static uint8_t px[H * W * 3];

static int setup(void **state) {
    (void)state;
    golden_picture(px, H, W, 3);
    return 0;
}

static void resize_case(const char *golden, const int box[4], int h, int w) {
    BalMap map = {0};
    uint8_t out[64 * 64 * 3];
    const void *want = golden_load(&map, golden, BAL_NPY_U8, (size_t)(h * w * 3));
    assert_ok(bal_resize_u8(px, H, W, 3, box, out, h, w, &err));
    assert_memory_equal(out, want, h * w * 3);
    bal_map_close(&map);
}

static void test_resize(void **state) {
    (void)state;
    resize_case("resize_reduce.npy", (int[]){0, 0, H, W}, 20, 23);
    resize_case("resize_crop.npy", (int[]){5, 11, 30, 40}, 24, 24);
    resize_case("resize_enlarge.npy", (int[]){40, 60, 5, 10}, 17, 31);
    uint8_t same[H * W * 3];
    assert_ok(bal_resize_u8(px, H, W, 3, (int[]){0, 0, H, W}, same, H, W, &err));
    assert_memory_equal(same, px, sizeof px);
    assert_fails(bal_resize_u8(px, H, W, 3, (int[]){0, 1, H, W}, same, H, W, &err), BAL_E_ARG, "box");
    assert_fails(bal_resize_u8(px, H, W, 3, (int[]){0, 0, H, W}, same, 0, W, &err), BAL_E_ARG, "resize");
}

static void test_resize_keeps_flat(void **state) {
    (void)state;
    uint8_t flat[9 * 7 * 4], out[40 * 33 * 4];
    memset(flat, 255, sizeof flat);
    for (int c = 1; c <= 4; c++) {
        memset(out, 0, sizeof out);
        assert_ok(bal_resize_u8(flat, 9, 7, c, (int[]){0, 0, 9, 7}, out, 40, 33, &err));
        for (int i = 0; i < 40 * 33 * c; i++) assert_int_equal(out[i], 255);
    }
}

/* Pictures of one pixel's width, in blocks of exactly their size, so that the address sanitizer sees a step too far. */
static void test_resize_narrow(void **state) {
    (void)state;
    uint8_t out[16 * 16 * 4];
    for (int c = 1; c <= 4; c++)
        for (int w = 1; w <= 4; w++) {
            uint8_t *narrow = malloc((size_t)(5 * w * c));
            memset(narrow, 255, (size_t)(5 * w * c));
            assert_ok(bal_resize_u8(narrow, 5, w, c, (int[]){0, 0, 5, w}, out, 16, 16, &err));
            for (int i = 0; i < 16 * 16 * c; i++) assert_int_equal(out[i], 255);
            free(narrow);
        }
}

static void test_prepare(void **state) {
    (void)state;
    BalMap map = {0};
    BalFrames f = {0};
    BalVisualRecipe r = bal_feature_recipe_default().visual;
    BalClipMedia m = {.frames = px, .n_frames = 1, .height = H, .width = W};
    assert_ok(bal_frames_prepare(&r, &m, &f, &err)); /* smaller than store_size: as decoded */
    assert_int_equal(f.height, H);
    assert_memory_equal(f.data, px, sizeof px);
    r.store_size = 20, r.grey = true;
    assert_ok(bal_frames_prepare(&r, &m, &f, &err));
    assert_int_equal(f.height, 20);
    assert_int_equal(f.width, 31);
    assert_int_equal(f.channels, 1);
    assert_memory_equal(f.data, golden_load(&map, "grey.npy", BAL_NPY_U8, 20 * 31), 20 * 31);
    r.store_size = 56, r.square = true;
    assert_ok(bal_frames_prepare(&r, &m, &f, &err));
    assert_int_equal(f.height, 56);
    assert_int_equal(f.width, 56);
    m.n_frames = 0;
    assert_fails(bal_frames_prepare(&r, &m, &f, &err), BAL_E_MEDIA, "no frame");
    bal_frames_reset(&f);
    bal_map_close(&map);
}

static void test_test_transform(void **state) {
    (void)state;
    BalMap map = {0};
    BalInputRecipe r = bal_input_recipe_default();
    r.image_size = 16;
    float out[3 * 16 * 16];
    const float *want = golden_load(&map, "test_transform.npy", BAL_NPY_F32, 3 * 16 * 16);
    assert_ok(bal_frame_transform(&r, px, H, W, 3, false, NULL, out, &err));
    for (int i = 0; i < 3 * 16 * 16; i++) assert_true(fabsf(out[i] - want[i]) < 1e-6F);
    bal_map_close(&map);
}

/* Crops of a picture that holds its own coordinates: inside the frame, of the asked area and aspect, a function of the key alone. */
static void test_train_transform(void **state) {
    (void)state;
    enum { SIDE = 200, N = 300 };
    static uint8_t own[SIDE * SIDE * 3];
    for (int i = 0; i < SIDE * SIDE; i++) {
        own[3 * i] = (uint8_t)(i / SIDE);
        own[3 * i + 1] = (uint8_t)(i % SIDE);
    }
    BalInputRecipe r = bal_input_recipe_default();
    r.image_size = 100, r.colour = 2;
    static float out[3 * 100 * 100], again[3 * 100 * 100];
    int flipped = 0;
    double least = 1, most = 0;
    for (int k = 0; k < N; k++) {
        BalRng rng = bal_rng(7, BAL_RNG_AUGMENT, 3, (uint64_t)k), same = rng;
        assert_ok(bal_frame_transform(&r, own, SIDE, SIDE, 3, true, &rng, out, &err));
        assert_ok(bal_frame_transform(&r, own, SIDE, SIDE, 3, true, &same, again, &err));
        assert_memory_equal(out, again, sizeof out);
        const float *y = out, *x = out + 100 * 100;
        double tall = (y[9900] - y[0]) * 255 + 1, wide = fabs((x[99] - x[0]) * 255.0) + 1,
               share = tall * wide / SIDE / SIDE;
        assert_true(tall / wide > 0.70 && tall / wide < 1.43);
        flipped += x[99] < x[0];
        least = share < least ? share : least;
        most = share > most ? share : most;
    }
    assert_true(least > 0.07 && least < 0.12 && most > 0.8 && most <= 1);
    assert_in_range(flipped, N / 2 - 40, N / 2 + 40);
    r.crop_min = r.crop_max = 1, r.flip = 0; /* nothing random left: the test transform */
    assert_ok(bal_frame_transform(&r, own, SIDE, SIDE, 3, true, &(BalRng){{0}, {0}, {0}, 0, 0, 0}, out, &err));
    assert_ok(bal_frame_transform(&r, own, SIDE, SIDE, 3, false, NULL, again, &err));
    assert_memory_equal(out, again, sizeof out);
}

static void test_frame_choose(void **state) {
    (void)state;
    int index[8];
    bal_frame_choose(10, 3, false, NULL, index);
    assert_int_equal(index[0], 1);
    assert_int_equal(index[1], 5);
    assert_int_equal(index[2], 8);
    bal_frame_choose(2, 5, false, NULL, index);
    const int few[5] = {0, 0, 1, 1, 1};
    assert_memory_equal(index, few, sizeof few);
    bool seen[10] = {false};
    for (uint64_t k = 0; k < 200; k++) {
        BalRng rng = bal_rng(1, BAL_RNG_TEST, 0, k);
        bal_frame_choose(10, 3, true, &rng, index);
        for (int i = 0; i < 3; i++) {
            assert_in_range(index[i], i * 10 / 3, (i + 1) * 10 / 3 - 1);
            seen[index[i]] = true;
        }
        bal_frame_choose(2, 5, true, &rng, index);
        for (int i = 0; i < 5; i++) assert_in_range(index[i], 0, 1);
    }
    for (int i = 0; i < 10; i++) assert_true(seen[i]);
}

static void test_jpeg(void **state) {
    (void)state;
    BalMap file = {0}, map = {0};
    BalText out = {0};
    BalFrames f = {0};
    assert_ok(bal_map_open(&file, GOLDEN_DIR "picture.jpg", &err));
    assert_ok(bal_jpeg_write(&out, px, H, W, 3, 95, &err));
    assert_int_equal(out.len, file.size); /* PIL's file, byte for byte */
    assert_memory_equal(out.data, file.data, file.size);
    assert_ok(bal_jpeg_read(&f, out.data, out.len, "clip", &err));
    assert_ok(bal_jpeg_read(&f, out.data, out.len, "clip", &err)); /* a second frame behind the first */
    assert_int_equal(f.n, 2);
    const uint8_t *want = golden_load(&map, "jpeg.npy", BAL_NPY_U8, sizeof px);
    assert_memory_equal(f.data, want, sizeof px);
    assert_memory_equal(f.data + sizeof px, want, sizeof px);
    bal_text_clear(&out);
    assert_ok(bal_jpeg_write(&out, px, H, W, 1, 80, &err));
    assert_fails(bal_jpeg_read(&f, out.data, out.len, "clip", &err), BAL_E_FORMAT, "frames have");
    assert_fails(bal_jpeg_write(&out, px, 1, 70000, 1, 80, &err), BAL_E_ARG, "70000");
    bal_frames_reset(&f);
    bal_text_reset(&out);
    bal_map_close(&file);
    bal_map_close(&map);
}

static void test_bad_jpeg(void **state) {
    (void)state;
    BalMap file = {0};
    BalFrames f = {0};
    assert_ok(bal_map_open(&file, GOLDEN_DIR "cmyk.jpg", &err));
    assert_fails(bal_jpeg_read(&f, file.data, file.size, "cmyk.jpg", &err), BAL_E_FORMAT, "cmyk.jpg");
    bal_map_close(&file);
    assert_ok(bal_map_open(&file, GOLDEN_DIR "picture.jpg", &err));
    assert_fails(bal_jpeg_read(&f, file.data, 0, "empty", &err), BAL_E_FORMAT, "empty");
    assert_fails(bal_jpeg_read(&f, "<html>", 6, "page", &err), BAL_E_FORMAT, "page");
    for (size_t n = 2; n + 2 < file.size; n += 97) /* cut short: never half a picture */
        assert_fails(bal_jpeg_read(&f, file.data, n, "cut", &err), BAL_E_FORMAT, "cut");
    unsigned char *huge = NULL; /* a header that claims 65535 x 65535 */
    assert_ok(bal_alloc(&huge, file.size, 1, &err));
    memcpy(huge, file.data, file.size);
    for (size_t i = 0; i + 8 < file.size; i++)
        if (huge[i] == 0xFF && huge[i + 1] == 0xC0) memset(huge + i + 5, 0xFF, 4);
    assert_fails(bal_jpeg_read(&f, huge, file.size, "huge", &err), BAL_E_FORMAT, "pixels");
    assert_int_equal(f.n, 0);
    assert_int_equal(f.cap < 100000, true);
    bal_free(huge);
    bal_frames_reset(&f);
    bal_map_close(&file);
}

static BalStatus everything(void *user, BalError *e) {
    (void)user;
    static float out[3 * 16 * 16];
    BalText jpeg = {0};
    BalFrames f = {0}, again = {0};
    BalVisualRecipe r = bal_feature_recipe_default().visual;
    BalInputRecipe in = bal_input_recipe_default();
    BalClipMedia m = {.frames = px, .n_frames = 1, .height = H, .width = W};
    r.store_size = 20, r.grey = true, in.image_size = 16;
    BalStatus rc = bal_frames_prepare(&r, &m, &f, e);
    if (rc == BAL_OK) rc = bal_jpeg_write(&jpeg, f.data, f.height, f.width, f.channels, 90, e);
    if (rc == BAL_OK) rc = bal_jpeg_read(&again, jpeg.data, jpeg.len, "clip", e);
    if (rc == BAL_OK) rc = bal_frame_transform(&in, again.data, again.height, again.width, 1, false, NULL, out, e);
    bal_frames_reset(&f);
    bal_frames_reset(&again);
    bal_text_reset(&jpeg);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    assert_true(fault_each_allocation(everything, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize),         cmocka_unit_test(test_resize_keeps_flat),
        cmocka_unit_test(test_resize_narrow),  cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_test_transform), cmocka_unit_test(test_train_transform),
        cmocka_unit_test(test_frame_choose),   cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_bad_jpeg),       cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
