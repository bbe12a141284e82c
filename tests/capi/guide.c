#include <haft.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct session {
    char user[32];
} session;

// One descriptor for each kind of object: its name, and what destroys it.
static void session_free(void *object) {
    printf("session of %s ends\n", ((session *)object)->user);
    free(object);
}

static const haft_type session_type = {"session", session_free};

// Whatever thread it is: get, use, release.
static haft_status greet(haft_handle handle) {
    haft_ref ref;
    haft_status status = haft_get(&session_type, handle, &ref);
    if (status != HAFT_OK) {
        // A short text for the status; the whole story for people.
        printf("%s: %s\n", haft_status_text(status), haft_last_error());
        return status;
    }
    printf("hello %s\n", ((session *)ref.object)->user);
    return haft_release(&ref);
}

static void *callback(void *user_data) {
    // The handle is the user data itself; it is no address, and nothing is read through it.
    greet((haft_handle)(uintptr_t)user_data);
    return NULL;
}

int main(void) {
    session *alice = calloc(1, sizeof *alice);
    strcpy(alice->user, "alice");

    haft_handle handle;
    if (HAFT_NEW(&session_type, alice, &handle) != HAFT_OK) {
        fprintf(stderr, "%s\n", haft_last_error());
        free(alice); // still ours
        return 1;
    }

    pthread_t thread;
    pthread_create(&thread, NULL, callback, (void *)(uintptr_t)handle);
    pthread_join(thread, NULL);

    HAFT_REMOVE(handle); // the session ends here, since nobody holds it
    greet(handle);       // and this is told, with the lines that created and removed it

    // What is still alive, by the line that created it: nothing.
    haft_report_file(stdout);
    return haft_live() == 0 ? 0 : 1;
}
