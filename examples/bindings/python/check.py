"""`examples/bindings/run python`: both modules, used, misused and leaked."""

import ctypes
import gc
import importlib
import sys
from concurrent.futures import ThreadPoolExecutor

leaks = ctypes.CDLL("libcounter.so").counter_leaks
leaks.restype = ctypes.c_void_p
free = ctypes.CDLL(None).free
free.argtypes = [ctypes.c_void_p]


def report():
    text = leaks()
    try:
        return ctypes.string_at(text).decode()
    finally:
        free(text)


def line():
    return sys._getframe(1).f_lineno


def fails(module, text, call, *arguments):
    try:
        call(*arguments)
    except module.Error as error:
        assert text in str(error), error
        return
    raise AssertionError("no error")


def check(module):
    live = module.haft.haft_live

    # Used, closed, and used after that.
    one = module.Counter(5)
    made = f"check.py:{line() - 1}"
    assert one.add(2) == 7 and one.add(-7) == 0
    assert made in report(), report()
    one.close()
    fails(module, "was removed", one.add, 1)
    fails(module, made, one.add, 1)
    fails(module, "was removed", one.close)
    one.handle = id(one)
    fails(module, "malformed", one.add, 1)

    # A scope ends it, also by an exception.
    try:
        with module.Counter(1) as scoped:
            assert live() == 1
            raise KeyError
    except KeyError:
        fails(module, "was removed", scoped.add, 1)

    # Many threads, while one closes.
    shared = module.Counter(0)
    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(lambda _: shared.add(1), range(1000))) == 1000

        def use(_):
            try:
                return shared.add(1)
            except module.Error as error:
                return "was removed" in str(error)

        closing = pool.submit(shared.close)
        assert all(pool.map(use, range(1000)))
        closing.result()

    # Forgotten ones are collected, and also what is in a cycle.
    for number in range(100):
        cycle = [module.Counter(number)]
        cycle.append(cycle)
    del cycle, one, scoped, shared
    gc.collect()
    assert live() == 0, report()

    # What is kept is a leak, with its line.
    kept = module.Counter(1)
    assert f"check.py:{line() - 1}" in report()
    kept.close()
    print(f"{module.__name__}: ok")


check(importlib.import_module("counter"))
try:
    import cffi
except ImportError:
    print("!!! THERE IS NO cffi: THAT MODULE IS NOT TESTED")
else:
    check(importlib.import_module("counter_cffi"))
