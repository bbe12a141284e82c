/* Node-API: the four functions that `counter.js` makes a class of. Loaded once in each thread of JavaScript. */
#include "../counter.h"
#include <node_api.h>
#include <stdlib.h>

static napi_value fail(napi_env env) {
    napi_throw_error(env, NULL, haft_last_error());
    return NULL;
}

/* A handle is a number (the kind has 53 bits) or a BigInt. Anything else is none, which haft says. */
static haft_handle handle_of(napi_env env, napi_value value) {
    double number;
    uint64_t bits;
    bool lossless;
    if (napi_get_value_double(env, value, &number) == napi_ok) {
        /* (A number that does not fit an integer must not be cast.) */
        return number >= 0 && number <= 9007199254740991.0 ? (haft_handle)number : 0;
    }
    return napi_get_value_bigint_uint64(env, value, &bits, &lossless) == napi_ok && lossless ? bits : 0;
}

/* create(value, place): the handle. */
static napi_value create(napi_env env, napi_callback_info info) {
    napi_value arguments[2], result;
    size_t count = 2, length;
    int64_t value;
    char place[256];
    haft_handle handle;
    napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
    if (count < 2 || napi_get_value_int64(env, arguments[0], &value) != napi_ok ||
        napi_get_value_string_utf8(env, arguments[1], place, sizeof place, &length) != napi_ok) {
        napi_throw_type_error(env, NULL, "create(value, place): a number and a text");
        return NULL;
    }
    if (counter_new(value, place, &handle) != HAFT_OK) {
        return fail(env);
    }
    napi_create_double(env, (double)handle, &result);
    return result;
}

/* add(handle, amount): the sum. */
static napi_value add(napi_env env, napi_callback_info info) {
    napi_value arguments[2], result;
    size_t count = 2;
    int64_t amount, sum;
    napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
    if (count < 2 || napi_get_value_int64(env, arguments[1], &amount) != napi_ok) {
        napi_throw_type_error(env, NULL, "add(handle, amount): a handle and a number");
        return NULL;
    }
    if (counter_add(handle_of(env, arguments[0]), amount, &sum) != HAFT_OK) {
        return fail(env);
    }
    napi_create_int64(env, sum, &result);
    return result;
}

static napi_value remove_counter(napi_env env, napi_callback_info info) {
    napi_value argument;
    size_t count = 1;
    napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
    return haft_remove(handle_of(env, argument)) == HAFT_OK ? NULL : fail(env);
}

static napi_value collect(napi_env env, napi_callback_info info) {
    napi_value argument;
    size_t count = 1;
    napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
    counter_collect(handle_of(env, argument));
    return NULL;
}

static napi_value live(napi_env env, napi_callback_info info) {
    (void)info;
    napi_value result;
    napi_create_double(env, (double)haft_live(), &result);
    return result;
}

static napi_value leaks(napi_env env, napi_callback_info info) {
    (void)info;
    napi_value result;
    char *text = counter_leaks();
    napi_create_string_utf8(env, text == NULL ? "" : text, NAPI_AUTO_LENGTH, &result);
    free(text);
    return result;
}

NAPI_MODULE_INIT() {
    if (haft_narrow(&counter_type, 53) != HAFT_OK) {
        return fail(env);
    }
    const napi_property_descriptor all[] = {
        {"create", NULL, create, NULL, NULL, NULL, napi_enumerable, NULL},
        {"add", NULL, add, NULL, NULL, NULL, napi_enumerable, NULL},
        {"remove", NULL, remove_counter, NULL, NULL, NULL, napi_enumerable, NULL},
        {"collect", NULL, collect, NULL, NULL, NULL, napi_enumerable, NULL},
        {"live", NULL, live, NULL, NULL, NULL, napi_enumerable, NULL},
        {"leaks", NULL, leaks, NULL, NULL, NULL, napi_enumerable, NULL},
    };
    napi_define_properties(env, exports, sizeof all / sizeof *all, all);
    return exports;
}
