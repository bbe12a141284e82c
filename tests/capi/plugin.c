// A plugin that uses haft, loaded and unloaded by a program that does not know haft: S18.
//
// Built twice: as the plugin (with PLUGIN defined, and haft inside it), and as the program.
#ifdef PLUGIN
#include <haft.h>

static const haft_type session = {"session", NULL};

// Creates, looks up and removes; leaves one behind if `leave`. 0 if all went well.
int plugin_use(int leave) {
    static int object;
    haft_handle handle;
    haft_ref reference = {0};
    if (haft_new(&session, &object, &handle) != HAFT_OK || haft_get(&session, handle, &reference) != HAFT_OK ||
        haft_release(&reference) != HAFT_OK)
        return 1;
    return leave ? 0 : haft_remove(handle) != HAFT_OK;
}

// Only looks up what is no handle.
int plugin_look(void) {
    haft_ref reference = {0};
    return haft_get(&session, 12345, &reference) == HAFT_OK;
}

#else
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *path;
static pthread_key_t key;

static void fail(const char *what) {
    const char *why = dlerror();
    fprintf(stderr, "plugin: %s: %s\n", what, why ? why : "no reason");
    exit(1);
}

static void *use(const char *name, int argument) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail("dlopen");
    int (*function)(int) = (int (*)(int))dlsym(library, name);
    if (!function || function(argument) != 0) fail(name);
    return library;
}

static void close_library(void *library) {
    if (dlclose(library) != 0) fail("dlclose");
}

// The library is closed in the destructor of a key that was made before haft's own.
static void *closes_in_a_destructor(void *name) {
    pthread_setspecific(key, use(name, 0));
    return NULL;
}

// The library is closed by the thread that used it, just before that ends.
static void *closes_at_the_end(void *name) {
    close_library(use(name, 0));
    return NULL;
}

// Another thread closes it after this one has ended.
static void *leaves_it_open(void *name) { return use(name, 1); }

static void *in_a_thread(void *(*run)(void *), const char *name) {
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, run, (void *)name) != 0 || pthread_join(thread, &result) != 0) fail("thread");
    return result;
}

int main(int count, char **words) {
    if (count != 2) return 2;
    path = words[1];
    if (pthread_key_create(&key, close_library) != 0) fail("key");
    static const char *const names[] = {"plugin_use", "plugin_look"};
    for (int i = 0; i < 2; i++) {
        in_a_thread(closes_in_a_destructor, names[i]);
        in_a_thread(closes_at_the_end, names[i]);
        close_library(in_a_thread(leaves_it_open, names[i]));
    }
    // No key is lost with each time.
    for (int i = 0; i < 2000; i++) in_a_thread(closes_at_the_end, "plugin_use");
    pthread_key_t another;
    if (pthread_key_create(&another, NULL) != 0) fail("no key is left");
    puts("plugin: the library came and went");
    return 0;
}
#endif
