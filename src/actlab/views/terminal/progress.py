"""Progress bars: of a run, with members, epochs, samples a second and time left; of what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from actlab.engine import Progress


@contextmanager
def bar(console: Console | None = None) -> Iterator[Callable[[Progress], None]]:
    """Show a bar on stderr (a terminal only) while a run reports its progress to what this yields."""
    console = console or Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task("compiling", total=None, detail="")

        def show(progress: Progress) -> None:
            detail = f"{progress.epoch}/{progress.epochs} epochs · {samples_per_second(progress)} samples/s ·"
            description = f"{progress.purpose}: " * bool(progress.purpose) + f"{progress.members} members"
            shown.update(task, description=description, completed=progress.epoch, total=progress.epochs, detail=detail)

        yield show


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr (a terminal only) that goes one further whenever what this yields is called."""
    console = Console(stderr=True)
    with Bar(console=console, disable=not console.is_terminal, transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda: shown.advance(task)


def samples_per_second(progress: Progress) -> str:
    """The rate so far, to three digits with a unit prefix.

    >>> from types import SimpleNamespace
    >>> samples_per_second(SimpleNamespace(samples=2_500_000, seconds=2.0))
    '1.25 M'
    """
    rate = progress.samples / progress.seconds if progress.seconds else 0.0
    rate = float(f"{rate:.3g}")  # 999,999 is 1 M, not 1,000 k.
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:.3g} {prefix}"
    return f"{rate:.3g}"
