"""What all commands print with."""

from __future__ import annotations

import json
from typing import Any

import typer


def show(renderable: Any) -> None:
    """Print a table, a card or another thing of Rich's."""
    from rich.console import Console

    Console().print(renderable)


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    typer.echo(json.dumps(value, indent=1, allow_nan=False))
