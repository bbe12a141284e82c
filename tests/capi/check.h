// What a C test needs: a check that says where it failed, and ends the program.
#ifndef CHECK_H
#define CHECK_H

#include <haft.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint checks;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        checks += 1;                                                                                                   \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: failed: %s\n  last error: %s\n", __FILE__, __LINE__, #condition, haft_last_error());\
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

// The status, and that the sentence of the last error has each of two pieces.
#define FAILS(call, status, piece, other)                                                                              \
    do {                                                                                                               \
        CHECK((call) == (status));                                                                                     \
        CHECK(strstr(haft_last_error(), (piece)) != NULL);                                                             \
        CHECK(strstr(haft_last_error(), (other)) != NULL);                                                             \
    } while (0)

#endif
