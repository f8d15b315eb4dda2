"""Python imports this before all else when its folder is on PYTHONPATH: a clock that is wrong, as FALSE_CLOCK says.

`+86400` and `-86400`: seconds that the clock is ahead or behind. `x40000`: its seconds pass 40,000 times as fast, so
that it strikes midnight every other second. `jumping`: a day ahead and a day behind, changing five times a second.

It covers what Python code can ask for the time of day (`time.time`, `time_ns`, `localtime`, `gmtime`, `strftime`, and
`datetime` and `date`). It does not cover the time stamps that the kernel gives to files, nor what C++ libraries read
for themselves. Steady clocks are left alone, as they are when a clock is set.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import os
import time

_KIND = os.environ.get("FALSE_CLOCK", "")
_true_time, _steady = time.time, time.monotonic
_DAY = 86400.0
_BEGAN, _STEADY_BEGAN = _true_time(), _steady()


def _false_time() -> float:
    if _KIND == "jumping":
        return _true_time() + (_DAY if int(_steady() * 5) % 2 else -_DAY)
    if _KIND.startswith("x"):
        return _BEGAN + (_steady() - _STEADY_BEGAN) * float(_KIND[1:])
    return _true_time() + float(_KIND)


def _now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
    return cls.fromtimestamp(_false_time(), tz)


def _utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
    return cls.fromtimestamp(_false_time(), datetime.UTC).replace(tzinfo=None)


def _replace_method(kind: type, name: str, method: object) -> None:
    """Replace a method of a class that is written in C: other libraries hold on to the class itself."""
    (methods,) = gc.get_referents(kind.__dict__)
    methods[name] = method
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _install() -> None:
    local, utc, text = time.localtime, time.gmtime, time.strftime
    replacements = {
        "time": _false_time,
        "time_ns": lambda: int(_false_time() * 1e9),
        "localtime": lambda seconds=None: local(_false_time() if seconds is None else seconds),
        "gmtime": lambda seconds=None: utc(_false_time() if seconds is None else seconds),
        "strftime": lambda form, moment=None: text(form, local(_false_time()) if moment is None else moment),
    }
    for name, function in replacements.items():
        setattr(time, name, function)
    # `today` of both classes asks time.time.
    _replace_method(datetime.datetime, "now", classmethod(_now))
    _replace_method(datetime.datetime, "utcnow", classmethod(_utcnow))


if _KIND:
    _install()
