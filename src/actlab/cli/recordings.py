"""The commands that read a recording and write of it: `actlab report | power | export`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actlab.cli.options import Activations, Baseline, Metric, Run, compare_with
from actlab.errors import ActlabError, InvalidFunction

if TYPE_CHECKING:
    from actlab.recording import Recording

# Of so many seeds a hundred studies are made up in a minute.
MOST_SEEDS = 500


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where; DIR/report.html by default.")] = None,
    baseline: Baseline = None,
    metric: Metric = None,
) -> None:
    """Make report and summary of a recording again; needs no JAX."""
    from actlab.laboratory import write_results
    from actlab.recording import load
    from actlab.statistics import summarise
    from actlab.views.report.report import report as write

    recording = load(directory)
    recording.lead_by(metric)
    if out is not None:
        typer.echo(f"wrote {write(recording, out, summarise(recording, baseline))}")
        return
    write_results(recording, baseline)
    typer.echo(f"wrote {directory / 'report.html'}\nwrote {directory / 'summary.json'}")


def power(
    directory: Run,
    activations: Activations = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="6,12,50", help="Numbers of seeds to look at.")
    ] = None,
) -> None:
    """How many seeds it takes to tell the functions apart, if they are as far apart as a recording says."""
    from rich.console import Console

    from actlab.functions.variants import split_names
    from actlab.recording import load
    from actlab.statistics import reported
    from actlab.statistics.power import SEEDS, power
    from actlab.statistics.summary import ranking
    from actlab.views.figures.recording import names_of
    from actlab.views.terminal.power import legend, power_table
    from actlab.views.terminal.progress import counting

    recording = load(directory)
    counts = SEEDS if seeds is None else _counts(seeds)
    names = names_of(recording, split_names(activations) if activations else None)
    ranked = [entry for entry in ranking(recording, reported(recording)) if entry.activation in names]
    with counting("making up studies", len(counts)) as step:
        found = power(recording, ranked, counts, lambda _: step())
    console = Console()
    console.print(power_table(found))
    console.print(f"\n{legend(found)}", style="dim", highlight=False)


def _counts(text: str) -> list[int]:
    """Numbers of seeds, the smallest first.

    >>> _counts("50,6")
    [6, 50]
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d{1,4}", part) and 1 < int(part) <= MOST_SEEDS for part in parts):
        raise InvalidFunction(f"--seeds {text!r}: numbers of seeds from 2 to {MOST_SEEDS} are expected, as in 6,12,50.")
    return sorted({int(part) for part in parts})


def export(
    directory: Run,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", metavar="DIR", help="A new directory for TensorBoard's event files.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", help="A new directory for all numbers, as CSV files.")
    ] = None,
    latex: Annotated[Path | None, typer.Option("--latex", metavar="FILE", help="The table, for a paper.")] = None,
    methods: Annotated[
        Path | None,
        typer.Option("--methods", metavar="FILE", help="How it was compared, in sentences: .md, .tex or .txt."),
    ] = None,
    baseline: Baseline = None,
    metric: Metric = None,
) -> None:
    """Write a recording for other tools, or for a paper."""
    if not (tensorboard or csv or latex or methods):
        raise ActlabError(
            "export writes what it is asked for: give one or more of --tensorboard DIR, --csv DIR, --latex FILE and "
            "--methods FILE."
        )
    from actlab.recording import load

    recording = load(directory)
    compare_with(recording, baseline, metric)
    if csv or latex or methods:
        _for_a_paper(recording, csv, latex, methods)
    if tensorboard:
        from actlab.views.tensorboard import epoch_times
        from actlab.views.tensorboard import export as write

        write(recording, tensorboard)
        typer.echo(f"wrote {tensorboard}: tensorboard --logdir {tensorboard}\n{epoch_times(recording)[1]}")


def _for_a_paper(recording: Recording, csv: Path | None, latex: Path | None, methods: Path | None) -> None:
    from actlab.statistics import summarise
    from actlab.views import paper
    from actlab.views.paper.methods import check_suffix
    from actlab.views.paper.tables import check_new
    from actlab.views.paper.writing import check_file, check_recorded

    # What is wrong is said before the first of several is written.
    check_recorded(recording)
    for file in filter(None, (latex, methods)):
        check_file(file)
    if methods:
        check_suffix(methods)
    if csv:
        check_new(csv)
    summary = summarise(recording, derived=True) if csv or latex else None
    if csv:
        typer.echo(f"wrote {paper.write_tables(recording, csv, summary)}")
    if latex:
        typer.echo(f"wrote {paper.write_table(recording, latex, summary)}")
    if methods:
        typer.echo(f"wrote {paper.write_methods(recording, methods)}")
