"""The page of a training that was watched: what is wrong, where it begins, and every layer at every step looked at."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.diagnosis import Finding, findings_of
from actlab.diagnosis.told import headline
from actlab.recording import Recording
from actlab.recording.measures import MEASURES
from actlab.study import Observed
from actlab.views.palette import HEAT_STEPS
from actlab.views.report import layer_graph, layer_heat
from actlab.views.report.html import scrolling
from actlab.views.report.scripts import asset, bundle, script_json
from actlab.watching.looks import Look
from actlab.watching.recorded import looks_of
from actlab.wording import counted, listed, number

# Names that a list tells before it counts.
NAMED = 8


@dataclass(frozen=True)
class Watched:
    """A recording of a training that was watched, with what is said of it.

    Attributes:
        recording: of one training.
    """

    recording: Recording

    @cached_property
    def looks(self) -> list[Look]:
        """What was seen, look by look."""
        return looks_of(self.recording)

    @cached_property
    def findings(self) -> list[Finding]:
        """What is wrong, a cause first."""
        return findings_of(self.looks)

    @property
    def study(self) -> Observed:
        """Its study."""
        study = self.recording.study
        assert isinstance(study, Observed)
        return study

    @property
    def steps(self) -> int:
        """The steps that were made until the last look, with the one looked at."""
        return self.looks[-1].step + 1 if self.looks else 0

    @cached_property
    def headline(self) -> str:
        """What is found, in a sentence: the first cause, that it is too early to say, or that nothing is wrong."""
        return headline(self.looks, self.findings)

    @cached_property
    def lit(self) -> dict[str, list[int]]:
        """By the layers of findings, the numbers of these."""
        found: dict[str, list[int]] = {}
        for place, own in enumerate(self.findings, 1):
            if own["layer"]:
                found.setdefault(str(own["layer"]), []).append(place)
        return found


def page(recording: Recording) -> str:
    """The page as HTML that asks the network for nothing.

    Args:
        recording: of a training that was watched, complete or not.
    """
    watched = Watched(recording)
    wanted = [own["step"] for own in watched.findings]
    columns = layer_heat.columns_of(recording, wanted) if watched.looks else np.zeros(0, np.int64)
    heat = layer_heat.measures(recording, columns) if watched.looks else []
    insides = layer_heat.insides(recording, _wanted(watched)) if watched.looks else []
    sections = list(_sections(watched, heat, insides))
    parts = {
        "title": escape(f"{recording.study.name}: a training that was watched"),
        "style": asset("report.css") + asset("observed.css"),
        "study": escape(recording.study.name),
        "headline": escape(watched.headline),
        "facts": _facts_line(watched),
        "contents": "".join(f'<a href="#{name}">{escape(title)}</a>' for name, title, _ in sections),
        "legend": "",
        "many": "",
        "sections": "".join(
            f"<section id='{name}'><h2>{escape(title)}</h2>{body}</section>" for name, title, body in sections
        ),
        "content": script_json(_content(watched, columns, heat, insides)),
        "plotly": "",
        "functions": "",
        "script": bundle("observed.js"),
    }
    # In one pass: inserted text is not searched again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], asset("report.html"))


def _wanted(watched: Watched) -> list[str]:
    """Layers of which a reader wants to see more."""
    recording, names = watched.recording, []
    for own in watched.findings:
        for along, rows in layer_heat.rows_of(own["layer"], recording).items():
            held = recording.weight_layers if along == "weights" else recording.act_layers
            names += [held[row] for row in rows]
    return names


def _content(
    watched: Watched,
    columns: npt.NDArray[np.int64],
    heat: Sequence[Mapping[str, Any]],
    insides: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    recording = watched.recording
    steps = layer_heat.steps_of(recording)[columns].tolist() if len(columns) else []
    losses = [look.loss for look in watched.looks]
    graph = recording.facts.get("graph")
    return {
        "steps": steps,
        "measures": list(heat),
        "functions": recording.facts.get("place_functions", {}),
        "findings": [_finding(place, own, steps, recording) for place, own in enumerate(watched.findings, 1)],
        "losses": {
            "steps": [look.step for look in watched.looks],
            "loss": _told(losses),
            "constant": _told([look.constant.loss for look in watched.looks]),
        },
        "insides": list(insides),
        "bottom": graph["nodes"][0]["name"] if graph and graph["nodes"] else None,
    }


def _told(values: Sequence[float]) -> list[Any]:
    """Numbers as JSON has them: None of what is none."""
    return ["∞" if math.isinf(own) else None if math.isnan(own) else float(f"{own:.5g}") for own in values]


def _finding(place: int, own: Finding, steps: Sequence[int], recording: Recording) -> dict[str, Any]:
    rows = layer_heat.rows_of(own["layer"], recording)
    names = [recording.act_layers[row] for row in rows["functions"]]
    names += [recording.weight_layers[row] for row in rows["weights"]]
    return {
        "number": place,
        "severity": own["severity"],
        "step": own["step"],
        "column": max(int(np.searchsorted(steps, own["step"], "right")) - 1, 0),
        "rows": rows,
        "layers": names or ([own["layer"]] if own["layer"] else []),
    }


def _facts_line(watched: Watched) -> str:
    recording, study = watched.recording, watched.study
    facts = [
        study.framework,
        counted(watched.steps, "step"),
        counted(len(watched.looks), "look"),
        counted(len(recording.weight_layers), "layer") + " with weights",
        counted(len(recording.act_layers), "function"),
    ]
    return " · ".join(map(escape, facts))


def _sections(
    watched: Watched, heat: Sequence[Mapping[str, Any]], insides: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    """Name, title and body of each section that has something to show."""
    if watched.findings:
        wrong = any(own["severity"] == "warning" for own in watched.findings)
        yield "findings", "What is wrong" if wrong else "What is found", _findings(watched)
    if watched.looks:
        yield "loss", "The loss", _losses(watched)
    if heat:
        yield "layers", "Layer by layer, step by step", _heat(watched, heat)
    if graph := watched.recording.facts.get("graph"):
        yield "model", "The model", _graph(watched, graph)
    if insides:
        yield "distributions", "Inside a layer", _insides(watched, insides)
    if watched.looks:
        yield "numbers", "All numbers at the last look", _numbers(watched.recording)
    yield "method", "How it was done", _method(watched)


def _lead(text: str) -> str:
    return f"<p class='lead'>{escape(text)}</p>"


def _findings(watched: Watched) -> str:
    lead = _lead("A cause stands before what follows from it: mend the first, and look again.")
    items = "".join(_item(place, own, watched) for place, own in enumerate(watched.findings, 1))
    return f"{lead}<ol class='findings'>{items}</ol>"


def _item(place: int, own: Finding, watched: Watched) -> str:
    codes = [other["code"] for other in watched.findings]
    where = [f"<button type='button' data-light='{place}' data-where='layers'>step {own['step']:,}</button>"]
    if own["layer"]:
        target = "model" if watched.recording.facts.get("graph") else "layers"
        text = escape(str(own["layer"]))
        where.append(f"<button type='button' data-light='{place}' data-where='{target}'>{text}</button>")
    follows = ""
    if own["cause"] in codes:
        follows = f"<p class='follows'>Follows from finding {codes.index(own['cause']) + 1}.</p>"
    evidence = "".join(
        f"<div><dt>{escape(str(key).replace('_', ' '))}</dt><dd>{escape(_evidence(value))}</dd></div>"
        for key, value in own["evidence"].items()
    )
    proof = f"<details><summary>Evidence</summary><dl>{evidence}</dl></details>" if evidence else ""
    remedy = f"<p><b>What to try.</b> {escape(str(own['help']))}</p>" if own["help"] else ""
    return (
        f"<li class='{escape(own['severity'])}' data-finding='{place}'><p class='sentence'><span class='number'>{place}"
        f"</span>{escape(str(own['sentence']))}</p>{follows}{remedy}<p class='where'>{''.join(where)}"
        f"<code>{escape(str(own['code']))}</code></p>{proof}</li>"
    )


def _evidence(value: Any) -> str:
    """A piece of evidence in words.

    >>> _evidence(0.12345), _evidence(["a", "b"]), _evidence(True)
    ('0.123', 'a and b', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (list, tuple)):
        return some(list(map(str, value)))
    return str(value)


def some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are.

    >>> some(["a", "b"]), some([str(i) for i in range(20)])
    ('a and b', '0, 1, 2, 3, 4, 5, 6, 7 and 12 more')
    """
    return listed([*names[:NAMED], f"{len(names) - NAMED} more"] if len(names) > NAMED + 1 else names)


def _losses(watched: Watched) -> str:
    known = any(math.isfinite(look.constant.loss) for look in watched.looks)
    beside = " The dashed line is the best answer that does not look at the input." if known else ""
    lead = _lead(f"The loss of the batch at each step that was looked at.{beside} Numbers are findings.")
    label = "Loss of the batch by step; the arrow keys tell single values"
    return f"{lead}{_scales()}{_figure('Loss of the batch', 'data-losses', label)}"


def _scales() -> str:
    """Whether columns are looks, or steps to scale."""
    choices = "".join(
        f"<label><input type='radio' name='scale' value='{value}' data-scale-choice>{text}</label>"
        for value, text in (("looks", "one column a look"), ("scale", "steps to scale"))
    )
    return f"<fieldset class='choice'><legend>Steps</legend>{choices}</fieldset>"


def _figure(title: str, attribute: str, label: str, caption: str = "", below: str = "") -> str:
    small = f"<small>{escape(caption)}</small>" if caption else ""
    return (
        f"<figure><figcaption><span><b>{escape(title)}</b></span>{small}<output data-readout></output></figcaption>"
        f"<canvas {attribute} tabindex='0' role='img' aria-label='{escape(label)}'></canvas>{below}</figure>"
    )


def _heat(watched: Watched, heat: Sequence[Mapping[str, Any]]) -> str:
    lead = (
        "A row for each layer, the input's at the bottom; a column for each step that was looked at, its number below. "
        "The first steps are looked at densely: columns are looks, unless steps are chosen to scale above. Numbers are "
        "findings where they begin. Point at a cell, or tap it and walk with the arrow keys; what is chosen is chosen "
        "in every picture. Paper-coloured cells were not seen; red ones are infinite."
    )
    kept, rows = heat[0]["columns"], len(watched.looks)
    if kept < rows:
        lead += f" {kept} of {rows:,} looks are shown."
    choices = "".join(
        f"<label><input type='radio' name='measure' value='{value}' data-measure>{escape(str(text))}</label>"
        for value, text in (("", "all"), *((own["name"], own["title"]) for own in heat))
    )
    panels = "".join(
        _figure(
            str(own["title"]),
            f"data-layers='{own['name']}'",
            f"{own['title']} of {len(own['rows'])} layers by step; the arrow keys walk from cell to cell",
            str(own["sentence"]),
            _legend(own["ticks"]),
        )
        for own in heat
    )
    return (
        f"{_lead(lead)}<fieldset class='choice'><legend>Measure</legend>{choices}</fieldset>"
        f"<div class='panels heat' data-panels>{panels}</div>"
    )


def _legend(ticks: Sequence[Sequence[Any]]) -> str:
    stops = ", ".join(f"var(--heat-{step})" for step in range(HEAT_STEPS))
    marks = "".join(f"<span style='left:{100 * place:.1f}%'>{_power(str(text))}</span>" for place, text in ticks)
    return (
        "<div class='scale' role='img' aria-label='colour scale'>"
        f"<div style='background:linear-gradient(to right, {stops})'></div><p>{marks}</p></div>"
    )


def _power(text: str) -> str:
    base, hat, power = text.partition("^")
    return f"{base}<sup>{power.replace('-', '−')}</sup>" if hat else escape(text)


def _graph(watched: Watched, graph: Mapping[str, Any]) -> str:
    said = layer_graph.described(graph, watched.lit)
    lead = f"{said} Those of findings are lit. Choose a layer to see its rows above; arrow keys walk through it."
    return (
        f"{_lead(lead)}<p><output data-node-readout></output></p>"
        f"<div class='drawing' tabindex='0' role='group' aria-label='Drawing of the model'>"
        f"{layer_graph.drawing(graph, watched.lit)}</div>"
    )


def _insides(watched: Watched, insides: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for own in insides for name in own["layers"]))
    every = len(watched.recording.act_layers) + len(watched.recording.weight_layers)
    lead = "How values are distributed in one layer, step by step; colour follows the square root of the share."
    if len(names) < every:
        lead += f" {len(names)} of {every} layers and functions are embedded: those of findings, and others between."
    first = next((name for name in _wanted(watched) if name in names), names[0])
    options = "".join(f"<option{' selected' if name == first else ''}>{escape(str(name))}</option>" for name in names)
    panels = "".join(
        _figure(
            str(own["title"]),
            f"data-inside='{own['name']}'",
            f"Distribution of {own['title']} in a layer by step",
            str(own["sentence"]),
        )
        for own in insides
    )
    return (
        f"<div data-insides>{_lead(lead)}<p><label>Layer <select>{options}</select></label></p>"
        f"<div class='panels'>{panels}</div></div>"
    )


def _numbers(recording: Recording) -> str:
    """Every measure that is a number, a row for each layer, at the last look."""
    found = ""
    for along, names in (("weights", recording.weight_layers), ("functions", recording.act_layers)):
        shown = [
            own for own in MEASURES.values() if own.along == along and not own.edges and own.name in recording.probes
        ]
        if not names or not shown:
            continue
        heads = "".join(
            f"<th scope='col' title='{escape(layer_heat.sentence(own))}'>{escape(own.title)}</th>" for own in shown
        )
        values = [recording.probes[own.name][-1, 0].astype(float) for own in shown]
        body = "".join(
            f"<tr><th scope='row'>{escape(name)}</th>"
            + "".join(f"<td>{number(float(own[row]), '#.3g')}</td>" for own in values)
            + "</tr>"
            for row, name in enumerate(names)
        )
        title = "Layers with weights" if along == "weights" else "Functions"
        head = f"<thead><tr><th scope='col'>layer</th>{heads}</tr></thead>"
        table = f"<table class='numbers'>{head}<tbody>{body}</tbody></table>"
        found += f"<details><summary>{title} ({len(names)})</summary>{scrolling(title, table)}</details>"
    return found


def _method(watched: Watched) -> str:
    recording, study = watched.recording, watched.study
    facts = recording.facts
    parameters = facts.get("parameters") or {}
    terms = {
        "Model": str(study.network),
        "Framework": study.framework,
        "Parameters": listed(f"{count:,}" for count in parameters.values()) if parameters else None,
        "Looked at": f"first steps densely, then every {study.every}; {counted(len(watched.looks), 'look')} recorded",
        "Steps": f"{watched.steps:,}" + ("" if recording.complete else ", and then it was stopped, or goes on"),
        "Functions": some(sorted(set(facts.get("place_functions", {}).values()))),
        "Machine": facts.get("machine"),
        "Versions": ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items()),
    }
    rows = "".join(f"<div><dt>{term}</dt><dd>{escape(str(text))}</dd></div>" for term, text in terms.items() if text)
    return f"{_lead('What was looked at, and what could not be seen.')}<dl>{rows}</dl>{_unseen(watched.looks)}"


def _unseen(looks: Sequence[Look]) -> str:
    """What could not be looked at, by the reason."""
    reasons: dict[str, list[str]] = {}
    for look in looks:
        for name, reason in look.unseen.items():
            held = reasons.setdefault(reason, [])
            if name not in held:
                held.append(name)
    items = "".join(f"<li>{escape(some(names))}: {escape(reason)}.</li>" for reason, names in reasons.items())
    return f"<h3>Not seen</h3><ul class='notes'>{items}</ul>" if items else ""
