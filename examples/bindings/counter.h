/* The library of this example: a counter that lives in C. Every binding wraps this one. */
#ifndef COUNTER_H
#define COUNTER_H

#include "haft.h"

HAFT_DECLARE_TYPE(counter_type);

/* A counter, whose handle is created in the name of a place in words: a script's line. On failure nothing is left. */
haft_status counter_new(int64_t value, const char *place, haft_handle *handle);

/* Adds to a counter. Any thread, whoever closes it meanwhile. */
haft_status counter_add(haft_handle handle, int64_t amount, int64_t *sum);

/* Closes a counter that is still open: for garbage collectors, which come after whoever closed it by hand. */
void counter_collect(haft_handle handle);

/* The leak report, in memory of malloc's; NULL where there is none. */
char *counter_leaks(void);

#endif
