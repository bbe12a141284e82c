// A program with many threads: one registers, all look up, share what they got, and remove; then the account must be even.
//
// usage: threads [THREADS [ROUNDS]]

#include "check.h"
#include <pthread.h>
#include <stdatomic.h>

enum { OBJECTS = 64, MOST_THREADS = 64 };

typedef struct account {
    atomic_long balance;
    atomic_int alive;
} account;

static atomic_ulong created, destroyed, found, stale;

static void account_free(void *object) {
    account *gone = object;
    if (atomic_exchange(&gone->alive, 0) != 1) {
        fputs("an account was destroyed twice\n", stderr);
        abort();
    }
    atomic_fetch_add(&destroyed, 1);
    free(gone);
}

static const haft_type account_type = {"account", account_free};

// What the threads exchange: handles, and shared references, which whoever finds them releases.
static atomic_ullong handles[OBJECTS];
static struct {
    pthread_mutex_t lock;
    haft_ref ref;
} inbox[OBJECTS];

static int rounds = 20000;

static haft_handle account_new(void) {
    account *made = malloc(sizeof *made);
    haft_handle handle = 0;
    atomic_init(&made->balance, 0);
    atomic_init(&made->alive, 1);
    CHECK(HAFT_NEW(&account_type, made, &handle) == HAFT_OK);
    atomic_fetch_add(&created, 1);
    return handle;
}

static void post(unsigned where, haft_ref *ref) {
    haft_ref before;
    pthread_mutex_lock(&inbox[where].lock);
    before = inbox[where].ref;
    inbox[where].ref = *ref;
    pthread_mutex_unlock(&inbox[where].lock);
    if (before.object != NULL) {
        account *held = before.object;
        CHECK(atomic_load(&held->alive) == 1);
        CHECK(haft_release(&before) == HAFT_OK);
    }
}

static void *work(void *argument) {
    unsigned state = (unsigned)(size_t)argument * 2654435761u + 1;
    // What this thread has seen of the handles: others remove them meanwhile.
    haft_handle seen[OBJECTS] = {0};
    for (int round = 0; round < rounds; round++) {
        state = state * 1664525u + 1013904223u;
        unsigned where = state >> 8 & (OBJECTS - 1), what = state >> 20 & 15;
        haft_ref ref;
        if (seen[where] == 0) {
            seen[where] = atomic_load(&handles[where]);
        }
        haft_status status = haft_get(&account_type, seen[where], &ref);
        if (status == HAFT_OK) {
            account *held = ref.object;
            if (what == 0) {
                // Remove it under the others' feet, also under our own.
                haft_handle fresh = account_new();
                haft_handle old = atomic_exchange(&handles[where], fresh);
                CHECK(HAFT_REMOVE(old) == HAFT_OK);
                seen[where] = fresh;
            }
            CHECK(atomic_load(&held->alive) == 1);
            atomic_fetch_add(&held->balance, 1);
            atomic_fetch_add(&found, 1);
            if (what == 1) {
                CHECK(haft_share(&ref) == HAFT_OK);
                post(where, &ref);
            } else {
                CHECK(haft_release(&ref) == HAFT_OK);
            }
        } else {
            CHECK(status == HAFT_STALE);
            seen[where] = 0;
            atomic_fetch_add(&stale, 1);
        }
    }
    return NULL;
}

int main(int count, char **arguments) {
    pthread_t threads[MOST_THREADS];
    int number = count > 1 ? atoi(arguments[1]) : 4;
    rounds = count > 2 ? atoi(arguments[2]) : rounds;
    CHECK(number > 0 && number <= MOST_THREADS);
    for (unsigned i = 0; i < OBJECTS; i++) {
        pthread_mutex_init(&inbox[i].lock, NULL);
        atomic_store(&handles[i], account_new());
    }
    for (int i = 0; i < number; i++) {
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(size_t)(i + 1)) == 0);
    }
    for (int i = 0; i < number; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    haft_ref nothing = {0};
    for (unsigned i = 0; i < OBJECTS; i++) {
        CHECK(haft_remove(atomic_load(&handles[i])) == HAFT_OK);
        post(i, &nothing);
    }
    CHECK(atomic_load(&created) == atomic_load(&destroyed));
    CHECK(haft_live() == 0);
    printf("threads: %d threads, %lu lookups found an object, %lu found it removed; %lu objects created and destroyed\n",
           number, atomic_load(&found), atomic_load(&stale), atomic_load(&created));
    return 0;
}
