"""Findings for a terminal: what is wrong, where, how it is known, and what to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from actlab.wording import number

Finding = Mapping[str, Any]


def findings(found: Sequence[Finding]) -> Iterator[RenderableType]:
    """The findings one after the other: the sentence, and below it where, by which numbers, from what, what to try."""
    for own in found:
        warned = own["severity"] == "warning"
        line = Text("✗ " if warned else "· ", style="bold red" if warned else "dim")
        line.append(own["sentence"], style="bold" if warned else "")
        line.append(f" [{own['code']}]", style="dim")
        yield line
        for title, text in _details(own):
            yield Padding(Text.assemble((f"{title}: ", "dim"), text), (0, 0, 0, 2))


def _details(own: Finding) -> Iterator[tuple[str, str]]:
    where = [own["activation"], own["layer"], f"step {own['step']:,}" if "step" in own else None]
    if known := [text for text in where if text]:
        yield "where", ", ".join(known)
    numbers = {name: value for name, value in own["evidence"].items() if isinstance(value, Real)}
    if numbers:
        yield "by", ", ".join(f"{name.replace('_', ' ')} {_written(value)}" for name, value in numbers.items())
    if own["cause"]:
        yield "follows from", own["cause"]
    if own["help"]:
        yield "try", own["help"]


def _written(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else number(value)
