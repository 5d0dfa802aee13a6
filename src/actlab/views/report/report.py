"""The report: one HTML file that holds everything it shows, made from a recording alone.

The text is written here, escaped; the charts are plain data that `page/report.js` draws with Plotly, whose
script is embedded. The same recording gives the same bytes.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from html import escape
from pathlib import Path
from typing import Any

from actlab.errors import ActlabError
from actlab.files import write_synced
from actlab.objectives import ACCURACY, lead_in
from actlab.recording import Recording
from actlab.replay import feature_space
from actlab.statistics import reported, summarise, unseen_share
from actlab.statistics.selection import Reported, probe_samples
from actlab.statistics.trained import words_of
from actlab.study import is_watched
from actlab.views.palette import SERIES, Style, styles_of
from actlab.views.report import (
    conditions,
    confusion,
    distributions,
    findings,
    gradients,
    html,
    learnt,
    measures,
    observed,
    outcome,
    player,
    player_html,
    published,
)
from actlab.views.report.charts import Chart
from actlab.views.report.scripts import asset, bundle, script_json, table
from actlab.views.trained import again
from actlab.wording import listed

SHOWN_AT_FIRST = 8
SHARED = (
    " The rows that are shown share their axes over all epochs, so that the pictures of a column can be compared; with "
    "own axes each is seen as large as it can be. What diverged, or reaches more than ten times as far as most, does "
    "not stretch shared axes: its samples beyond stand at their edge."
)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name, title: its anchor and its heading.
        lead: one or two sentences that say what to look for; plain text.
        body: HTML, escaped.
        charts: those that `body` has frames for.
    """

    name: str
    title: str
    lead: str
    body: str
    charts: Sequence[Chart] = field(default=())


def report(recording: Recording, out: str | Path, summary: Mapping[str, Any] | None = None) -> Path:
    """Write the report of a recording, complete or not, as one HTML file that asks the network for nothing.

    Args:
        recording: what to report on; NumPy alone is needed to read it.
        out: the file to write; an earlier one is replaced at once, never by half.
        summary: what `actlab.summarise` says of the recording, where it is at hand.

    Returns:
        The path of the file.

    Raises:
        InvalidRecording: a part of the recording is damaged.
        ActlabError: the file cannot be written.
    """
    out = Path(out)
    if out.is_dir():
        raise ActlabError(f"{out} is a directory: name the file to write, as in {out / 'report.html'}.")
    text = observed.page(recording) if is_watched(recording.study) else page(recording, summary)
    try:
        write_synced(out, text.encode())
    except OSError as error:
        kept = "is complete" if recording.complete else "holds what it held"
        raise ActlabError(
            f"{out}: the report cannot be written ({error.strerror}); the recording in {recording.directory} {kept} "
            "and loads."
        ) from None
    return out


def page(recording: Recording, summary: Mapping[str, Any] | None = None) -> str:
    """The report as the text of an HTML page."""
    shown = _Shown(recording, summary or summarise(recording))
    sections = _sections(shown)
    all_charts = [chart for section in sections for chart in section.charts]
    code = {name: shown.player.pop(name) if shown.player else {} for name in ("functions", "objectives")}
    content = {
        "charts": {chart.name: chart.content for chart in all_charts},
        "usual": shown.usual,
        "player": shown.player,
        "distributions": shown.distributions,
        "cards": shown.cards,
    }
    parts = {
        "title": escape(f"{recording.study.name}: {len(shown.ranked)} activation functions compared"),
        "style": asset("report.css"),
        "study": escape(recording.study.name),
        "headline": escape(shown.summary["headline"]),
        "facts": _facts_line(recording),
        "contents": "".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section in sections),
        "legend": html.legend(shown.ranked, shown.styles, shown.hidden) if all_charts else "",
        "many": f"<p class='many'>The best {SHOWN_AT_FIRST} of {len(shown.ranked)} are shown; choose others here.</p>"
        if shown.hidden
        else "",
        "sections": "".join(map(_section, sections)),
        "content": script_json(content),
        "plotly": plotly() if all_charts else "",
        "functions": "\n".join(table(name.upper(), functions) for name, functions in code.items()),
        "script": bundle("page.js"),
    }
    # In one pass: inserted text is not searched again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], asset("report.html"))


@dataclass(frozen=True)
class _Shown:
    """A recording with all that the page shows of it, each part computed once."""

    recording: Recording
    summary: Mapping[str, Any]

    @cached_property
    def ranked(self) -> list[str]:
        """The activations, best first."""
        return [row["name"] for row in self.summary["activations"]]

    @cached_property
    def entries(self) -> dict[str, Reported]:
        """The activations that have members, best first."""
        by_name = {entry.activation: entry for entry in reported(self.recording)}
        return {name: by_name[name] for name in self.ranked if by_name[name].members}

    @cached_property
    def members(self) -> dict[str, Sequence[int]]:
        """By activation, places on the member axis."""
        return {name: list(entry.columns) for name, entry in self.entries.items()}

    @cached_property
    def styles(self) -> dict[str, Style]:
        """Few activations keep the colours of the study's order; of many, the best get those that differ most."""
        many = len(self.ranked) > len(SERIES)
        return styles_of(self.ranked if many else self.recording.study.activations)

    @property
    def hidden(self) -> list[str]:
        """Activations that are hidden when the page opens."""
        return self.ranked[SHOWN_AT_FIRST:] if len(self.ranked) > len(SERIES) else []

    @property
    def some(self) -> bool:
        """Whether there is anything to draw."""
        return self.recording.epochs >= 0 and bool(self.entries)

    @cached_property
    def player(self) -> dict[str, Any] | None:
        """What is embedded for the player."""
        return player.content(self.recording, self.entries, self.styles) if self.some else None

    @cached_property
    def distributions(self) -> list[dict[str, Any]]:
        """What is embedded for the heat maps."""
        return distributions.distributions(self.recording, self.members) if self.some else []

    @cached_property
    def cards(self) -> dict[str, Any]:
        """What is embedded for the functions."""
        return outcome.cards(self.recording, self.ranked, self.styles)

    @cached_property
    def usual(self) -> dict[str, Any]:
        """The state of the page as it is opened: the last epoch, the typical seed, the last layer."""
        layers = list(self.recording.act_layers)
        seeds = self.player["seeds"] if self.player else []
        typical = feature_space.typical_seed(self.recording, self.entries.values()) if seeds else None
        several = (self.player or {}).get("labels")
        labels = several["names"] if several else []
        return {
            "hidden": self.hidden,
            "epoch": max(self.recording.epochs, 0),
            "seeds": seeds,
            "seed": typical if typical in seeds else next(iter(seeds), None),
            "layers": layers,
            "every": list(self.recording.study.seeds),
            "layer": layers[-1] if layers else None,
            "labels": labels,
            "label": next(iter(labels), None),
        }


@cache
def plotly() -> str:
    """Plotly's script, compressed: uncompressed it would be most of the page."""
    from plotly.offline import get_plotlyjs

    # Level 9 takes a third longer and saves three of 1,470 KB.
    packed = gzip.compress(get_plotlyjs().encode(), 6, mtime=0)
    return f'<script type="text/plain" id="plotly">{base64.b64encode(packed).decode()}</script>'


def _facts_line(recording: Recording) -> str:
    study = recording.study
    counts = [
        (len(study.activations), "activation"),
        (len(study.seeds), "seed"),
        (len(recording.members), "network"),
    ]
    facts = [f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
    facts += [words_of(study).span(max(recording.epochs, 0))] if words_of(study).rows else []
    return " · ".join(escape(text) for text in (study.task, *facts))


def _section(section: Section) -> str:
    lead = f"<p class='lead'>{escape(section.lead)}</p>" if section.lead else ""
    return f"<section id='{section.name}'><h2>{escape(section.title)}</h2>{lead}{section.body}</section>"


def _sections(shown: _Shown) -> list[Section]:
    """All sections that have something to show: the result first, its foundations after it."""
    recording, summary = shown.recording, shown.summary
    found = [_results(shown)] if recording.epochs >= 0 else []
    if summary["notes"]:
        found.append(Section("notes", "What to bear in mind", "", html.notes(summary["notes"])))
    if shown.player:
        found.append(_player(shown))
    if said := published.body(summary):
        lead = "The numbers of the source beside ours: one run there, as a rule, and a spread of seeds here."
        found.append(Section("source", "What the source says", lead, said))
    if summary["findings"]:
        lead = "What goes on inside the networks, in sentences made from measured numbers."
        found.append(Section("findings", "Findings", lead, findings.sentences(summary["findings"])))
    if summary["next_steps"]:
        lead = "What the numbers suggest, as commands for the run directory, in which study.toml lies."
        if recording.study.own_loop:
            lead = "What the numbers suggest, as arguments of the call that made this."
        elif own := recording.study.own_functions:
            # Commands do not know functions that were registered in Python.
            lead = f"What the numbers suggest. {_registered(own)}: what the commands change, change in Python."
        found.append(Section("next", "What to try next", lead, html.steps(summary["next_steps"])))
    if shown.some:
        found += [*_outcome(shown), *_mixed_up(shown), *_insides(shown)]
    if shown.distributions:
        found.append(_distributions(shown))
    found += [*_functions(shown), _method(recording)]
    return found


def _results(shown: _Shown) -> Section:
    summary, metric = shown.summary, lead_in(shown.summary).title
    lead = (
        f"By mean test {metric}, with 95 % intervals of that mean over seeds: where the headline does not tell two "
        "apart, their order may be luck."
        if len(summary["study"]["seeds"]) > 1
        else f"By test {metric}. One seed is one draw: only more seeds tell luck from merit."
    )
    if samples := (summary["samples"] or {}).get("test"):
        weight = f"; one of them weighs {100 / samples:.2g} points" if metric == ACCURACY.title else ""
        lead += f" The test set has {samples:,} samples{weight}."
    body = conditions.results(summary, shown.styles) + learnt.table(summary, shown.styles)
    return Section("results", "Results", lead, body)


def _outcome(shown: _Shown) -> list[Section]:
    recording, styles = shown.recording, shown.styles
    lines = outcome.curves(recording, shown.members, styles, shown.summary)
    several = len(recording.study.seeds) > 1
    lead = (
        "Lines are medians over the seeds, bands the middle half of the seeds (25th to 75th percentile). "
        if several
        else "One seed: the lines are single runs. "
    ) + "Look for who learns early, who still rises at the end, where validation turns away from training."
    body = f"<div class='pair'>{html.figures(lines, styles)}</div>"
    if several:
        body = html.one_seed(recording.study.seeds) + body
    found = [Section("curves", "Learning", lead, body, lines)]
    forest = outcome.differences(shown.summary, styles)
    if forest:
        body = html.figures([forest], styles) + (
            f"<details><summary>All pairs</summary>{html.scrolling('all pairs', html.pairs(shown.summary))}</details>"
        )
        lead = (
            f"Seed by seed, each against the best: {words_of(recording.study).pairs}. "
            "The thick intervals, over seeds, hold all together; p is of the step-down max-T test over all pairs, and "
            "at most 0.05 where the interval keeps to one side of zero. The thin ones are for new data: the test set "
            "is a sample too."
        )
        found.append(Section("differences", "Paired differences", lead, body, [forest]))
    return found


def _mixed_up(shown: _Shown) -> list[Section]:
    title = "Which labels are found" if shown.recording.study.loss == "labels" else "Which classes are mixed up"
    body = confusion.body(shown.recording, shown.entries, shown.styles)
    return [Section("confusion", title, confusion.lead(shown.recording), body)] if body else []


def _insides(shown: _Shown) -> list[Section]:
    recording, members, styles = shown.recording, shown.members, shown.styles
    found = []
    norms = gradients.gradients(recording, members)
    if norms:
        lead = (
            "Norm of the loss gradient in each weight layer, median over seeds, on a logarithmic axis that "
            "all panels share. A gradient that shrinks towards the input cannot teach the first layers."
        )
        body = html.layer_legend(recording.weight_layers) + f"<div class='panels'>{html.figures(norms, styles)}</div>"
        body += findings.gradient_flow_table(recording, shown.entries, styles)
        found.append(Section("gradients", "Gradients, layer by layer", lead, body, norms))
    silent = outcome.silence(recording, members, styles)
    if silent:
        probed = probe_samples(recording)
        lead = (
            "Where the slope is all but zero nothing is learnt: for some samples a unit is flat, for all of the "
            f"{probed} {words_of(recording.study).samples} it is called dead; such a unit may still fire for "
            f"{100 * unseen_share(probed):.2g} % of the data. Medians over the seeds, means over the layers."
        )
        body = f"<div class='pair'>{html.figures(silent, styles)}</div>"
        found.append(Section("silence", "Flat and dead units", lead, body, silent))
    if numbers := measures.tables(recording, members, styles):
        lead = "Every number that was measured inside the networks, after the last epoch: medians over the seeds."
        found.append(Section("measures", "All measures", lead, numbers))
    return found


def _controls(shown: _Shown) -> str:
    """The controls of the epoch; they stand in the first section that moves with it."""
    return player_html.controls(shown.usual, len(shown.player["networks"]) if shown.player else 0)


def _player(shown: _Shown) -> Section:
    played = shown.player
    assert played is not None
    numbers = played.get("numbers")
    planes = [space["units"] == 2 for space in played["networks"][0]["spaces"]]
    decision = "x" in played and bool(played["box"] or any(planes))
    lead = (
        "A layer bends the plane until a straight line can part the classes. "
        if all(planes)
        else "Each layer moves the samples; a layer of many units is seen along its two principal axes at the end of "
        "training, the same through all epochs. "
    )
    seeds = len(shown.recording.study.seeds)
    if "x" in played:
        lead += "Every network is computed in the page from its recorded weights; between epochs these lie on a line."
        left = f" {len(played['seeds'])} of {seeds} seeds are embedded." if len(played["seeds"]) < seeds else ""
    else:
        epochs = ", ".join(map(str, played["epochs"]))
        lead += f"Recorded epochs: {epochs}; between them the samples move on straight lines."
        left = f" Seed {played['seeds'][0]} of {seeds}." if seeds > 1 else ""
    if len(played["networks"]) > 1:
        left += SHARED
    left += " The samples are some of those that were trained on."
    if played.get("labels"):
        left += " One label at a time, chosen above the figures."
    body = (
        _controls(shown)
        + (
            html.number_legend(numbers)
            if numbers
            else html.class_legend(played["classes"], sorted(set(played["y"])) or [0, 1], decision)
        )
        + player_html.body(played, shown.styles)
    )
    return Section("player", "Watch it learn", lead + left, body)


def _distributions(shown: _Shown) -> Section:
    lead = (
        "Layer by layer, the input's at the bottom, all seeds together, all activations on one scale; the line is the "
        "epoch. Colour follows the square root of the share, so that tails stay visible."
    )
    names = list(shown.distributions[0]["panels"])
    label = "Distribution in each layer of the networks with {} over training"
    panels = html.canvases("heat", names, shown.styles, label, {})
    body = ("" if shown.player else _controls(shown)) + html.quantities(shown.distributions)
    return Section(
        "distributions",
        "Inside the layers",
        lead,
        f"<div data-distributions>{body}<div class='panels'>{panels}</div></div>",
    )


def _functions(shown: _Shown) -> list[Section]:
    styles, known = shown.styles, shown.recording.functions
    formulas = {name: str(known[name].get("formula", "")) for name in shown.ranked if name in known}
    label = "{} and its derivative for x from −6 to 6, and the distribution of this run's pre-activations"
    panels = html.canvases("card", list(shown.cards), styles, label, formulas)
    without = [name for name in formulas if name not in shown.cards]
    cards = "".join(f"<li>{html.key(styles[n])}<b>{escape(n)}</b> {escape(formulas[n])}</li>" for n in without)
    others = f"<p>These mix several units and have no curve:</p><ul class='notes'>{cards}</ul>" if without else ""
    if not shown.cards and not others:
        return []
    lead = (
        "The function (line), its derivative (dots), and standing below them what this run puts into it: where on the "
        "function the networks live, at the epoch and layer chosen above. Learning passes the derivative: where it "
        "is zero, nothing is learnt."
    )
    body = f"<div class='panels' data-cards>{panels}</div>{others}"
    return [Section("functions", "The functions", lead if shown.cards else "", body)]


def _registered(own: Sequence[str]) -> str:
    """A sentence about a user's own functions: no file holds their code."""
    return f"{listed(own)} {'was' if len(own) == 1 else 'were'} registered in Python"


def _method(recording: Recording) -> Section:
    own = recording.study.own_functions
    repeat = "Save it as <code>study.toml</code> and run <code>actlab compare study.toml</code>."
    if own:
        repeat = f"{escape(_registered(own))}: the study runs from there, as its first lines say."
    if told := again(recording):
        repeat = escape(told)
    body = html.settings(recording) + (
        "<details><summary>The study as a file</summary>"
        f"<p>{repeat}</p>"
        f"<pre tabindex='0'>{escape(recording.study.to_toml())}</pre></details>"
    )
    lead = (
        "What is known of it beside the loop itself."
        if recording.study.own_loop
        else "Everything that is needed to repeat it."
    )
    return Section("method", "How it was done", lead, body)
