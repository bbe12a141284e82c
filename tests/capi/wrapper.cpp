// The C++ wrapper: references release themselves, errors are exceptions.

#include <haft.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

int destroyed = 0;

struct session {
    int user;
    ~session() { destroyed += 1; }
};

const haft_type session_type = {"session", [](void *gone) { delete static_cast<session *>(gone); }};
const haft_type socket_type = {"socket", nullptr};

void check(bool condition, const char *what) {
    if (!condition) {
        std::fprintf(stderr, "failed: %s\n", what);
        std::exit(1);
    }
}
#define CHECK(condition) check((condition), #condition)

template <typename Body> haft_status status_of(Body body) {
    try {
        body();
        return HAFT_OK;
    } catch (const haft::error &error) {
        CHECK(std::string(error.what()).size() > 20);
        return error.status();
    }
}

} // namespace

int main() {
    haft_handle handle = haft::make(session_type, new session{7}, __FILE__, __LINE__);
    {
        haft::ref<session> first{session_type, handle};
        CHECK(first && first->user == 7 && (*first).user == 7 && first.handle() == handle);
        haft::ref<session> second = std::move(first);
        CHECK(!first && second && second.get()->user == 7);
        first = std::move(second);
        CHECK(first && !second);
        haft::check(HAFT_REMOVE(handle));
        CHECK(destroyed == 0);
    }
    CHECK(destroyed == 1);

    handle = haft::make(session_type, new session{8});
    haft::ref<session> moved{session_type, handle};
    moved.share();
    haft::check(haft_remove(handle));
    std::thread([guard = std::move(moved)]() mutable {
        CHECK(guard->user == 8);
        guard.reset();
        CHECK(!guard && destroyed == 2);
    }).join();

    // One that goes to others from the beginning, also into a container.
    int before = destroyed;
    handle = haft::make(session_type, new session{9});
    std::vector<haft::shared_ref<session>> several;
    several.emplace_back(session_type, handle);
    several.push_back(haft::shared_ref<session>{session_type, handle});
    haft::check(haft_remove(handle));
    std::thread([several = std::move(several)]() mutable {
        CHECK(several.size() == 2 && several[1]->user == 9);
        CHECK(several[0].release() == HAFT_OK && several[0].release() == HAFT_OK);
    }).join();
    CHECK(destroyed == before + 1);

    // What belongs to a thread that runs cannot be let go elsewhere, and that is said.
    handle = haft::make(session_type, new session{10});
    haft::ref<session> mine{session_type, handle};
    std::thread([&mine] { CHECK(mine.release() == HAFT_WRONG_THREAD && mine); }).join();
    CHECK(mine.release() == HAFT_OK && !mine);
    haft::check(haft_remove(handle));

    CHECK(status_of([&] { haft::ref<session>(session_type, handle); }) == HAFT_STALE);
    CHECK(status_of([&] { haft::ref<session>(session_type, 0); }) == HAFT_NULL_HANDLE);
    handle = haft::make(socket_type, nullptr);
    CHECK(status_of([&] { haft::ref<session>(session_type, handle); }) == HAFT_WRONG_TYPE);
    haft::check(haft_remove(handle));
    CHECK(haft_live() == 0);
    std::puts("wrapper: all checks passed");
    return 0;
}
