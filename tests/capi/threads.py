"""The shared library from Python, by ctypes, on several threads. usage: threads.py LIBRARY"""

import ctypes
import sys
import threading

haft = ctypes.CDLL(sys.argv[1])


class Type(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("destroy", ctypes.c_void_p)]


class Ref(ctypes.Structure):
    _fields_ = [
        ("object", ctypes.c_void_p),
        ("handle", ctypes.c_uint64),
        ("keeper", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
    ]


pointer = ctypes.POINTER
haft.haft_new_at.argtypes = [pointer(Type), ctypes.c_void_p, pointer(ctypes.c_uint64), ctypes.c_char_p, ctypes.c_uint32]
haft.haft_get.argtypes = [pointer(Type), ctypes.c_uint64, pointer(Ref)]
haft.haft_release.argtypes = [pointer(Ref)]
haft.haft_share.argtypes = [pointer(Ref)]
haft.haft_remove.argtypes = [ctypes.c_uint64]
haft.haft_last_error.restype = ctypes.c_char_p
haft.haft_status_text.restype = ctypes.c_char_p
haft.haft_live.restype = ctypes.c_uint64

OK, STALE, WRONG_TYPE, WRONG_THREAD = 0, 4, 5, 13
FILE = __file__.encode()

# Objects are numbers, under which Python's own objects are kept.
objects = {}
gone = []
lock = threading.Lock()


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def destroy(number):
    with lock:
        gone.append(objects.pop(number))


worker_type = Type(b"worker", ctypes.cast(destroy, ctypes.c_void_p))
other_type = Type(b"other", None)


def new(number, value):
    with lock:
        objects[number] = value
    handle = ctypes.c_uint64()
    line = sys._getframe(1).f_lineno
    assert haft.haft_new_at(worker_type, number, handle, FILE, line) == OK, haft.haft_last_error()
    return handle.value


def work(base, count, handles):
    for number in range(base, base + count):
        handle = new(number, f"object {number}")
        ref = Ref()
        assert haft.haft_get(worker_type, handle, ref) == OK
        assert ref.object == number and objects[number] == f"object {number}"
        assert haft.haft_remove(handle) == OK
        assert number in objects, "held, so not destroyed"
        assert haft.haft_release(ref) == OK
        assert number not in objects
        assert haft.haft_get(worker_type, handle, ref) == STALE
        handles.append(handle)


results = [[] for _ in range(4)]
threads = [threading.Thread(target=work, args=(1 + 1000 * i, 500, results[i])) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
all_handles = [handle for handles in results for handle in handles]
assert len(set(all_handles)) == 2000 and len(gone) == 2000

handle = new(5, "the last one")
ref = Ref()
assert haft.haft_get(other_type, handle, ref) == WRONG_TYPE
assert b"other" in haft.haft_last_error() and b"threads.py" in haft.haft_last_error(), haft.haft_last_error()
assert haft.haft_get(worker_type, handle, ref) == OK
statuses = []
thread = threading.Thread(target=lambda: statuses.append(haft.haft_release(ref)))
thread.start()
thread.join()
assert statuses == [WRONG_THREAD]
assert haft.haft_share(ref) == OK
assert haft.haft_remove(handle) == OK and haft.haft_live() == 1, "the shared reference"
thread = threading.Thread(target=lambda: statuses.append(haft.haft_release(ref)))
thread.start()
thread.join()
assert statuses == [WRONG_THREAD, OK] and haft.haft_live() == 0 and gone[-1] == "the last one"
print("python: 2001 objects created, looked up and destroyed on 5 threads")
