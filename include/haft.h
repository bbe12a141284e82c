/* haft: handles for C. A handle is an integer that names an object: never zero, never used twice, checked whenever it is used.
 *
 *     static void session_free(void *session) { free(session); }
 *     static const haft_type session_type = {"session", session_free};
 *
 *     haft_handle handle;
 *     if (HAFT_NEW(&session_type, session, &handle) != HAFT_OK) { puts(haft_last_error()); }
 *
 *     haft_ref ref;                                        // on any thread
 *     if (haft_get(&session_type, handle, &ref) == HAFT_OK) {
 *         use(ref.object);
 *         haft_release(&ref);
 *     }
 *     HAFT_REMOVE(handle);                                 // on any thread
 *
 * Who owns a pointer is said in one of three words. *borrows*: the call uses it and forgets it. *transfers*: it belongs to the other side afterwards.
 * *keeps*: it must stay for as long as is said. Texts that are returned are haft's: they are never freed by you.
 *
 * Any function may be called on any thread, unless it says otherwise, and from the functions that haft calls: `destroy`, writers, hooks. Those must
 * return: no `longjmp` and no C++ exception may leave them. Nothing of haft may be called in a signal handler. What a function returns through a pointer is written
 * on success only.
 *
 * Licence: MIT OR Apache-2.0. */


#ifndef HAFT_H
#define HAFT_H

/* Generated from src/capi by `cargo run -p haft-header`: do not edit. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* A kind for several files of C or C++: HAFT_DECLARE_TYPE(session_type); in the header, and in one file
 * HAFT_DEFINE_TYPE(session_type, "session", session_free); (A `static` descriptor in a header is another kind in each file.) */
#ifdef __cplusplus
#define HAFT_DECLARE_TYPE(type) extern "C" const haft_type type
#define HAFT_DEFINE_TYPE(type, name, destroy) extern "C" const haft_type type = {name, destroy}
#else
#define HAFT_DECLARE_TYPE(type) extern const haft_type type
#define HAFT_DEFINE_TYPE(type, name, destroy) const haft_type type = {name, destroy}
#endif

/* The same with the place in the source, which errors and reports then name. */
#define HAFT_NEW(type, object, out) haft_new_at((type), (object), (out), __FILE__, __LINE__)
#define HAFT_REMOVE(handle) haft_remove_at((handle), __FILE__, __LINE__)
#define HAFT_REMOVE_AND_WAIT(handle) haft_remove_and_wait_at((handle), __FILE__, __LINE__)
#define HAFT_TAKE(type, handle, out) haft_take_at((type), (handle), (out), __FILE__, __LINE__)


// Success.
#define HAFT_OK 0

// The handle is zero, which is never one.
#define HAFT_NULL_HANDLE 1

// Not of the form of a handle: an address, or damaged.
#define HAFT_MALFORMED 2

// No such handle was ever issued by this process (and this copy of haft).
#define HAFT_UNISSUED 3

// The handle was issued and is removed.
#define HAFT_STALE 4

// The handle is live and of another type.
#define HAFT_WRONG_TYPE 5

// The handle is live and belongs to another registry.
#define HAFT_WRONG_REGISTRY 6

// The handle is live, and held by as many counted references as there can be.
#define HAFT_TOO_MANY_HOLDS 7

// The limit, the handle space or the memory is exhausted.
#define HAFT_FULL 8

// A pointer that must not be null is.
#define HAFT_NULL_ARGUMENT 9

// The text is not UTF-8.
#define HAFT_NOT_TEXT 10

// Rust code panicked; what it did until then is done.
#define HAFT_PANIC 11

// The reference was released already, or is none.
#define HAFT_NOT_HELD 12

// The reference belongs to another thread.
#define HAFT_WRONG_THREAD 13

// The handle is removed, and somebody still holds the object: the last holder destroys it.
#define HAFT_IN_USE 14

// The writer asked to stop, or the output could not be written.
#define HAFT_NOT_WRITTEN 15

// Handles cannot be of this width, or the kind has handles of another one.
#define HAFT_WRONG_WIDTH 16

// The thread that wants to wait until nobody holds the object holds it itself.
#define HAFT_HELD_HERE 17

// The first number that haft will never use: from here on they are for the errors of others.
#define HAFT_OWN 1000

// The version of the header, to compare with what `haft_version` says of the library.
#define HAFT_VERSION_MAJOR 0

// See `HAFT_VERSION_MAJOR`.
#define HAFT_VERSION_MINOR 1

// See `HAFT_VERSION_MAJOR`.
#define HAFT_VERSION_PATCH 0

// How a call ended: one of the `HAFT_` numbers; 0 is success.
typedef int32_t haft_status;

// What all objects of one kind have in common. Make it `static const`: haft knows a kind by its address, and reads it whenever it is given.
typedef struct haft_type {
    // What the kind is called in errors and reports: it is copied. Null is allowed, and says nothing.
    const char *name;
    // Destroys an object when its handle is removed and nobody holds it any more, on the thread where that happens. It may call haft.
    // Null where there is nothing to do. haft *keeps* it until the last object of the kind is destroyed: so long must the library stay that has it.
    void (*destroy)(void *object);
} haft_type;

// A handle: an integer that names an object. Never zero, never used twice in one process. It fits `int64_t`, and is positive there.
typedef uint64_t haft_handle;

// A reference to an object, which stays as long as the reference is held. `object` and `handle` are for you to read.
//
// It belongs to the thread that got it, until it is shared. A copy of it is the same reference: releasing one releases both.
typedef struct haft_ref {
    // The object.
    void *object;
    // The handle that was looked up.
    haft_handle handle;
    // Private: where haft has it.
    uint64_t keeper;
    // Private: its number there; 0 for a reference that is not held.
    uint64_t number;
} haft_ref;

// Counters of the process, of C's handles and Rust's; each is exact where no thread makes or removes handles meanwhile.
//
// `haft_stats` writes the whole of it, so it only grows with a version whose shared library has another name: MAJOR or, as long as that is 0, MINOR.
// New members come last.
typedef struct haft_counters {
    // Handles created.
    uint64_t created;
    // Handles removed.
    uint64_t removed;
    // Live handles.
    uint64_t live;
    // Objects whose handle is removed and which are still held.
    uint64_t deferred;
    // Pages of slots.
    uint64_t pages;
    // Bytes of these pages.
    uint64_t bytes;
    // Slots that are never used again, because each of their generations was issued.
    uint64_t retired;
    // Slots that were freed by another thread than the one that made the handle, which has not taken them back yet. Memory, but no leak.
    uint64_t returned;
    // Misuses of handles, of all kinds; `haft_errors` has them one by one.
    uint64_t errors;
} haft_counters;

// Takes a piece of a report: `length` bytes of UTF-8, not ended by a zero, *borrowed* for the call. Returns 0 to go on, anything else to stop. It may call
// haft, and must return.
typedef int (*haft_writer)(void *context, const char *text, size_t length);

// Is told of a misuse of a handle: the handle, what the call will return, and the sentence, which is *borrowed* for the call. It may call
// haft.
typedef void (*haft_misuse_hook)(void *context,
                                 haft_handle handle,
                                 haft_status status,
                                 const char *text);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a handle of an object. As `HAFT_NEW`, which also records the place.
//
// *transfers* `object` to haft, which destroys it when the handle is removed and nobody holds it; any pointer is allowed, also null. *keeps*
// `type` until the last object of the kind is destroyed: make it `static const`. On failure the object is still the caller's. Any thread. Takes a lock
// where the thread meets the kind for the first time.
//
// Returns `HAFT_OK`, `HAFT_NULL_ARGUMENT` or `HAFT_FULL`.
//
// # Safety
//
// `type` is null or a valid descriptor that stays so long; `out` is null or can be written; `object` may be used and destroyed on any thread.
haft_status haft_new(const struct haft_type *type,
                     void *object,
                     haft_handle *out);

// Makes all handles of a kind narrow: below 2 to the power of `bits`, which is from 47 to 63. With 53 bits a handle is exact in a JavaScript number, a double or
// SQL's `REAL`; with 47 it fits a tagged pointer and LuaJIT's light userdata. Without this call it is 63.
//
// *borrows* `type`. Call it before any other function is given the kind. (Again, with the same width, it does nothing.) A slot serves fewer handles then, 16,383 with 47 bits, and
// is not used any more after that, so that none is issued twice. Any thread. Takes a lock.
//
// Returns `HAFT_OK`; `HAFT_WRONG_WIDTH` for another number of bits, or where the kind was used before, with another width; `HAFT_NULL_ARGUMENT`.
//
// # Safety
//
// `type` is null or a valid descriptor.
haft_status haft_narrow(const struct haft_type *type,
                        uint32_t bits);

// As `haft_new`, with the place for errors and reports; `HAFT_NEW` fills it in.
//
// *keeps* `file` for ever: a literal, as `__FILE__` is. (It is copied when it is first seen, and known by its address from then on. Null says nothing.) Any
// thread.
//
// # Safety
//
// As for `haft_new`; `file` is null or a C string that stays for ever.
haft_status haft_new_at(const struct haft_type *type,
                        void *object,
                        haft_handle *out,
                        const char *file,
                        uint32_t line_number);

// As `haft_new`, in the name of a place in words: of a script's line, say, on behalf of which a binding creates the handle. Errors and reports
// show the text.
//
// *borrows* `place`: its first 256 bytes are copied when it is first seen, and stay for ever. Null says nothing. haft remembers some 65,000 places in all;
// those that find no room go without one. Any thread.
//
// # Safety
//
// As for `haft_new`; `place` is null or a C string.
haft_status haft_new_named(const struct haft_type *type,
                           void *object,
                           haft_handle *out,
                           const char *place);

// Looks a handle up and holds its object.
//
// *borrows* `type`. The object stays until `haft_release`, also when the handle is removed meanwhile. Any thread; the reference
// then belongs to this thread, unless it is shared (`haft_share`). Blocks only where the thread meets the kind for the first time; after the thread's first lookup
// of the handle it writes nothing that threads share. (A thread that holds six references has the seventh as a shared one, which costs more.)
//
// Returns `HAFT_OK`, or says what the handle is: `HAFT_NULL_HANDLE`, `HAFT_MALFORMED`, `HAFT_UNISSUED`, `HAFT_STALE`,
// `HAFT_WRONG_TYPE` (another descriptor, or a value of Rust's), `HAFT_TOO_MANY_HOLDS`; or `HAFT_NULL_ARGUMENT`; or `HAFT_FULL`, where there is no room for one more
// shared reference.
//
// # Safety
//
// `type` is null or a valid descriptor; `out` is null or can be written.
haft_status haft_get(const struct haft_type *type,
                     haft_handle handle,
                     struct haft_ref *out);

// As `haft_get`, and the reference is shared from the beginning: any thread may release it, and it may be held for long.
//
// *borrows* `type`. For what goes to other threads: futures, pools, the objects of interpreters. It costs more than `haft_get`, and is listed among the live handles, as a `haft_ref`,
// until it is released. Any thread.
//
// Returns as `haft_get`.
//
// # Safety
//
// As for `haft_get`.
haft_status haft_get_shared(const struct haft_type *type,
                            haft_handle handle,
                            struct haft_ref *out);

// Gives a reference back; where it was the last one of a removed handle, the object is destroyed now, by this thread.
//
// *borrows* `ref` and clears it, on success. Only on the thread that got it; on any thread for one that is shared, or whose thread has ended. Never blocks, but for what `destroy` does,
// and where its thread has ended.
//
// Returns `HAFT_OK`; `HAFT_NOT_HELD` where it was released already (it, or a copy of it) or was never got; `HAFT_WRONG_THREAD`
// where it was got on another thread, and is held there or was released already; `HAFT_NULL_ARGUMENT`.
//
// # Safety
//
// `ref` is null or points to an initialised `haft_ref`, which nobody else uses during the call.
haft_status haft_release(struct haft_ref *ref);

// Makes a reference that any thread may release, and that may be held for long. A reference that is shared stays as it is.
//
// *borrows* `ref`, and changes it. Only on the thread that got it. A shared reference is listed among the live handles, as a `haft_ref`, until it is released.
//
// Returns as `haft_release`; also `HAFT_TOO_MANY_HOLDS` or `HAFT_FULL`, and the reference is released then.
//
// # Safety
//
// As for `haft_release`.
haft_status haft_share(struct haft_ref *ref);

// Removes a handle of any kind, C's or Rust's: of racing calls exactly one succeeds. As `HAFT_REMOVE`, which also records the place.
//
// The object is destroyed before this returns where nobody holds it, else by its last holder. Zero is accepted and does nothing, as
// `free(NULL)` does. Any thread. Never blocks, but for what `destroy` does.
//
// Returns `HAFT_OK`, `HAFT_MALFORMED`, `HAFT_UNISSUED` or `HAFT_STALE`; `HAFT_PANIC` where it was a value of Rust's whose drop panicked (it is removed).
haft_status haft_remove(haft_handle handle);

// As `haft_remove`, with the place for errors; `HAFT_REMOVE` fills it in. *keeps* `file` for ever, as `haft_new_at`.
//
// # Safety
//
// `file` is null or a C string that stays for ever.
haft_status haft_remove_at(haft_handle handle,
                           const char *file,
                           uint32_t line_number);

// Removes a handle of any kind, and returns when its object has been destroyed, by whoever was the last holder. As `HAFT_REMOVE_AND_WAIT`,
// which also records the place.
//
// For what must not go on behind one's back: when it has returned, no thread is in the middle of a callback that holds the object, and none
// will be. Zero is accepted and does nothing. Any thread. Blocks until the references of other threads are released. So it must not be
// called with a lock that a holder needs. References of this thread must be released before. For one that is not shared,
// `HAFT_HELD_HERE` says so, mostly; for one that is shared, it would wait without end.
//
// Returns as `haft_remove`, or `HAFT_HELD_HERE`: nothing is removed then.
haft_status haft_remove_and_wait(haft_handle handle);

// As `haft_remove_and_wait`, with the place for errors; `HAFT_REMOVE_AND_WAIT` fills it in. *keeps* `file` for ever, as `haft_new_at`.
//
// # Safety
//
// `file` is null or a C string that stays for ever.
haft_status haft_remove_and_wait_at(haft_handle handle,
                                    const char *file,
                                    uint32_t line_number);

// Removes a handle and gives the object back: it is the caller's then, and not destroyed. As `HAFT_TAKE`, which also records the place.
//
// *transfers* the object to the caller. *borrows* `type`. Any thread. Blocks only where the thread meets the kind for the first time.
//
// Returns `HAFT_OK`; `HAFT_IN_USE` where somebody holds the object: the handle is removed, nothing is written, and the last holder
// destroys the object; else as `haft_get`, and nothing is removed.
//
// # Safety
//
// `type` is null or a valid descriptor; `out` is null or can be written.
haft_status haft_take(const struct haft_type *type,
                      haft_handle handle,
                      void **out);

// As `haft_take`, with the place for errors; `HAFT_TAKE` fills it in. *keeps* `file` for ever, as `haft_new_at`.
//
// # Safety
//
// As for `haft_take`; `file` is null or a C string that stays for ever.
haft_status haft_take_at(const struct haft_type *type,
                         haft_handle handle,
                         void **out,
                         const char *file,
                         uint32_t line_number);

// Whether a handle is live now, of whatever kind: 1 or 0. The next moment it may not be; to use the object, get it. Any thread.
int haft_is_live(haft_handle handle);

// The name of the kind of a live handle, C's or Rust's, written to `buffer` as by `snprintf`: cut off to fit `size` bytes, never within a character, and ended by a
// zero; nothing is written where `size` is 0.
//
// *borrows* `buffer` and `length`. `length` gets the length of the whole name, without the zero; it may be null, and so may `buffer`. Any thread.
//
// Returns `HAFT_OK`, `HAFT_NULL_HANDLE`, `HAFT_MALFORMED`, `HAFT_UNISSUED` or `HAFT_STALE`.
//
// # Safety
//
// Where they are not null, `size` bytes from `buffer` and `length` can be written.
haft_status haft_type_name(haft_handle handle,
                           char *buffer,
                           size_t size,
                           size_t *length);

// The version of the library, as "major.minor.patch". It stays for ever. Any thread.
const char *haft_version(void);

// What a status means, in a few words. It stays for ever. Any thread.
const char *haft_status_text(haft_status status);

// The sentence of this thread's last call of haft that failed: which handle, what it is, the kinds, the places that created and removed it, what to do. Empty
// where none has failed; a success does not change it.
//
// The text stays until this thread calls `haft_last_error` again, or ends: copy it to have it for longer. It is made when it is asked for. Any thread.
const char *haft_last_error(void);

// Live handles in the process, of all kinds, C's and Rust's. Walks over all pages; blocks nobody. Any thread.
uint64_t haft_live(void);

// How many misuses of handles ended in this status since the process began, C's and Rust's; 0 for a status that says nothing about a handle. A call that only asks
// (`haft_is_live`) makes none. Never blocks. Any thread.
uint64_t haft_errors(haft_status status);

// All counters. *borrows* `out`. Walks over all pages; blocks nobody. Any thread.
//
// Returns `HAFT_OK` or `HAFT_NULL_ARGUMENT`.
//
// # Safety
//
// `out` is null or can be written.
haft_status haft_stats(struct haft_counters *out);

// Writes the leak report, a table of what is live by kind and by the place that created it, line by line to `writer`.
//
// *borrows* `context`, which is passed on. Allocates; blocks nobody. Any thread.
//
// Returns `HAFT_OK`; `HAFT_NOT_WRITTEN` where the writer stopped; `HAFT_NULL_ARGUMENT` where there is none.
//
// # Safety
//
// `writer` may be called with `context`.
haft_status haft_report(haft_writer writer,
                        void *context);

// Writes the leak report as one line of JSON to `writer`, in one piece, and else as `haft_report`: an object with `live`, `deferred`, `bytes` and `groups`, whose members are named
// in the documentation of Rust's `LeakReport::to_json`.
//
// # Safety
//
// As for `haft_report`.
haft_status haft_report_json(haft_writer writer,
                             void *context);

// Writes the leak report to standard error when the process ends by `exit` or by returning from `main`; the environment variable `HAFT_REPORT=1` does the same without a
// call (`json`, or the path of a file, for others), and decides where both are given. Calling it again changes nothing; on systems that are neither Unix nor Windows it does nothing. Any
// thread.
void haft_report_at_exit(void);

// Writes the leak report to a `FILE`, as `haft_report`. *borrows* `file`, which is neither flushed nor closed. Any thread; the stream's lock is taken for each line.
//
// Returns `HAFT_OK`; `HAFT_NOT_WRITTEN` where the stream fails; `HAFT_NULL_ARGUMENT` where there is none.
//
// # Safety
//
// `file` is null or an open stream.
haft_status haft_report_file(FILE *file);

// Writes the leak report to a file descriptor, as `haft_report`. *borrows* the descriptor, which is not closed. Any thread. Unix only.
//
// Returns `HAFT_OK`, or `HAFT_NOT_WRITTEN` where the descriptor cannot be written.
haft_status haft_report_fd(int descriptor);

// Sets the function that is told of every misuse of a handle in the process, C's and Rust's, before the call that met it returns; NULL ends it. There is
// one: it replaces the one before, also Rust's.
//
// *keeps* `hook` and `context` for ever, since a thread may still be in a hook that was replaced. It is called on the thread that made the mistake, with nothing locked,
// and at most 16 times in a second for each status. What it does wrong itself is not told again. It must return, or end the process.
//
// Each call keeps a few bytes for ever. Any thread.
//
// # Safety
//
// `hook` may be called with `context` on any thread from now on.
void haft_on_misuse(haft_misuse_hook hook,
                    void *context);

// From now on haft makes no system calls but those that any Rust program makes: for memory, locks, threads, time and random numbers. For a process under a filter that ends it at
// others; the environment variable `HAFT_CONFINED=1` does the same. Call it before the first handle is created or looked up. Lookups cost a locked instruction more then, and threads have no
// names in reports. Any thread.
void haft_confine(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HAFT_H */
