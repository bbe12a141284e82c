// haft for C++17: a move-only reference that releases itself, and errors as exceptions. Header-only, over haft.h.
//
//     static const haft_type session_type = {"session", [](void *session) { delete static_cast<Session *>(session); }};
//
//     haft_handle handle = haft::make(session_type, new Session, __FILE__, __LINE__);
//     {
//         haft::ref<Session> session{session_type, handle};    // throws haft::error
//         session->run();
//     }
//     haft::check(HAFT_REMOVE(handle));
//
// Licence: MIT OR Apache-2.0.

#ifndef HAFT_HPP
#define HAFT_HPP

#include "haft.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace haft {

// A status that is not HAFT_OK, with the sentence of haft_last_error().
class error : public std::runtime_error {
public:
    explicit error(haft_status status) : std::runtime_error(haft_last_error()), status_(status) {}
    haft_status status() const noexcept { return status_; }

private:
    haft_status status_;
};

inline void check(haft_status status) {
    if (status != HAFT_OK) {
        throw error(status);
    }
}

// A new handle. *transfers* the object, unless it throws.
inline haft_handle make(const haft_type &type, void *object, const char *file = nullptr, uint32_t line = 0) {
    haft_handle handle = 0;
    check(haft_new_at(&type, object, &handle, file, line));
    return handle;
}

// Something could not be let go, and nobody is there to be told by a status: said on standard error, and the end of a debug build.
inline void lost(haft_status status) noexcept {
    if (status != HAFT_OK) {
        std::fprintf(stderr, "haft: %s\n", haft_last_error());
#ifndef NDEBUG
        std::abort();
#endif
    }
}

// Holds an object of type T, which stays as long as this does. Stays on its thread: one that goes to others is a
// shared_ref, or is shared before.
template <typename T> class ref {
public:
    ref() noexcept = default;
    ref(const haft_type &type, haft_handle handle) { check(haft_get(&type, handle, &held_)); }
    ref(ref &&other) noexcept : held_(std::exchange(other.held_, haft_ref{})) {}
    ref &operator=(ref &&other) noexcept {
        std::swap(held_, other.held_);
        return *this;
    }
    ref(const ref &) = delete;
    ref &operator=(const ref &) = delete;
    ~ref() { reset(); }

    T *get() const noexcept { return static_cast<T *>(held_.object); }
    T &operator*() const noexcept { return *get(); }
    T *operator->() const noexcept { return get(); }
    explicit operator bool() const noexcept { return held_.number != 0; }
    haft_handle handle() const noexcept { return held_.handle; }

    // From now on it may go to other threads.
    void share() { check(haft_share(&held_)); }
    // Lets go now, and says whether it could: HAFT_WRONG_THREAD where it belongs to another thread that still runs.
    haft_status release() noexcept { return *this ? haft_release(&held_) : HAFT_OK; }
    // Lets go now.
    void reset() noexcept { lost(release()); }

protected:
    explicit ref(haft_ref held) noexcept : held_(held) {}

private:
    haft_ref held_{};
};

// The same for any thread: for futures, pools and containers.
template <typename T> class shared_ref : public ref<T> {
public:
    shared_ref() noexcept = default;
    shared_ref(const haft_type &type, haft_handle handle) : ref<T>(got(type, handle)) {}

private:
    static haft_ref got(const haft_type &type, haft_handle handle) {
        haft_ref held{};
        check(haft_get_shared(&type, handle, &held));
        return held;
    }
};

} // namespace haft

#endif
