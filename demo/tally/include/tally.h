/* tally: counts by name. A small Rust library, used through handles.
 *
 * Every function returns a status: 0, one of haft's (a handle that is stale, of another type, ...), or one of those below.
 * tally_last_error() tells this thread's last failure in a sentence. All functions may be called on any thread, with any integers. */
#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TALLY_OK 0
#define TALLY_OVERFLOW 1000
#define TALLY_NO_SUCH_NAME 1001

typedef uint64_t tally;
typedef uint64_t tally_cursor;

/* A new, empty tally. It is the caller's to destroy. */
int32_t tally_new(tally *out);
/* Adds to a name's count. *borrows* name, which is UTF-8. */
int32_t tally_add(tally tally, const char *name, uint64_t amount);
/* A name's count. *borrows* name. */
int32_t tally_count(tally tally, const char *name, uint64_t *out);

/* A cursor over the names as they are now, in order. It is the caller's to destroy, and may outlive the tally. */
int32_t tally_names(tally tally, tally_cursor *out);
/* The next name, cut off to fit size bytes; *has is 0 at the end. *borrows* buffer. */
int32_t tally_cursor_next(tally_cursor cursor, char *buffer, size_t size, int32_t *has);

/* Destroys a tally or a cursor; 0 is accepted. Other threads may be using it: it goes when the last one is done. */
int32_t tally_destroy(uint64_t handle);

/* Stays until this thread asks again. */
const char *tally_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
