/* What a C library does with handles: it keeps them, and gives them back in callbacks, on whatever thread. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*callback)(uint64_t handle);
typedef void (*callback_pointer)(void *user);

void call_here(callback call, uint64_t handle) { call(handle); }

struct work {
    callback call;
    uint64_t handle;
};

static void *run(void *argument) {
    struct work *work = argument;
    work->call(work->handle);
    return NULL;
}

/* Calls back once on a thread of its own; 0 if that worked. */
int call_elsewhere(callback call, uint64_t handle) {
    struct work work = {call, handle};
    pthread_t thread;
    int status = pthread_create(&thread, NULL, run, &work);
    return status ? status : pthread_join(thread, NULL);
}

/* Calls back on many threads at once; 0 if that worked. */
int call_everywhere(callback call, uint64_t handle, size_t count) {
    enum { MOST = 64 };
    struct work work = {call, handle};
    pthread_t threads[MOST];
    size_t started = 0;
    int status = count > MOST;
    while (!status && started < count) {
        status = pthread_create(&threads[started], NULL, run, &work);
        started += !status;
    }
    for (size_t index = 0; index < started; index++) {
        int joined = pthread_join(threads[index], NULL);
        status = status ? status : joined;
    }
    return status;
}

/* The handle as user data, and the handle by the address of where it is. */
void call_with_user_data(callback_pointer call, void *user) { call(user); }

void call_with_address(callback_pointer call, uint64_t handle) {
    uint64_t here = handle;
    call(&here);
}
