"""Functions of the program, wrapped by name in the calling process: the program itself has no hooks for this."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def wrap(target: str, around: Callable[[Function], Function]) -> None:
    """Replace a function by `around(function)`; callers that look it up where `target` names it call the new one.

    Args:
        target: `module:attribute.attribute`; a plain function, a method or a class method.
        around: takes the function and gives what is called instead.

    Raises:
        LookupError: there is no such function.
    """
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    try:
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        found = inspect.getattr_static(owner, name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"a wrapped function must be one of the program; got {target!r}: {error}") from error
    method = isinstance(found, classmethod)
    function = found.__func__ if method else found
    wrapper = functools.wraps(function)(around(function))
    setattr(owner, name, classmethod(wrapper) if method else wrapper)
