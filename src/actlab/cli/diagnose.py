"""The command that says what is wrong with recorded networks: `actlab diagnose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actlab.cli.printing import print_json, show


def diagnose(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, of a study or of actlab.watch.")],
    mute: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Leave out findings of this code; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what is wrong with recorded networks; exit code 1 where something is. Needs no framework."""
    from actlab.diagnosis.recorded import findings_in
    from actlab.recording import load
    from actlab.statistics.summary import json_safe
    from actlab.views.terminal.findings import findings

    found = findings_in(load(directory), mute or ())
    wrong = [own for own in found if own["severity"] == "warning"]
    if as_json:
        print_json(json_safe({"directory": str(directory), "wrong": bool(wrong), "findings": found}))
    else:
        for line in findings(found):
            show(line)
        if not wrong:
            typer.echo("Nothing wrong was found.")
    if wrong:
        raise typer.Exit(1)
