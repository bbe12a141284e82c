// Every function, every status and every misuse, on one thread (but for what is about two).

#include "check.h"
#include <pthread.h>
#include <unistd.h>

typedef struct session {
    int user;
    int *destroyed;
} session;

static session *session_new(int user, int *destroyed) {
    session *made = malloc(sizeof *made);
    made->user = user;
    made->destroyed = destroyed;
    return made;
}

static void session_free(void *object) {
    session *gone = object;
    *gone->destroyed += 1;
    free(gone);
}

static const haft_type session_type = {"session", session_free};
static const haft_type socket_type = {"socket", NULL};
static const haft_type nameless_type = {NULL, NULL};

static void creates_looks_up_and_removes(void) {
    int destroyed = 0;
    haft_handle handle = 0;
    haft_ref ref;
    CHECK(haft_new(&session_type, session_new(7, &destroyed), &handle) == HAFT_OK);
    CHECK(handle != 0 && handle % 2 == 1);
    CHECK(haft_is_live(handle) == 1);
    CHECK(haft_get(&session_type, handle, &ref) == HAFT_OK);
    CHECK(ref.handle == handle && ((session *)ref.object)->user == 7);
    CHECK(haft_release(&ref) == HAFT_OK);
    CHECK(ref.object == NULL && ref.handle == 0);
    CHECK(destroyed == 0);
    CHECK(haft_remove(handle) == HAFT_OK);
    CHECK(destroyed == 1);
    CHECK(haft_is_live(handle) == 0);
    FAILS(haft_get(&session_type, handle, &ref), HAFT_STALE, "stale", "session");
    FAILS(haft_remove(handle), HAFT_STALE, "was removed", "a call from C without a place");
    CHECK(destroyed == 1);
}

static void removal_waits_for_the_last_reference(void) {
    int destroyed = 0;
    haft_handle handle = 0;
    haft_ref first, second;
    haft_counters counters;
    CHECK(HAFT_NEW(&session_type, session_new(1, &destroyed), &handle) == HAFT_OK);
    CHECK(haft_get(&session_type, handle, &first) == HAFT_OK);
    CHECK(haft_get(&session_type, handle, &second) == HAFT_OK);
    CHECK(HAFT_REMOVE(handle) == HAFT_OK);
    CHECK(destroyed == 0);
    CHECK(haft_stats(&counters) == HAFT_OK && counters.deferred == 1);
    CHECK(haft_release(&first) == HAFT_OK);
    CHECK(destroyed == 0 && ((session *)second.object)->user == 1);
    CHECK(haft_release(&second) == HAFT_OK);
    CHECK(destroyed == 1);
    CHECK(haft_stats(&counters) == HAFT_OK && counters.deferred == 0);
}

static void take_gives_the_object_back(void) {
    int destroyed = 0;
    haft_handle handle = 0;
    haft_ref ref;
    void *object = NULL;
    session *mine = session_new(2, &destroyed);
    CHECK(HAFT_NEW(&session_type, mine, &handle) == HAFT_OK);
    FAILS(haft_take(&socket_type, handle, &object), HAFT_WRONG_TYPE, "socket", "session");
    CHECK(object == NULL);
    CHECK(HAFT_TAKE(&session_type, handle, &object) == HAFT_OK);
    CHECK(object == mine && destroyed == 0);
    FAILS(haft_take(&session_type, handle, &object), HAFT_STALE, "suite.c", "removed at");

    CHECK(haft_new(&session_type, mine, &handle) == HAFT_OK);
    CHECK(haft_get(&session_type, handle, &ref) == HAFT_OK);
    object = NULL;
    FAILS(haft_take(&session_type, handle, &object), HAFT_IN_USE, "somebody holds", "destroy");
    CHECK(object == NULL && destroyed == 0 && haft_is_live(handle) == 0);
    CHECK(haft_release(&ref) == HAFT_OK && destroyed == 1);
}

static void *release_after_a_while(void *ref) {
    struct timespec while_ = {0, 5000000};
    nanosleep(&while_, NULL);
    CHECK(haft_release(ref) == HAFT_OK);
    return NULL;
}

static void a_removal_may_wait_for_the_last_holder(void) {
    int destroyed = 0;
    haft_handle handle = 0;
    haft_ref ref, shared;
    pthread_t thread;
    CHECK(HAFT_NEW(&session_type, session_new(4, &destroyed), &handle) == HAFT_OK);
    CHECK(haft_get(&session_type, handle, &ref) == HAFT_OK);
    FAILS(HAFT_REMOVE_AND_WAIT(handle), HAFT_HELD_HERE, "this very thread", "suite.c");
    CHECK(haft_is_live(handle) == 1 && haft_release(&ref) == HAFT_OK);
    CHECK(haft_get_shared(&session_type, handle, &shared) == HAFT_OK);
    CHECK(pthread_create(&thread, NULL, release_after_a_while, &shared) == 0);
    CHECK(HAFT_REMOVE_AND_WAIT(handle) == HAFT_OK);
    CHECK(destroyed == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    FAILS(haft_remove_and_wait(handle), HAFT_STALE, "removed at", "suite.c");
    CHECK(haft_remove_and_wait(handle - 1) == HAFT_MALFORMED && haft_remove_and_wait(0) == HAFT_OK);
    CHECK(haft_remove_and_wait_at(0, NULL, 0) == HAFT_OK);
}

static void wrong_handles_are_told_apart(void) {
    int destroyed = 0, local = 0;
    haft_handle handle = 0;
    haft_ref ref = {0};
    CHECK(HAFT_NEW(&session_type, session_new(3, &destroyed), &handle) == HAFT_OK);
    CHECK(haft_get(&session_type, 0, &ref) == HAFT_NULL_HANDLE);
    FAILS(haft_get(&session_type, (haft_handle)(uintptr_t)&local, &ref), HAFT_MALFORMED, "address", "odd");
    CHECK(haft_get(&session_type, handle - 1, &ref) == HAFT_MALFORMED);
    FAILS(haft_get(&session_type, handle ^ 1ULL << 62, &ref), HAFT_UNISSUED, "never issued", "session");
    CHECK(haft_get(&session_type, UINT64_MAX >> 1, &ref) == HAFT_UNISSUED);
    CHECK((int64_t)handle > 0);
    FAILS(haft_get(&session_type, handle ^ 1ULL << 63, &ref), HAFT_MALFORMED, "negative", "session");
    FAILS(haft_get(&session_type, (haft_handle)-1, &ref), HAFT_MALFORMED, "negative", "code of an error");
    FAILS(haft_get(&socket_type, handle, &ref), HAFT_WRONG_TYPE, "wanted: socket", "it holds a session");
    CHECK(strstr(haft_last_error(), "suite.c") != NULL);
    CHECK(ref.object == NULL && ref.handle == 0);
    CHECK(haft_remove(handle + 2) != HAFT_OK && haft_remove(handle - 1) == HAFT_MALFORMED);
    CHECK(haft_is_live(handle) == 1);
    CHECK(haft_remove(handle) == HAFT_OK && destroyed == 1);
    CHECK(haft_remove(0) == HAFT_OK && HAFT_REMOVE(0) == HAFT_OK);
}

static void null_arguments_are_named(void) {
    haft_handle handle = 0;
    haft_ref ref;
    int object = 5;
    void *taken;
    CHECK(haft_new(&socket_type, &object, &handle) == HAFT_OK);
    uint64_t live = haft_live();
    FAILS(haft_new(NULL, &object, &handle), HAFT_NULL_ARGUMENT, "`type`", "null");
    FAILS(haft_new(&socket_type, &object, NULL), HAFT_NULL_ARGUMENT, "`out`", "null");
    FAILS(haft_get(NULL, handle, &ref), HAFT_NULL_ARGUMENT, "`type`", "null");
    FAILS(haft_get(&socket_type, handle, NULL), HAFT_NULL_ARGUMENT, "`out`", "null");
    FAILS(haft_take(NULL, handle, &taken), HAFT_NULL_ARGUMENT, "`type`", "null");
    FAILS(haft_take(&socket_type, handle, NULL), HAFT_NULL_ARGUMENT, "`out`", "null");
    FAILS(haft_release(NULL), HAFT_NULL_ARGUMENT, "`ref`", "null");
    FAILS(haft_share(NULL), HAFT_NULL_ARGUMENT, "`ref`", "null");
    FAILS(haft_stats(NULL), HAFT_NULL_ARGUMENT, "`out`", "null");
    FAILS(haft_report(NULL, NULL), HAFT_NULL_ARGUMENT, "`writer`", "null");
    FAILS(haft_report_json(NULL, NULL), HAFT_NULL_ARGUMENT, "`writer`", "null");
    FAILS(haft_report_file(NULL), HAFT_NULL_ARGUMENT, "`file`", "null");
    CHECK(haft_remove(handle) == HAFT_OK);
    CHECK(haft_new_at(&socket_type, &object, &handle, NULL, 5) == HAFT_OK);
    CHECK(haft_remove_at(handle, NULL, 5) == HAFT_OK);
    CHECK(haft_live() == live - 1);
    CHECK(haft_new(&nameless_type, NULL, &handle) == HAFT_OK);
    FAILS(haft_get(&socket_type, handle, &ref), HAFT_WRONG_TYPE, "without a name", "socket");
    CHECK(haft_get(&nameless_type, handle, &ref) == HAFT_OK && ref.object == NULL);
    CHECK(haft_release(&ref) == HAFT_OK && haft_remove(handle) == HAFT_OK);
}

// Twice the same words in different memory are one place.
static void a_handle_has_the_place_that_it_is_created_for(void) {
    char words[] = "login.lua:12";
    haft_ref ref;
    haft_handle handle, bare;
    CHECK(haft_new_named(&socket_type, NULL, &handle, words) == HAFT_OK);
    words[0] = 'x';
    CHECK(haft_new_named(&socket_type, NULL, &bare, NULL) == HAFT_OK);
    CHECK(HAFT_REMOVE(handle) == HAFT_OK && HAFT_REMOVE(bare) == HAFT_OK);
    FAILS(haft_get(&socket_type, handle, &ref), HAFT_STALE, "created at login.lua:12", "suite.c");
    FAILS(haft_get(&socket_type, bare, &ref), HAFT_STALE, "without a place", "suite.c");
    FAILS(haft_new_named(NULL, NULL, &handle, words), HAFT_NULL_ARGUMENT, "`type`", "null");
    FAILS(haft_new_named(&socket_type, NULL, NULL, words), HAFT_NULL_ARGUMENT, "`out`", "null");
}

// Handles that fit a double, for ever different.
static void a_narrow_kind_has_low_handles(void) {
    static const haft_type narrow_type = {"narrow", NULL};
    haft_handle handle, last = 0;
    FAILS(haft_narrow(NULL, 53), HAFT_NULL_ARGUMENT, "`type`", "null");
    FAILS(haft_narrow(&narrow_type, 46), HAFT_WRONG_WIDTH, "47", "63");
    FAILS(haft_narrow(&narrow_type, 64), HAFT_WRONG_WIDTH, "47", "63");
    CHECK(haft_narrow(&narrow_type, 47) == HAFT_OK && haft_narrow(&narrow_type, 47) == HAFT_OK);
    // More than a slot's generations of 14 bits.
    for (int again = 0; again < 100000; again += 1) {
        CHECK(HAFT_NEW(&narrow_type, NULL, &handle) == HAFT_OK && handle != last);
        CHECK(handle < (haft_handle)1 << 47 && (haft_handle)(double)handle == handle);
        CHECK(HAFT_REMOVE(handle) == HAFT_OK);
        last = handle;
    }
    FAILS(haft_narrow(&narrow_type, 53), HAFT_WRONG_WIDTH, "before", "haft_narrow");
    CHECK(haft_narrow(&socket_type, 63) == HAFT_OK);
    FAILS(haft_narrow(&socket_type, 53), HAFT_WRONG_WIDTH, "before", "haft_narrow");
}

static void a_reference_is_released_once(void) {
    int destroyed = 0;
    haft_handle handle = 0, other = 0;
    haft_ref ref, copy, again;
    haft_ref nothing = {0};
    CHECK(haft_new(&session_type, session_new(4, &destroyed), &handle) == HAFT_OK);
    CHECK(haft_new(&session_type, session_new(5, &destroyed), &other) == HAFT_OK);
    FAILS(haft_release(&nothing), HAFT_NOT_HELD, "not held", "once");
    FAILS(haft_share(&nothing), HAFT_NOT_HELD, "not held", "once");
    CHECK(haft_get(&session_type, handle, &ref) == HAFT_OK);
    copy = ref;
    CHECK(haft_release(&ref) == HAFT_OK);
    CHECK(haft_release(&ref) == HAFT_NOT_HELD);
    CHECK(haft_get(&session_type, handle, &again) == HAFT_OK);
    CHECK(haft_release(&copy) == HAFT_NOT_HELD);
    CHECK(haft_remove(handle) == HAFT_OK && destroyed == 0);
    CHECK(((session *)again.object)->user == 4);
    CHECK(haft_release(&again) == HAFT_OK && destroyed == 1);

    // The same for one that is shared.
    CHECK(haft_get(&session_type, other, &ref) == HAFT_OK);
    CHECK(haft_share(&ref) == HAFT_OK && haft_share(&ref) == HAFT_OK);
    copy = ref;
    CHECK(haft_remove(other) == HAFT_OK && destroyed == 1);
    CHECK(((session *)ref.object)->user == 5);
    CHECK(haft_release(&copy) == HAFT_OK && destroyed == 2);
    CHECK(haft_release(&ref) == HAFT_NOT_HELD);
}

static void more_references_than_places(void) {
    enum { COUNT = 40 };
    int destroyed = 0;
    haft_handle handle = 0;
    haft_ref refs[COUNT];
    CHECK(haft_new(&session_type, session_new(6, &destroyed), &handle) == HAFT_OK);
    for (int i = 0; i < COUNT; i++) {
        CHECK(haft_get(&session_type, handle, &refs[i]) == HAFT_OK);
    }
    CHECK(haft_remove(handle) == HAFT_OK);
    for (int i = 0; i < COUNT; i++) {
        // In some order that is neither first in, first out nor the reverse.
        CHECK(destroyed == 0);
        CHECK(haft_release(&refs[(i * 7 + 3) % COUNT]) == HAFT_OK);
    }
    CHECK(destroyed == 1);
}

static void *release_elsewhere(void *ref) {
    haft_status *status = malloc(sizeof *status);
    *status = haft_release(ref);
    return status;
}

static haft_status on_another_thread(haft_ref *ref) {
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, release_elsewhere, ref) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    haft_status status = *(haft_status *)result;
    free(result);
    return status;
}

static void references_belong_to_threads_unless_shared(void) {
    int destroyed = 0;
    haft_handle handle = 0;
    haft_ref ref;
    CHECK(haft_new(&session_type, session_new(8, &destroyed), &handle) == HAFT_OK);
    CHECK(haft_get(&session_type, handle, &ref) == HAFT_OK);
    CHECK(haft_remove(handle) == HAFT_OK);
    CHECK(on_another_thread(&ref) == HAFT_WRONG_THREAD);
    CHECK(((session *)ref.object)->user == 8 && destroyed == 0);
    CHECK(haft_share(&ref) == HAFT_OK);
    CHECK(on_another_thread(&ref) == HAFT_OK);
    CHECK(ref.object == NULL && destroyed == 1);
}

// A thread that ends with references: it has got seven, of which six were its own.
static struct {
    haft_handle handle;
    haft_ref refs[7];
} left;

static void *leave_references(void *unused) {
    (void)unused;
    for (int i = 0; i < 7; i++) {
        CHECK(haft_get(&session_type, left.handle, &left.refs[i]) == HAFT_OK);
    }
    return NULL;
}

static void anybody_releases_what_a_thread_left_behind(void) {
    int destroyed = 0;
    pthread_t thread;
    CHECK(haft_new(&session_type, session_new(11, &destroyed), &left.handle) == HAFT_OK);
    CHECK(pthread_create(&thread, NULL, leave_references, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(haft_remove(left.handle) == HAFT_OK && destroyed == 0);
    for (int i = 0; i < 7; i++) {
        haft_ref copy = left.refs[i];
        CHECK(((session *)copy.object)->user == 11 && destroyed == 0);
        CHECK((i % 2 == 0 ? haft_release(&left.refs[i]) : on_another_thread(&left.refs[i])) == HAFT_OK);
        CHECK(left.refs[i].object == NULL);
        FAILS(haft_release(&copy), i < 6 ? HAFT_WRONG_THREAD : HAFT_NOT_HELD, "reference", "");
    }
    CHECK(destroyed == 1);
}

static void a_shared_reference_in_one_call(void) {
    int destroyed = 0;
    haft_handle handle = 0;
    haft_ref ref;
    CHECK(haft_new(&session_type, session_new(12, &destroyed), &handle) == HAFT_OK);
    CHECK(haft_get_shared(&session_type, handle, &ref) == HAFT_OK);
    CHECK(((session *)ref.object)->user == 12 && ref.handle == handle);
    CHECK(haft_remove(handle) == HAFT_OK && destroyed == 0);
    CHECK(haft_get_shared(&session_type, handle, &(haft_ref){0}) == HAFT_STALE);
    CHECK(on_another_thread(&ref) == HAFT_OK && destroyed == 1);
    CHECK(haft_get_shared(&session_type, 0, &ref) == HAFT_NULL_HANDLE);
    FAILS(haft_get_shared(&session_type, handle, NULL), HAFT_NULL_ARGUMENT, "`out`", "null");
    FAILS(haft_get_shared(NULL, handle, &ref), HAFT_NULL_ARGUMENT, "`type`", "null");
}

// As a plugin that goes, and another one that is loaded where it was.
static void another_kind_at_the_same_place(void) {
    char name[16] = "cursor";
    haft_type type = {name, NULL};
    haft_handle first = 0, second = 0;
    haft_ref ref;
    CHECK(HAFT_NEW(&type, &first, &first) == HAFT_OK);
    CHECK(haft_get(&type, first, &ref) == HAFT_OK && haft_release(&ref) == HAFT_OK);
    CHECK(haft_remove(first) == HAFT_OK);
    strcpy(name, "cur");
    FAILS(haft_get(&type, first, &ref), HAFT_STALE, "(wanted: cur)", "held a cursor");
    strcpy(name, "window");
    CHECK(HAFT_NEW(&type, &second, &second) == HAFT_OK);
    FAILS(haft_get(&session_type, second, &ref), HAFT_WRONG_TYPE, "holds a window", "session");
    CHECK(haft_get(&type, second, &ref) == HAFT_OK && ref.object == &second && haft_release(&ref) == HAFT_OK);
    CHECK(haft_remove(second) == HAFT_OK);
    // And back.
    strcpy(name, "cursor");
    CHECK(HAFT_NEW(&type, &first, &first) == HAFT_OK);
    FAILS(haft_get(&session_type, first, &ref), HAFT_WRONG_TYPE, "holds a cursor", "session");
    CHECK(haft_remove(first) == HAFT_OK);
}

HAFT_DECLARE_TYPE(declared_type);
HAFT_DEFINE_TYPE(declared_type, "declared", NULL);

static void two_descriptors_of_one_name_are_explained(void) {
    static const haft_type again = {"declared", NULL};
    haft_handle handle = 0;
    haft_ref ref;
    CHECK(HAFT_NEW(&declared_type, NULL, &handle) == HAFT_OK);
    FAILS(haft_get(&again, handle, &ref), HAFT_WRONG_TYPE, "two types of one name", "HAFT_DECLARE_TYPE");
    CHECK(haft_remove(handle) == HAFT_OK);
}

// A destroy function that uses haft: it removes a child, and makes a handle of its own.
static haft_handle last_made = 0;

static void parent_free(void *object) {
    haft_handle *child = object;
    CHECK(haft_remove(*child) == HAFT_OK);
    CHECK(haft_new(&socket_type, NULL, &last_made) == HAFT_OK);
    CHECK(haft_get(&session_type, *child, &(haft_ref){0}) == HAFT_STALE);
}

static const haft_type parent_type = {"parent", parent_free};

static void destroy_functions_may_use_haft(void) {
    int destroyed = 0;
    haft_handle child = 0, parent = 0;
    CHECK(haft_new(&session_type, session_new(9, &destroyed), &child) == HAFT_OK);
    CHECK(haft_new(&parent_type, &child, &parent) == HAFT_OK);
    CHECK(haft_remove(parent) == HAFT_OK);
    CHECK(destroyed == 1 && haft_is_live(last_made) == 1);
    CHECK(haft_remove(last_made) == HAFT_OK);
}

static void names_fit_their_buffers(void) {
    char buffer[8];
    size_t length = 0;
    haft_handle handle = 0;
    CHECK(haft_new(&socket_type, NULL, &handle) == HAFT_OK);
    CHECK(haft_type_name(handle, buffer, sizeof buffer, &length) == HAFT_OK);
    CHECK(strcmp(buffer, "socket") == 0 && length == 6);
    CHECK(haft_type_name(handle, buffer, 4, &length) == HAFT_OK);
    CHECK(strcmp(buffer, "soc") == 0 && length == 6);
    CHECK(haft_type_name(handle, NULL, 99, &length) == HAFT_OK && length == 6);
    CHECK(haft_type_name(handle, buffer, 0, NULL) == HAFT_OK && strcmp(buffer, "soc") == 0);
    CHECK(haft_remove(handle) == HAFT_OK);
    CHECK(haft_type_name(handle, buffer, sizeof buffer, NULL) == HAFT_STALE);
    CHECK(haft_type_name(0, buffer, sizeof buffer, NULL) == HAFT_NULL_HANDLE);
}

typedef struct gathered {
    char text[8192];
    size_t length;
    int pieces_left;
} gathered;

static int gather(void *context, const char *text, size_t length) {
    gathered *into = context;
    if (into->pieces_left-- == 0) {
        return 1;
    }
    CHECK(into->length + length < sizeof into->text);
    memcpy(into->text + into->length, text, length);
    into->length += length;
    into->text[into->length] = 0;
    return 0;
}

static void reports_name_what_is_alive(void) {
    int destroyed = 0;
    haft_handle handles[3];
    static gathered all, some;
    for (int i = 0; i < 3; i++) {
        CHECK(HAFT_NEW(&session_type, session_new(i, &destroyed), &handles[i]) == HAFT_OK);
    }
    all.pieces_left = 1000;
    CHECK(haft_report(gather, &all) == HAFT_OK);
    CHECK(strstr(all.text, "3 live handles") != NULL);
    CHECK(strstr(all.text, "session") != NULL && strstr(all.text, "suite.c:") != NULL);
    some.pieces_left = 1;
    FAILS(haft_report(gather, &some), HAFT_NOT_WRITTEN, "report", "end");
    static gathered json, none;
    json.pieces_left = 1;
    CHECK(haft_report_json(gather, &json) == HAFT_OK);
    CHECK(strncmp(json.text, "{\"live\":3,", 10) == 0 && json.text[json.length - 1] == '\n');
    CHECK(strstr(json.text, "\"type\":\"session\"") != NULL && strstr(json.text, "suite.c\",\"line\":") != NULL);
    FAILS(haft_report_json(gather, &none), HAFT_NOT_WRITTEN, "report", "end");

    // All say the same. Where an age in it has grown by a second meanwhile, they are made once more.
    int same = 0;
    for (int tries = 0; tries < 20 && !same; tries++) {
        static gathered now;
        memset(&now, 0, sizeof now);
        now.pieces_left = 1000;
        char path[] = "/tmp/haft-suite-XXXXXX";
        static char read_back[2 * sizeof now.text];
        int descriptor = mkstemp(path);
        FILE *file = fdopen(descriptor, "r+");
        CHECK(haft_report_file(file) == HAFT_OK && fflush(file) == 0);
        CHECK(haft_report_fd(descriptor) == HAFT_OK);
        CHECK(haft_report(gather, &now) == HAFT_OK);
        rewind(file);
        size_t length = fread(read_back, 1, sizeof read_back, file);
        same = length == 2 * now.length && memcmp(read_back, now.text, now.length) == 0 &&
               memcmp(read_back + now.length, now.text, now.length) == 0;
        fclose(file);
        unlink(path);
    }
    CHECK(same);
    FAILS(haft_report_fd(-1), HAFT_NOT_WRITTEN, "descriptor", "negative");
    CHECK(haft_live() == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(haft_remove(handles[i]) == HAFT_OK);
    }
    haft_counters counters;
    CHECK(haft_stats(&counters) == HAFT_OK);
    CHECK(counters.live == 0 && counters.created == counters.removed && counters.pages > 0 && counters.bytes > 0);
}

static void statuses_have_texts(void) {
    for (haft_status status = HAFT_OK; status <= HAFT_HELD_HERE; status++) {
        CHECK(strlen(haft_status_text(status)) > 3);
        for (haft_status other = HAFT_OK; other < status; other++) {
            CHECK(strcmp(haft_status_text(status), haft_status_text(other)) != 0);
        }
    }
    CHECK(strstr(haft_status_text(-1), "not a status") != NULL);
    CHECK(strstr(haft_status_text(HAFT_OWN), "library") != NULL);
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", HAFT_VERSION_MAJOR, HAFT_VERSION_MINOR, HAFT_VERSION_PATCH);
    CHECK(strcmp(version, haft_version()) == 0);
}

static void *fresh_thread_has_no_error(void *unused) {
    (void)unused;
    CHECK(strcmp(haft_last_error(), "") == 0);
    CHECK(haft_remove(2) == HAFT_MALFORMED);
    CHECK(strstr(haft_last_error(), "0x0000000000000002") != NULL);
    CHECK(haft_remove(0) == HAFT_OK);
    CHECK(strstr(haft_last_error(), "0x0000000000000002") != NULL);
    return NULL;
}

static void the_last_error_is_the_threads(void) {
    pthread_t thread;
    CHECK(haft_remove(4) == HAFT_MALFORMED);
    CHECK(pthread_create(&thread, NULL, fresh_thread_has_no_error, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(strstr(haft_last_error(), "0x0000000000000004") != NULL);
}

static struct { unsigned calls; haft_handle handle; haft_status status; char text[300]; } told;

static void tell(void *context, haft_handle handle, haft_status status, const char *text) {
    CHECK(context == &told);
    told.calls += 1;
    told.handle = handle;
    told.status = status;
    snprintf(told.text, sizeof told.text, "%s", text);
    // Its own mistakes go no further.
    CHECK(haft_remove(handle) == status);
}

static void misuse_is_told_until_nobody_listens(void) {
    haft_ref ref;
    haft_on_misuse(tell, &told);
    CHECK(haft_get(&session_type, 6, &ref) == HAFT_MALFORMED);
    CHECK(told.calls == 1 && told.handle == 6 && told.status == HAFT_MALFORMED);
    CHECK(strstr(told.text, "0x0000000000000006") != NULL && strstr(told.text, "malformed") != NULL);
    CHECK(strstr(haft_last_error(), "wanted: session") != NULL);
    haft_handle handle;
    CHECK(HAFT_NEW(&socket_type, NULL, &handle) == HAFT_OK && HAFT_REMOVE(handle) == HAFT_OK);
    CHECK(haft_get(&socket_type, handle, &ref) == HAFT_STALE);
    CHECK(told.calls == 2 && told.status == HAFT_STALE && strstr(told.text, "suite.c") != NULL);
    for (int again = 0; again < 1000; again += 1) {
        CHECK(haft_get(&socket_type, handle, &ref) == HAFT_STALE);
    }
    CHECK(told.calls >= 17 && told.calls < 1002);
    unsigned before = told.calls;
    haft_on_misuse(NULL, NULL);
    CHECK(haft_get(&session_type, 3, &ref) == HAFT_UNISSUED && told.calls == before);
}

static void *remove_elsewhere(void *handle) {
    CHECK(haft_remove(*(haft_handle *)handle) == HAFT_OK);
    return NULL;
}

// What is freed on another thread waits for its maker, and every misuse counts once, under its own status.
static void counters_tell_what_was_returned_and_misused(void) {
    static const haft_type moved_type = {"moved", NULL};
    haft_counters before, after;
    haft_handle handle = 0;
    haft_ref ref;
    pthread_t thread;
    CHECK(haft_new(&moved_type, NULL, &handle) == HAFT_OK);
    CHECK(haft_stats(&before) == HAFT_OK);
    memset(&after, 0xFF, sizeof after);
    CHECK(pthread_create(&thread, NULL, remove_elsewhere, &handle) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(haft_stats(&after) == HAFT_OK);
    CHECK(after.returned == before.returned + 1 && after.removed == before.removed + 1);
    CHECK(after.retired == 0 && after.errors == before.errors);

    uint64_t errors[HAFT_HELD_HERE + 1], sum = 0;
    for (haft_status status = HAFT_OK; status <= HAFT_HELD_HERE; status++) {
        errors[status] = haft_errors(status);
        sum += errors[status];
    }
    CHECK(sum == after.errors && errors[HAFT_OK] == 0);
    CHECK(haft_remove(handle) == HAFT_STALE && haft_remove(handle) == HAFT_STALE);
    CHECK(haft_get(&moved_type, 0, &ref) == HAFT_NULL_HANDLE);
    CHECK(haft_is_live(handle) == 0);
    CHECK(haft_release(&(haft_ref){0}) == HAFT_NOT_HELD);
    CHECK(haft_errors(HAFT_STALE) == errors[HAFT_STALE] + 2);
    CHECK(haft_errors(HAFT_NULL_HANDLE) == errors[HAFT_NULL_HANDLE] + 1);
    CHECK(haft_errors(HAFT_NOT_HELD) == 0 && haft_errors(-1) == 0);
    CHECK(haft_stats(&after) == HAFT_OK && after.errors == sum + 3);
}

int main(void) {
    CHECK(haft_live() == 0);
    creates_looks_up_and_removes();
    removal_waits_for_the_last_reference();
    take_gives_the_object_back();
    a_removal_may_wait_for_the_last_holder();
    wrong_handles_are_told_apart();
    null_arguments_are_named();
    a_handle_has_the_place_that_it_is_created_for();
    a_narrow_kind_has_low_handles();
    a_reference_is_released_once();
    more_references_than_places();
    references_belong_to_threads_unless_shared();
    anybody_releases_what_a_thread_left_behind();
    a_shared_reference_in_one_call();
    another_kind_at_the_same_place();
    two_descriptors_of_one_name_are_explained();
    destroy_functions_may_use_haft();
    names_fit_their_buffers();
    reports_name_what_is_alive();
    statuses_have_texts();
    the_last_error_is_the_threads();
    misuse_is_told_until_nobody_listens();
    counters_tell_what_was_returned_and_misused();
    CHECK(haft_live() == 0);
    printf("suite: %u checks passed\n", atomic_load(&checks));
    return 0;
}
