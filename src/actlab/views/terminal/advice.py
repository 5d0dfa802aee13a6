"""What to try next, for the terminal: each step's reason, and its command on a line of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text


def advice(summary: Mapping[str, Any]) -> RenderableType:
    """The next steps of a summary under a title, and nothing at all where there are none.

    A command that is longer than a line goes on behind a backslash: what is copied from the terminal runs.

    Args:
        summary: what `actlab.statistics.summarise` says of a recording, or what `summary.json` holds.

    >>> step = {"sentence": "Too few seeds.", "command": "actlab compare study.toml --seeds 20"}
    >>> Console(width=80).print(advice({"next_steps": [step]}))
    <BLANKLINE>
    What to try next
    • Too few seeds.
      actlab compare study.toml --seeds 20
    """
    return _Advice(summary)


@dataclass(frozen=True)
class _Advice:
    summary: Mapping[str, Any]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a blank line, the title and the steps."""
        steps = self.summary.get("next_steps") or []
        if steps:
            yield Text()
            yield Text("What to try next", style="bold")
        for step in steps:
            grid = Table.grid(padding=(0, 1, 0, 0))
            grid.add_row(Text("•", style="dim"), Text(step["sentence"]))
            yield grid
            if step["command"]:
                yield Text(_lines(step["command"], options.max_width), style="cyan", overflow="fold")


def _lines(command: str, width: int) -> str:
    r"""A command indented by two, broken between its words as a shell takes it.

    >>> print(_lines("actlab compare study.toml --seeds 20", 32))
      actlab compare study.toml \
        --seeds 20
    """
    if len(command) + 2 <= width:
        return f"  {command}"
    found = textwrap.wrap(command, width - 6, break_long_words=False, break_on_hyphens=False)
    return "  " + " \\\n    ".join(found)
