"""Tables for the terminal: the result of a comparison, a network.

Every function returns something that Rich can print, and prints nothing itself. Nothing is cut off at 80
columns, in a terminal or in a pipe.
"""

from __future__ import annotations

import math
import re
import shlex
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from actlab.custom import TracedNetwork
from actlab.layers import Act
from actlab.network import Network
from actlab.objectives import ACCURACY, Lead, further, lead_in
from actlab.recording import Recording
from actlab.recording.format import STUDY
from actlab.statistics import unseen_share, verdict
from actlab.statistics.baselines import baselines
from actlab.statistics.trained import words_of
from actlab.views.terminal.advice import advice
from actlab.wording import DASH, counted, number, percent

# The terminal shows so many of the published numbers that do not agree or cannot be compared.
OTHERS_TOLD = 4
Summary = Mapping[str, Any]


def leaderboard(recording: Recording, summary: Summary) -> RenderableType:
    """Headline, table and notes of a recording, arranged for the width of the terminal it is printed on.

    Args:
        recording: what was run.
        summary: what `actlab.statistics.summarise` says of it.
    """
    return _Leaderboard(recording, summary)


@dataclass(frozen=True)
class _Leaderboard:
    recording: Recording
    summary: Summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts from top to bottom."""
        others = self.summary["contests"]
        conditions = [self.summary, *({**self.summary, **other} for other in others)]
        tables, fresh = self._tables(conditions, console, options)
        titles = [condition["title"] for condition in (self.summary["contest"], *others)] if others else [""]
        headlines = [condition["headline"] for condition in (self.summary, *others)]
        for title, headline, own_tables in zip(titles, headlines, tables, strict=True):
            if title:
                yield Text(f"{title[:1].upper()}{title[1:]}", style="bold")
            yield Text(headline, style="" if title else "bold")
            for table in own_tables:
                yield Text()
                yield table
            yield Text()
        yield Text(legend(self.summary, fresh=fresh), style="dim")
        yield Text()
        for note in self.summary["notes"]:
            yield _note(note)
        yield from _findings(self.summary)
        yield advice({"next_steps": [self._from_here(step) for step in self.summary["next_steps"]]})

    def _from_here(self, step: Mapping[str, str]) -> dict[str, str]:
        """A step whose command names the study's file from where one is, not from the run directory."""
        file = shlex.quote(str(self.recording.directory / STUDY))
        return {**step, "command": re.sub(rf"\b{re.escape(STUDY)}\b", lambda _: file, step["command"], count=1)}

    def _tables(
        self, summaries: Sequence[Summary], console: Console, options: ConsoleOptions
    ) -> tuple[list[list[Table]], bool]:
        """One table for each condition, with wide gaps if these fit; a second one for milestones if one is too wide.

        Also whether they hold the intervals for new data, which the page has where there is no room for them.
        """
        wide = options.update(max_width=1000)
        split = bool(self.recording.study.milestones)
        tables: list[Table] = []
        whole = fresh = True
        narrow: dict[str, Any] = {"milestones": not split, "gap": 1}
        tries: list[dict[str, Any]] = [{}, {"gap": 1}, {"milestones": not split}, narrow]
        for tried in (*tries, narrow | {"stacked": True}, narrow | {"fresh": False}):
            whole, fresh = tried.get("milestones", True), tried.get("fresh", True)
            tables = [result_table(self.recording, own, **tried) for own in summaries]
            if max(Measurement.get(console, wide, table).maximum for table in tables) <= options.max_width:
                break
        for table in tables[1:]:
            table.title = None
        if whole:
            return [[table] for table in tables], fresh
        beside = (milestone_table(self.recording, own) for own in summaries)
        return [list(own) for own in zip(tables, beside, strict=True)], fresh


def legend(summary: Summary, *, fresh: bool = True) -> str:
    """A legend says which samples and seeds the numbers of the table are over.

    Args:
        summary: what `actlab.statistics.summarise` says of a recording.
        fresh: whether the table has the intervals for new data.
    """
    samples, probed = (summary["samples"] or {}).get("test"), summary["probe_samples"]
    weight = f", one weighs {100 / samples:.2g} points" if samples and lead_in(summary) == ACCURACY else ""
    test = f" The test set has {samples:,} samples{weight}." if samples else ""
    fresh = fresh and any(row["test_accuracy_ci95_new_data"] for row in summary["activations"])
    new = "on new data: 95 % interval over new seeds and new samples together. " if fresh else ""
    return (
        "[low–high]: 95 % interval of the mean over seeds (Student's t), the training's luck: other samples may differ "
        f"by more.{test} {new}"
        "gradient ratio: weight gradient of the first layer over that of the last. flat: share of samples and units "
        f"where |f'| is below 0.1 % of its supremum. dead: units flat for all of the {probed} "
        f"{words_of(summary['study']).samples} (such a "
        f"unit may still fire for {100 * unseen_share(probed):.2g} % of the data)."
    )


def result_table(
    recording: Recording,
    summary: Summary,
    *,
    milestones: bool = True,
    gap: int = 2,
    fresh: bool = True,
    stacked: bool = False,
) -> Table:
    """The activations, best first: test results, speed, and what goes on inside the network.

    Args:
        recording: what was run.
        summary: what `actlab.statistics.summarise` says of it.
        milestones: whether the study's milestones have columns here.
        gap: blanks between columns.
        fresh: whether intervals for new data have a column.
        stacked: whether the interval of a mean stands below it.
    """
    table = plain_table(title=Text(_title(recording)), gap=gap)
    table.add_column("activation", overflow="fold")
    narrow = stacked or not fresh
    lead = lead_in(summary)
    table.add_column(Text(f"test\n{lead.title} {lead.unit}".rstrip()), justify="right", overflow="fold")
    beside = further(summary["metrics"], lead.name, narrow=True)
    titles = [f"test\n{metric['title']} {metric['unit']}".rstrip() for metric in beside]
    fresh = fresh and any(row["test_accuracy_ci95_new_data"] for row in summary["activations"])
    new = ["on new\ndata"] if fresh else []
    for header in (
        *new,
        *([] if lead.name == "loss" else ["test\nloss"]),
        *titles,
        *([] if lead.at_end else ["epochs\nto\ntarget"]),
        "gradient\nratio",
        "flat\n%",
        "dead\n%",
        "diverged",
    ):
        table.add_column(Text(header), justify="right", no_wrap=True)
    if several_rates := len(recording.study.learning_rates or ()) > 1:
        words = words_of(recording.study)
        table.add_column("times\nrate" if words.own_loop else "learning\nrate", justify="right", no_wrap=True)
    for milestone in recording.study.milestones if milestones else ():
        table.add_column(Text(textwrap.fill(milestone.name, 10)), justify="right", no_wrap=True)
    decimals = _decimals(summary["activations"], lead)
    for place, row in enumerate(summary["activations"]):
        cells = _cells(row, lead, decimals, beside, fresh)
        cells[1] = str(cells[1]).replace(" [", "\n[") if stacked else cells[1]
        # Parameters stand below the name that they belong to.
        cells[0] = Text(row["name"].replace("(", "\n(").replace(",", ",\n ")) if narrow else cells[0]
        cells += [f"{row['learning_rate']:g}"] if several_rates else []
        cells += _milestone_cells(row) if milestones else []
        table.add_row(*cells, style="bold" if place == 0 else "")
    for baseline in baselines(summary):
        table.add_row(Text(baseline.name), lead.number(baseline.value, decimals), style="dim")
    return table


def milestone_table(recording: Recording, summary: Summary) -> Table:
    """For every activation and milestone the median first epoch, and the share of seeds that get there."""
    table = plain_table(title="Milestones: median epoch (share of seeds)")
    table.add_column("activation", overflow="fold")
    for milestone in recording.study.milestones:
        table.add_column(Text(textwrap.fill(milestone.name, 20)), justify="right", overflow="fold")
    for row in summary["activations"]:
        table.add_row(Text(row["name"]), *_milestone_cells(row))
    return table


def _title(recording: Recording) -> str:
    study = recording.study
    counts = (counted(len(study.activations), "activation"), counted(len(study.seeds), "seed"))
    return f"{study.name}: {', '.join((*counts, words_of(study).span(study.epochs)))}"


def plain_table(title: str | Text | None = None, gap: int = 2, **settings: Any) -> Table:
    """An empty table in the house's style: a rule under the headers, no box, `gap` blanks between columns."""
    return Table(
        title=title,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        header_style="",
        **settings,
    )


def _findings(summary: Summary) -> Iterator[RenderableType]:
    """What was found, warnings first and marked, and which of the published numbers do not agree."""
    if summary["findings"]:
        yield Text()
        for finding in summary["findings"]:
            yield _note(f"{finding['sentence']} [{finding['code']}]", "!" if finding["severity"] == "warning" else "•")
    if summary["published"]:
        yield Text()
        yield Text(verdict(summary["published"]))
        others = [row for row in summary["published"] if not row["agrees"]]
        for row in others[:OTHERS_TOLD]:
            yield _note(row["sentence"])
        if len(others) > OTHERS_TOLD:
            yield _note(f"{len(others) - OTHERS_TOLD} more: see the report.")


def _note(text: str, mark: str = "•") -> RenderableType:
    marker = Text(mark, style="dim" if mark == "•" else "red")
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(marker, Text(text))
    return grid


def _cells(
    row: Mapping[str, Any], lead: Lead, decimals: int, further: Iterable[Mapping[str, Any]], fresh: bool
) -> list[str | Text]:
    diverged = f"{row['diverged']}/{row['members']}" if row["diverged"] else "0"
    return [
        Text(row["name"]),
        _interval(row[lead.test], lead, decimals),
        *([_ends(row["test_accuracy_ci95_new_data"])] if fresh else []),
        *([] if lead.name == "loss" else [_number(row["test_loss"]["mean"])]),
        *(_scaled(row, metric, _number) for metric in further),
        *([] if lead.at_end else [_epoch(row["epochs_to_target"])]),
        _number(row["gradient_ratio"]),
        _percent(row["flat_share"]),
        _percent(row["dead_share"]),
        Text(diverged, style="red" if row["diverged"] else ""),
    ]


def _scaled(row: Mapping[str, Any], metric: Mapping[str, Any], written: Callable[[float | None], str]) -> str:
    """A metric's mean over the seeds, in its unit."""
    mean = row[f"test_{metric['name']}"]["mean"]
    return written(None if mean is None else metric["scale"] * mean)


def _decimals(activations: Iterable[Mapping[str, Any]], lead: Lead) -> int:
    """Decimals of a share in per cent: two where an interval is too narrow for one."""
    intervals = [row[lead.test]["ci95"] for row in activations]
    widths = [high - low for low, high in filter(None, intervals) if high > low]
    return 2 if widths and min(widths) < 0.003 else 1


def _interval(estimate: Mapping[str, Any], lead: Lead, decimals: int) -> str:
    """Mean and interval in the metric's unit; with no blank in the interval, a narrow cell breaks before it."""
    if estimate["mean"] is None:
        return DASH
    mean, *ends = (lead.number(value, decimals) for value in (estimate["mean"], *(estimate["ci95"] or ())))
    return f"{mean} [{'–'.join(ends)}]" if ends else mean


def _ends(interval: Sequence[float] | None) -> str:
    """The ends of an interval in per cent.

    >>> _ends([0.94, 0.98]), _ends(None)
    ('94.0–98.0', '–')
    """
    return "–".join(f"{100 * end:.1f}" for end in interval) if interval else DASH


def _number(value: float | None) -> str:
    """Three significant digits.

    >>> [_number(v) for v in (0.08123, 2.3, 123.4, 1.2e-9, None)]
    ['0.0812', '2.30', '123', '1.2e-09', '–']
    """
    return number(value, "#.3g" if not value or 1e-4 <= abs(value) < 1e4 else ".2g", minus="-")


def _percent(value: float | None) -> str:
    """A share in per cent with one decimal; whole where it is none or all.

    >>> [_percent(v) for v in (0.0, 0.1234, 1.0, None)]
    ['0', '12.3', '100', '–']
    """
    return percent(value, ".0f" if value in (0, 1) else ".1f", "")


def _epoch(time_to_target: Mapping[str, Any]) -> str:
    """A median epoch; "never" if no seed gets there, a dash if half of them or more do not.

    >>> _epoch({"median": 5.0, "reached": 1.0}), _epoch({"median": None, "reached": 0.0})
    ('5', 'never')
    """
    if time_to_target["median"] is not None:
        return f"{time_to_target['median']:g}"
    return "never" if time_to_target["reached"] == 0 else DASH


def _milestone_cells(row: Mapping[str, Any]) -> list[str]:
    return [
        _epoch(time_to_target) + (f" ({100 * time_to_target['reached']:.0f}%)" if time_to_target["reached"] else "")
        for time_to_target in row["milestones"]
    ]


def network_table(network: Network | TracedNetwork) -> Table:
    """The layers from input to output, with the shape of one sample after each and its parameters.

    A user's own network shows its arrays and the places where it calls `act`.
    """
    table = plain_table(show_footer=True)
    table.add_column("layer", footer="total", overflow="fold")
    table.add_column("output shape", overflow="fold")
    table.add_column("parameters", footer=f"{network.parameter_count:,}", justify="right", no_wrap=True)
    for name, shape in network.leaves.items() if isinstance(network, TracedNetwork) else ():
        table.add_row(f"{name} ({' × '.join(map(str, shape))})", "", f"{math.prod(shape):,}")
    for built in network.layers:
        act = isinstance(built.layer, Act)
        name = f"{built.name} ({built.layer.function or 'under study'})" if act else built.name
        table.add_row(name, " × ".join(map(str, built.output_shape)), f"{built.parameter_count:,}")
    return table
