"""What is changed in the whole process while steps are looked at, once for all of them, and put back after the last.

Several models may be watched at a time, whose looks begin and end in any order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

Note = Callable[[Any], None]
_notes: list[Note] = []
_undo: list[Callable[[], None]] = []


def begin(note: Note) -> None:
    """Have `note` called with what every backward pass begins with; compiled code runs eagerly meanwhile.

    What `note` returns is called after that pass, unless it is None.
    """
    _notes.append(note)
    if len(_notes) == 1:
        _undo.append(_intercepted())
        # Compiled code runs no hooks that came after it. Where the compiler was never imported nothing is compiled, and
        # to import it for this takes seconds.
        if "torch._dynamo" in sys.modules:
            stance: Any = torch.compiler.set_stance("force_eager")
            _undo.append(lambda: stance.__exit__(None, None, None))


def end(note: Note) -> None:
    """Call it no longer; again, it does nothing."""
    if note in _notes:
        _notes.remove(note)
        while not _notes and _undo:
            _undo.pop()()


def _intercepted() -> Callable[[], None]:
    """Have `torch.autograd.backward`, which every loss goes back by, tell of its tensors; returns what ends that."""
    original = torch.autograd.backward

    @wraps(original)
    def backward(tensors: Any, *arguments: Any, **settings: Any) -> Any:
        following = [note(tensors) for note in [*_notes]]
        result = original(tensors, *arguments, **settings)
        for after in following:
            if after is not None:
                after()
        return result

    torch.autograd.backward = backward

    def restore() -> None:
        # Who has put something in its place since, keeps it.
        if torch.autograd.backward is backward:
            torch.autograd.backward = original

    return restore
