#include "counter.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct counter {
    _Atomic int64_t value;
} counter;

static void destroy(void *object) { free(object); }

HAFT_DEFINE_TYPE(counter_type, "counter", destroy);

haft_status counter_new(int64_t value, const char *place, haft_handle *handle) {
    counter *made = malloc(sizeof *made);
    if (made == NULL) {
        return HAFT_FULL;
    }
    atomic_init(&made->value, value);
    haft_status status = haft_new_named(&counter_type, made, handle, place);
    if (status != HAFT_OK) {
        free(made);
    }
    return status;
}

haft_status counter_add(haft_handle handle, int64_t amount, int64_t *sum) {
    haft_ref ref;
    haft_status status = haft_get(&counter_type, handle, &ref);
    if (status == HAFT_OK) {
        /* The reference keeps the counter until it is released. */
        *sum = atomic_fetch_add(&((counter *)ref.object)->value, amount) + amount;
        status = haft_release(&ref);
    }
    return status;
}

void counter_collect(haft_handle handle) {
    if (haft_is_live(handle)) {
        haft_remove(handle);
    }
}

static int gather(void *context, const char *text, size_t length) {
    char **all = context;
    size_t before = *all == NULL ? 0 : strlen(*all);
    char *more = realloc(*all, before + length + 1);
    if (more == NULL) {
        return 1;
    }
    memcpy(more + before, text, length);
    more[before + length] = 0;
    *all = more;
    return 0;
}

char *counter_leaks(void) {
    char *all = NULL;
    haft_report(gather, &all);
    return all;
}
