// The cycle from C: create, get, read, release, remove.

#include "haft.h"

static const haft_type number_type = {"number", 0};

// The sum of what was read, so that nothing is left out.
uint64_t cycle_from_c(uint32_t count) {
    uint64_t sum = 0;
    for (uint64_t value = 0; value < count; value++) {
        haft_handle handle;
        haft_ref ref;
        if (haft_new(&number_type, (void *)(uintptr_t)value, &handle) != HAFT_OK) {
            return 0;
        }
        if (haft_get(&number_type, handle, &ref) != HAFT_OK) {
            return 0;
        }
        sum += (uintptr_t)ref.object;
        haft_release(&ref);
        haft_remove(handle);
    }
    return sum;
}
