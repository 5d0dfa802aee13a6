"""The command that shows data before anything is trained: `actlab task`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from actlab.cli.options import with_data_options
from actlab.errors import ActlabWarning


@with_data_options
def task(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE|FOLDER", help="A built-in task, a table, arrays, or pictures in folders."),
    ],
    data: dict[str, Any],
    seed: Annotated[int, typer.Option(metavar="N", help="Of the split, where the data have none.")] = 0,
) -> None:
    """Show data before anything is trained: columns, classes, parts, and what was decided, with what changes it."""
    from rich.console import Console

    from actlab.study import Study, load_task
    from actlab.tasks import describe
    from actlab.views.terminal.task import columns_card, task_card

    study = Study(task=name, task_seed=seed, **data)
    console = Console()
    with warnings.catch_warnings():
        # They stand below the table.
        warnings.simplefilter("ignore", ActlabWarning)
        if study.target is None and (report := describe(name, study.reading)) is not None:
            console.print(columns_card(Path(name).name, report))
            return
        console.print(task_card(load_task(study)))
