// A C program that uses the library, and makes every mistake that it can.
#include "include/tally.h"
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    tally fruit = 0;
    uint64_t count = 0;
    assert(tally_new(&fruit) == TALLY_OK);
    assert(tally_add(fruit, "pear", 2) == TALLY_OK);
    assert(tally_add(fruit, "apple", 5) == TALLY_OK);
    assert(tally_add(fruit, "pear", 1) == TALLY_OK);
    assert(tally_count(fruit, "pear", &count) == TALLY_OK && count == 3);

    tally_cursor names = 0;
    char name[6];
    int32_t has = 0;
    assert(tally_names(fruit, &names) == TALLY_OK);
    assert(tally_cursor_next(names, name, sizeof name, &has) == TALLY_OK && has && strcmp(name, "apple") == 0);
    assert(tally_cursor_next(names, name, 3, &has) == TALLY_OK && has && strcmp(name, "pe") == 0);
    assert(tally_cursor_next(names, name, sizeof name, &has) == TALLY_OK && !has);

    // Mistakes are statuses and sentences.
    assert(tally_add(fruit, "apple", UINT64_MAX) == TALLY_OVERFLOW);
    assert(tally_count(fruit, "plum", &count) == TALLY_NO_SUCH_NAME && count == 3);
    assert(strcmp(tally_last_error(), "no such name was counted") == 0);
    assert(tally_add(fruit, NULL, 1) != TALLY_OK && strstr(tally_last_error(), "`name`"));
    assert(tally_add(fruit, "\xff", 1) != TALLY_OK && strstr(tally_last_error(), "UTF-8"));
    assert(tally_new(NULL) != TALLY_OK && tally_names(fruit, NULL) != TALLY_OK);
    assert(tally_add(names, "apple", 1) != TALLY_OK && strstr(tally_last_error(), "Cursor"));
    assert(tally_add((tally)&fruit, "apple", 1) != TALLY_OK && strstr(tally_last_error(), "address"));
    assert(tally_destroy(fruit) == TALLY_OK && tally_destroy(fruit) != TALLY_OK);
    assert(strstr(tally_last_error(), "stale"));
    assert(tally_destroy(names) == TALLY_OK && tally_destroy(0) == TALLY_OK);
    puts("tally: all checks passed");
    return 0;
}
