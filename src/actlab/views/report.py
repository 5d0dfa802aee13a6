"""The report: one HTML file that holds everything it shows, made from a recording alone.

The text is written here, escaped; the charts are plain data that `page/report.js` draws with Plotly, whose
script is embedded. The same recording gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from actlab.errors import ActlabError
from actlab.recording import Recording
from actlab.statistics import summarise
from actlab.views import charts, contests, feature_space, findings, inside, markup, published
from actlab.views.figures import Chart, reported_members
from actlab.views.palette import SERIES, Look, looks

SHOWN_AT_FIRST = 8
PAGE = resources.files("actlab.views") / "page"


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


def report(recording: Recording, out: str | Path) -> Path:
    """Write the report of a recording, complete or not, as one HTML file that asks the network for nothing.

    Args:
        recording: what to report on; NumPy alone is needed to read it.
        out: the file to write; an earlier one is replaced at once, never by half.

    Returns:
        The path of the file.

    Raises:
        InvalidRecording: a part of the recording is damaged.
        ActlabError: the file cannot be written.
    """
    out = Path(out)
    if out.is_dir():
        raise ActlabError(f"{out} is a directory: name the file to write, as in {out / 'report.html'}.")
    page = html(recording)
    temporary = out.with_name(f".{out.name}.tmp")
    try:
        temporary.write_text(page, encoding="utf-8", newline="\n")
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ActlabError(f"{out}: the report cannot be written ({error.strerror}).") from None
    return out


def html(recording: Recording) -> str:
    """The report as the text of an HTML page."""
    summary = summarise(recording)
    ranked = [entry["name"] for entry in summary["activations"]]
    # Few activations keep the colours of the study's order; of many, the best get those that differ most.
    order = recording.study.activations if len(ranked) <= len(SERIES) else ranked
    drawn = looks(order)
    sections = _sections(recording, summary, drawn)
    all_charts = [chart for section in sections for chart in section.charts]
    hidden = ranked[SHOWN_AT_FIRST:] if len(ranked) > len(SERIES) else []
    content = {"charts": {chart.name: chart.content for chart in all_charts}, "hidden": hidden}
    return _filled(
        {
            "title": escape(f"{recording.study.name}: {len(ranked)} activation functions compared"),
            "style": _asset("report.css"),
            "study": escape(recording.study.name),
            "headline": escape(summary["headline"]),
            "facts": _facts_line(recording),
            "contents": "".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section in sections),
            "legend": markup.legend(ranked, drawn, hidden) if all_charts else "",
            "many": _many_line(len(ranked)) if hidden else "",
            "sections": "".join(map(_section, sections)),
            "content": script_json(content),
            "plotly": _plotly() if all_charts else "",
            "script": "".join(_asset(name) for name in ("colours.js", "report.js")),
        }
    )


def _filled(parts: Mapping[str, str]) -> str:
    """The template with each `{{name}}` replaced, in one pass: what is put in is not searched again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("report.html"))


def _asset(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no text in it can end the element or begin another.

    >>> script_json({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _facts_line(recording: Recording) -> str:
    study = recording.study
    counts = [
        (len(study.activations), "activation"),
        (len(study.seeds), "seed"),
        (len(recording.members), "network"),
        (max(recording.epochs, 0), "epoch"),
    ]
    facts = [f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
    return " · ".join(escape(text) for text in (study.task, *facts))


def _many_line(count: int) -> str:
    return f"<p class='many'>The best {SHOWN_AT_FIRST} of {count} are shown; choose others here.</p>"


def _section(section: Section) -> str:
    lead = f"<p class='lead'>{escape(section.lead)}</p>" if section.lead else ""
    return f"<section id='{section.name}'><h2>{escape(section.title)}</h2>{lead}{section.body}</section>"


def _sections(recording: Recording, summary: Mapping[str, Any], drawn: Mapping[str, Look]) -> list[Section]:
    """All sections for which there is something to show."""
    ranked = [entry["name"] for entry in summary["activations"]]
    found = [_results(summary, drawn)] if recording.epochs >= 0 else []
    if said := published.body(summary):
        lead = "The numbers of the source beside ours: one run there, as a rule, and a spread of seeds here."
        found.append(Section("source", "What the source says", lead, said))
    if summary["findings"]:
        lead = "What goes on inside the networks, in sentences made from measured numbers."
        found.append(Section("findings", "Findings", lead, findings.sentences(summary["findings"])))
    if summary["notes"]:
        found.append(Section("notes", "What to bear in mind", "", markup.notes(summary["notes"])))
    members = {name: places for name, places in reported_members(recording, summary).items() if places}
    if recording.epochs >= 0 and members:
        found += _outcome(recording, summary, members, drawn) + _insides(recording, members, drawn)
    found += [*_functions(recording, ranked, drawn), _method(recording)]
    return found


def _results(summary: Mapping[str, Any], drawn: Mapping[str, Look]) -> Section:
    lead = (
        "Best first, with 95 % intervals of the mean over seeds: where they overlap, order may be luck."
        if len(summary["study"]["seeds"]) > 1
        else "Best first. One seed is one draw: only more seeds tell luck from merit."
    )
    return Section("results", "Results", lead, contests.results(summary, drawn))


def _outcome(
    recording: Recording,
    summary: Mapping[str, Any],
    members: Mapping[str, Sequence[int]],
    drawn: Mapping[str, Look],
) -> list[Section]:
    lines = charts.curves(recording, members, drawn)
    several = len(recording.study.seeds) > 1
    lead = (
        "Lines are medians over the seeds, bands the middle half of the seeds (25th to 75th percentile). "
        if several
        else "One seed: the lines are single runs. "
    ) + "Look for who learns early, who still rises at the end, where validation turns away from training."
    found = [Section("curves", "Learning", lead, f"<div class='pair'>{markup.figures(lines, drawn)}</div>", lines)]
    forest = charts.differences(summary, "test_accuracy", drawn)
    if forest:
        body = markup.figures([forest], drawn) + (
            f"<details><summary>All pairs</summary>{markup.scrolling('all pairs', markup.pairs(summary))}</details>"
        )
        lead = (
            "Seed by seed, each against the best: same first weights, same batches, another function. "
            "An interval that keeps clear of zero speaks for a difference; p: Wilcoxon, corrected by Holm."
        )
        found.append(Section("differences", "Paired differences", lead, body, [forest]))
    return found


def _insides(recording: Recording, members: Mapping[str, Sequence[int]], drawn: Mapping[str, Look]) -> list[Section]:
    found = []
    spaces = feature_space.feature_spaces(recording)
    if spaces:
        found.append(_feature_section(recording, spaces, list(members), drawn))
    norms = inside.gradients(recording, members)
    if norms:
        lead = (
            "Norm of the loss gradient in each weight layer, median over seeds, on a logarithmic axis that "
            "all panels share. A gradient that shrinks towards the input cannot teach the first layers."
        )
        body = markup.layer_legend(recording.weight_layers) + _panels(norms, drawn)
        body += findings.passage_table(recording, list(members), drawn)
        found.append(Section("gradients", "Gradients, layer by layer", lead, body, norms))
    maps, top = inside.gradient_sizes(recording, members)
    if maps:
        lead = (
            "How large the gradient with respect to each weight is, layer by layer and epoch by epoch, all seeds "
            "together, on a logarithmic axis. A band that lies low learns slowly; what lies at the bottom is zero."
        )
        body = markup.heat_legend(top) + _panels(maps, drawn)
        found.append(Section("gradient-sizes", "Sizes of gradients", lead, body, maps))
    maps, top = inside.distributions(recording, members)
    if maps:
        lead = (
            "How the outputs of the function are distributed in each layer, epoch by epoch, all seeds "
            "together; the vertical axis is stretched around zero. A band at the edge is saturation, a "
            "single line at zero is units that say nothing."
        )
        body = markup.heat_legend(top) + _panels(maps, drawn)
        found.append(Section("activations", "Activations, layer by layer", lead, body, maps))
    return found


def _panels(panels: Sequence[Chart], drawn: Mapping[str, Look]) -> str:
    return f"<div class='panels'>{markup.figures(panels, drawn)}</div>"


def _feature_section(
    recording: Recording,
    spaces: Sequence[feature_space.FeatureSpace],
    ranked: Sequence[str],
    drawn: Mapping[str, Look],
) -> Section:
    classes = recording.facts["classes"]
    ordered = sorted(spaces, key=lambda space: ranked.index(space.activation))
    panels = feature_space.charts(ordered, classes, drawn)
    epochs = [frame.epoch for frame in spaces[0].frames]
    player = (
        "<div class='player'><button type='button' data-play>Play</button>"
        f"<input type='range' min='0' max='{len(epochs) - 1}' value='{len(epochs) - 1}' "
        "aria-label='epoch' data-frame>"
        f"<output data-epoch>epoch {epochs[-1]}</output></div>"
    )
    lead = (
        f"The two hidden units as a plane: samples at their (a₁, a₂), seed {spaces[0].seed}, the one of "
        "median accuracy. Training twists the plane until a straight line parts the classes; move through "
        "the epochs and watch how each function bends it."
    )
    legend = markup.class_legend(classes, sorted({int(label) for label in spaces[0].labels}))
    return Section("feature-space", "Feature space", lead, player + legend + _panels(panels, drawn), panels)


def _functions(recording: Recording, names: Sequence[str], drawn: Mapping[str, Look]) -> list[Section]:
    panels = charts.functions(recording, names, drawn)
    without = [name for name in names if name in recording.functions and name not in {p.activation for p in panels}]
    formulas = {name: escape(str(recording.functions[name].get("formula", ""))) for name in without}
    cards = "".join(f"<li>{markup.key(drawn[name])}<b>{escape(name)}</b> {formulas[name]}</li>" for name in without)
    others = f"<p>These mix several units and have no curve:</p><ul class='notes'>{cards}</ul>" if without else ""
    if not panels and not others:
        return []
    lead = (
        "The function (line) and its derivative (dots), all on the same axes. Learning passes through the "
        "derivative: where it is zero, nothing is learnt."
    )
    return [Section("functions", "The functions", lead if panels else "", _panels(panels, drawn) + others, panels)]


def _method(recording: Recording) -> Section:
    body = markup.settings(recording) + (
        "<details><summary>The study as a file</summary>"
        f"<p>Save it as <code>study.toml</code> and run <code>actlab compare study.toml</code>.</p>"
        f"<pre tabindex='0'>{escape(recording.study.to_toml())}</pre></details>"
    )
    return Section("method", "How it was done", "Everything that is needed to repeat it.", body)
