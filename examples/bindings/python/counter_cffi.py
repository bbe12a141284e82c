"""The same by cffi, without a compiler."""

import sys
import weakref

import cffi

ffi = cffi.FFI()
ffi.cdef("""
    int32_t counter_new(int64_t value, const char *place, uint64_t *handle);
    int32_t counter_add(uint64_t handle, int64_t amount, int64_t *sum);
    void counter_collect(uint64_t handle);
    int32_t haft_remove(uint64_t handle);
    const char *haft_last_error(void);
    uint64_t haft_live(void);
""")
haft = ffi.dlopen("libhaft.so")
library = ffi.dlopen("libcounter.so")


class Error(Exception):
    """What haft said: the handle, what it is, and the lines that created and removed it."""


def check(status):
    if status:
        raise Error(ffi.string(haft.haft_last_error()).decode())


class Counter:
    """Ends with `with`, by `close`, or when it is collected. Any thread may use it."""

    def __init__(self, value=0):
        caller = sys._getframe(1)
        place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
        handle = ffi.new("uint64_t *")
        check(library.counter_new(value, place.encode(), handle))
        self.handle = handle[0]
        weakref.finalize(self, library.counter_collect, self.handle)

    def add(self, amount):
        total = ffi.new("int64_t *")
        check(library.counter_add(self.handle, amount, total))
        return total[0]

    def close(self):
        check(haft.haft_remove(self.handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        library.counter_collect(self.handle)
