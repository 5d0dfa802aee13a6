"""A remedy as data: what is changed of a model or of the loop around it, and the line that a user would write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actlab.errors import ActlabError

if TYPE_CHECKING:
    from torch import nn


class DoesNotApply(ActlabError):
    """A remedy that has nothing to change in a model; the sentence says why."""


@dataclass(frozen=True)
class Remedy:
    """A change of a model, or of the loop around it, that is made from outside and undone afterwards.

    Attributes:
        code: its name for programs.
        title: what it is, in a few words.
        line: what a user would write, as a line of code.
        apply: from the model, built and not trained yet, a context in which the change holds. All that is changed of
            the process is put back at its end; changes of the model stay with the model. It raises `DoesNotApply`
            where there is nothing to change.
        kind: two of one kind stand for each other, and are not tried together.
        comparable: whether its training loss means what that of the untreated run means, so that the two can be held
            against each other before the end.
    """

    code: str
    title: str
    line: str
    apply: Callable[[nn.Module], AbstractContextManager[object]]
    kind: str
    comparable: bool = True


def applied(remedies: Sequence[Remedy], model: nn.Module) -> ExitStack:
    """A context in which remedies hold, the first one within the others; what holds already is undone where one fails.

    Raises:
        DoesNotApply: one of them has nothing to change.
    """
    with ExitStack() as stack:
        for remedy in remedies:
            stack.enter_context(remedy.apply(model))
        return stack.pop_all()
    raise AssertionError  # `ExitStack` swallows nothing here.
