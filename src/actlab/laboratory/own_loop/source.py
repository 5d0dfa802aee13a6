"""What code of a user's own is called, and a digest that changes when it does."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

# Values of a module that say something by their text.
_PLAIN = (int, float, complex, str, bytes, bool, type(None))


def place_of(code: Callable[..., Any]) -> str:
    """Where code is defined, as "module:name".

    >>> import json
    >>> place_of(json.dumps), place_of(functools.partial(json.dumps, indent=1))
    ('json:dumps', 'json:dumps')
    """
    code = _unwrapped(code)
    named = code if hasattr(code, "__qualname__") else type(code)
    return f"{named.__module__}:{named.__qualname__}"


def digest_of(code: Callable[..., Any]) -> str:
    """SHA-256 of the source of code, and of what it uses of its own module: functions, classes, what names stand for.

    Values of a module count by the text that makes them, and not by what has become of them. What other modules hold is
    not looked at.
    """
    found = hashlib.sha256()
    for text in _texts(code, set()):
        found.update(text.encode())
        found.update(b"\0")
    return found.hexdigest()


def _unwrapped(code: Any) -> Any:
    while isinstance(code, functools.partial):
        code = code.func
    return inspect.unwrap(code) if callable(code) else code


def _texts(code: Any, seen: set[int]) -> Iterator[str]:
    while isinstance(code, functools.partial):
        yield _plain_text((code.args, sorted(code.keywords.items())))
        code = code.func
    code = _unwrapped(code)
    if inspect.ismethod(code):
        code = code.__func__
    if not isinstance(code, (types.FunctionType, type)):
        yield _plain_text(getattr(code, "__dict__", None))
        code = type(code)
    if id(code) in seen:
        return
    seen.add(id(code))
    yield _text(code)
    for function in _functions(code):
        yield from _used(function, seen)


def _functions(code: Any) -> Iterator[types.FunctionType]:
    """A function, or the methods of a class."""
    if isinstance(code, types.FunctionType):
        yield code
        return
    for member in vars(code).values():
        member = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(member, types.FunctionType):
            yield member


def _used(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    """Texts of what a function uses of its own module, and of what surrounds it."""
    closed = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    around = {name: cell.cell_contents for name, cell in closed if cell != types.CellType()}
    for name in sorted({*_names(function.__code__), *around}):
        value = around.get(name, function.__globals__.get(name))
        own = getattr(value, "__module__", None) == function.__module__
        if own and isinstance(_unwrapped(value), (types.FunctionType, type)):
            yield from _texts(value, seen)
        elif name in around:
            yield f"{name} = {_unchanging(value)}"
        elif name in function.__globals__:
            yield _assigned(function.__module__).get(name) or f"{name} = {_unchanging(value)}"


def _assigned(module: str) -> dict[str, str]:
    """By name, the statements at the top of a module that give it a value; empty of one without a text."""
    try:
        text = inspect.getsource(sys.modules[module])
        statements = ast.parse(text).body
    except (OSError, TypeError, KeyError, SyntaxError):
        return {}
    found: dict[str, str] = {}
    for statement in statements:
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for node in (node for target in targets for node in ast.walk(target)):
                if isinstance(node, ast.Name):
                    found[node.id] = found.get(node.id, "") + (ast.get_source_segment(text, statement) or "")
    return found


def _unchanging(value: Any) -> str:
    """A plain value that nothing changes, by its text; all others by their type."""
    plain = isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(isinstance(own, _PLAIN) for own in value))
    return repr(value) if plain else type(value).__qualname__


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _plain_text(value: Any) -> str:
    """Plain values by their text, all others by their type: an address in memory says nothing."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_plain_text(own)}" for key, own in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_plain_text, value)) + "]"
    return type(value).__qualname__


def _text(code: Any) -> str:
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        # Of what was typed at a prompt, the compiled code.
        return "".join(_compiled(function.__code__) for function in _functions(code))


def _compiled(code: types.CodeType) -> str:
    inner = (own for own in code.co_consts if isinstance(own, types.CodeType))
    plain = [own for own in code.co_consts if isinstance(own, _PLAIN)]
    return f"{code.co_code.hex()} {code.co_names} {plain} {''.join(map(_compiled, inner))}"
