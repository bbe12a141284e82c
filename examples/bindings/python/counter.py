"""A counter of C's as a Python object, by ctypes."""

import ctypes
import sys
import weakref

haft = ctypes.CDLL("libhaft.so")
library = ctypes.CDLL("libcounter.so")

HANDLE = ctypes.c_uint64
library.counter_new.argtypes = [ctypes.c_int64, ctypes.c_char_p, ctypes.POINTER(HANDLE)]
library.counter_add.argtypes = [HANDLE, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64)]
library.counter_collect.argtypes = [HANDLE]
library.counter_collect.restype = None
haft.haft_remove.argtypes = [HANDLE]
haft.haft_last_error.restype = ctypes.c_char_p
haft.haft_live.restype = ctypes.c_uint64


class Error(Exception):
    """What haft said: the handle, what it is, and the lines that created and removed it."""


def check(status):
    if status:
        raise Error(haft.haft_last_error().decode())


class Counter:
    """Ends with `with`, by `close`, or when it is collected. Any thread may use it."""

    def __init__(self, value=0):
        caller = sys._getframe(1)
        place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
        handle = HANDLE()
        check(library.counter_new(value, place.encode(), handle))
        self.handle = handle.value
        # Called once, when this object is collected or Python ends; it has the handle, and not this object.
        weakref.finalize(self, library.counter_collect, self.handle)

    def add(self, amount):
        total = ctypes.c_int64()
        check(library.counter_add(self.handle, amount, total))
        return total.value

    def close(self):
        check(haft.haft_remove(self.handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        library.counter_collect(self.handle)
