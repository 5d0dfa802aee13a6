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
    from actlab.diagnosis.recorded import verdict_in
    from actlab.recording import load
    from actlab.statistics.summary import json_safe
    from actlab.views.terminal.findings import findings

    verdict = verdict_in(load(directory), mute or ())
    wrong = verdict.state == "faulty"
    if as_json:
        told = {"directory": str(directory), "wrong": wrong, "state": verdict.state, "sentence": verdict.sentence}
        print_json(json_safe(told | {"findings": verdict.findings}))
    else:
        for line in findings(verdict.findings):
            show(line)
        if not wrong:
            typer.echo(f"Nothing wrong was found. {verdict.sentence.removeprefix('Nothing wrong was found.')}".rstrip())
    if wrong:
        raise typer.Exit(1)
