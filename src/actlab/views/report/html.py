"""The parts of the report's page that are text: the table, the notes, the legends, how it was done.

Every function returns HTML in which all that came from data has been escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from actlab.custom import CustomNetwork
from actlab.objectives import Lead, further, lead_in
from actlab.recording import Recording
from actlab.statistics.baselines import baselines
from actlab.statistics.simultaneous import FEWEST_SEEDS
from actlab.statistics.trained import words_of
from actlab.views.palette import HEAT_STEPS, Style, Styles, css_class, css_layer
from actlab.views.report.charts import Chart
from actlab.views.report.outcome import oriented
from actlab.views.trained import own_terms
from actlab.wording import DASH, interval, number, percent

BEST = "may be the best"
# The two buttons of every figure.
SAVE = (
    "<span class='save'><button type='button' data-save='png' title='save the picture'>PNG</button>"
    "<button type='button' data-save='csv' title='save the data'>CSV</button></span>"
)
Row = Mapping[str, Any]


def key(style: Style) -> str:
    """The colour mark of an activation."""
    return f'<span class="key {style.dash}" style="--colour:{style.css}"></span>'


def legend(names: Sequence[str], styles: Styles, hidden: Sequence[str]) -> str:
    """The buttons that show and hide activations, in every chart at once."""
    return "".join(
        f'<button type="button" class="chip" data-toggle="{escape(name)}" '
        f'aria-pressed="{"false" if name in hidden else "true"}">{key(styles[name])}{escape(name)}</button>'
        for name in names
    )


def scrolling(label: str, table: str) -> str:
    """A table that scrolls by itself where it is wider than the page, by keyboard too."""
    return f"<div class='wide' tabindex='0' role='region' aria-label='{escape(label)}'>{table}</div>"


def best_set(summary: Row, styles: Styles) -> str:
    """Which activations may be the best, in a line; empty where the summary does not say."""
    names = _may_be_best(summary)
    if not names:
        return ""
    marked = ", ".join(f"{key(styles[name])}<b>{escape(name)}</b>" for name in names)
    if len(names) == len(styles) > 1:
        marked = f"any of the {len(names)}"
    return f"<p class='best'>{BEST.capitalize()}: {marked}.</p>"


def _may_be_best(summary: Row) -> Sequence[str]:
    """The activations that may be the best; none where there is one alone, or too few seeds to leave any out."""
    if len(summary["activations"]) < 2 or (summary.get("best_seeds") or 0) < FEWEST_SEEDS:
        return ()
    return summary.get("best_set") or ()


def table(summary: Row, styles: Styles, beside: Sequence[Row] = ()) -> str:
    """The table of activations, best first; on one scale of what leads with the rows `beside` it."""
    rows = summary["activations"]
    columns = [(head, hint, show) for head, hint, show, wanted in _columns(summary) if wanted]
    heads = "".join(f'<th scope="col" title="{escape(hint)}">{escape(head)}</th>' for head, hint, _ in columns)
    lead = lead_in(summary)
    low, high = _common_span([*rows, *beside], lead)
    best = _may_be_best(summary)
    body = []
    for row in rows:
        cells = "".join(f"<td>{show(row)}</td>" for _, _, show in columns)
        mark = f"<small>{BEST}</small>" if row["name"] in best else ""
        name = f'<th scope="row">{key(styles[row["name"]])}{escape(row["name"])}{mark}</th>'
        body.append(f"<tr>{name}<td>{_strip(row, lead, (low, high), styles[row['name']])}</td>{cells}</tr>")
    ends = "".join(f"<i>{escape(lead.said(end, 0))}</i>" for end in (low, high))
    scale = f"<div class='strip'><span>test {escape(lead.title)}</span><span class='ends'>{ends}</span></div>"
    first = f'<th scope="col">activation</th><th scope="col" title="mean and 95 % interval">{scale}</th>'
    whole = f"<thead><tr>{first}{heads}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f"<table>{whole}{_baselines(summary, len(columns))}</table>"


def _baselines(summary: Row, columns: int) -> str:
    """The foot: what takes no network, always one answer and guessing; empty where that is not known."""
    lead = lead_in(summary)
    rows = [
        f'<tr title="{one.hint}"><th scope="row">{escape(one.name)}</th><td>{escape(lead.number(one.value))}</td>'
        f"{'<td></td>' * columns}</tr>"
        for one in baselines(summary)
    ]
    return f"<tfoot>{''.join(rows)}</tfoot>" if rows else ""


def _columns(summary: Row) -> list[tuple[str, str, Any, bool]]:
    """Heading, explanation, cell and whether there is anything to show, for the columns after what leads."""
    rows, lead, words = summary["activations"], lead_in(summary), words_of(summary["study"])
    several = len(summary["study"]["learning_rates"] or ()) > 1
    parameters = len({row["parameters"] for row in rows}) > 1
    return [
        *_beside(summary, lead),
        ("epochs to target", _target(rows, lead), lambda row: _waiting(row["epochs_to_target"], row), not lead.at_end),
        *(
            (
                milestone["name"],
                "median epoch; share of seeds that get there",
                lambda row, place=place: _waiting(row["milestones"][place], row),
                True,
            )
            for place, milestone in enumerate(rows[0]["milestones"])
        ),
        (
            "gradient, first : last",
            "norm of the weight gradient in the first layer over that in the last: far below 1, it vanishes",
            lambda row: number(row["gradient_ratio"], "#.2g"),
            any(row["gradient_ratio"] is not None for row in rows),
        ),
        (
            "flat",
            "share of samples on which the function is flat",
            lambda row: _share(row["flat_share"]),
            True,
        ),
        (
            "dead",
            f"share of units that are flat for all of the {summary['probe_samples']} {words.samples}",
            lambda row: _share(row["dead_share"]),
            True,
        ),
        ("diverged", words.diverged, _diverged, True),
        (
            words.rate,
            "as stated for all, or each function's own, chosen on validation data",
            lambda row: number(row["learning_rate"]),
            several,
        ),
        ("parameters", "trained numbers", lambda row: number(row["parameters"], ","), parameters),
    ]


def _beside(summary: Row, lead: Lead) -> list[tuple[str, str, Any, bool]]:
    """The columns of what is measured besides what leads, likewise."""
    fresh = any(row["test_accuracy_ci95_new_data"] for row in summary["activations"])
    return [
        (
            "on new data",
            f"95 % over new seeds and new samples together: {_weight(summary)}",
            lambda row: interval(row["test_accuracy_ci95_new_data"], ".1f", 100) or DASH,
            fresh,
        ),
        *(
            (
                title,
                "mean over the seeds",
                lambda row, name=name: number(row[name]["mean"], "#.3g"),
                name != lead.test,
            )
            for name, title in (("test_loss", "test loss"), ("train_loss", "training loss"))
        ),
        *(
            (
                f"test {metric['title']} {metric['unit']}".rstrip(),
                f"mean over the seeds; {metric['better']} is better",
                lambda row, metric=metric: _scaled(row[f"test_{metric['name']}"]["mean"], metric["scale"]),
                True,
            )
            for metric in further(summary["metrics"], lead.name, narrow=True)
        ),
    ]


def _scaled(value: float | None, scale: float) -> str:
    return number(None if value is None else scale * value, "#.3g")


def _target(rows: Sequence[Row], lead: Lead) -> str:
    target = rows[0]["epochs_to_target"]["target"]
    level = DASH if target is None else lead.said(target)
    return f"validation {lead.title} of {level}: median epoch, seeds that get there"


def _waiting(waited: Row, row: Row) -> str:
    """Median epoch, and the number of seeds that got there unless all did."""
    reached, members = waited["reached"], row["members"]
    if reached is None:
        return DASH
    count = round(reached * members)
    known = "" if waited["ci95"] is None else f"<small>[{'–'.join(map(_or_never, waited['ci95']))}]</small>"
    share = "" if count == members else f"<small>{count} of {members} seeds {_share_of(waited['reached_ci95'])}</small>"
    return number(waited["median"]) + known + share


def _or_never(epoch: float | None) -> str:
    return "never" if epoch is None else f"{epoch:g}"


def _share_of(ends: Sequence[float] | None) -> str:
    """An interval of a share, in whole per cents; empty where there is none."""
    return f"[{100 * ends[0]:.0f}–{100 * ends[1]:.0f} %]" if ends else ""


def _weight(summary: Row) -> str:
    samples = (summary["samples"] or {}).get("test")
    return f"the test set has {samples:,}, one weighs {100 / samples:.2g} points" if samples else "of the test set"


def _share(value: float | None) -> str:
    small = value is not None and 0 < value < 0.005
    return "&lt; 0.5 %" if small else percent(value, ".0f")


def _diverged(row: Row) -> str:
    if not row["diverged"]:
        return "0"
    return f"{row['diverged']} of {row['members']}<small>{_share_of(row['diverged_ci95'])}</small>"


def _common_span(rows: Sequence[Row], lead: Lead) -> tuple[float, float]:
    """Range of the strips: all intervals; of a share widened to whole per cents."""
    values = [end for row in rows for end in (row[lead.test]["ci95"] or [row[lead.test]["mean"]])]
    values = [value for value in values if value is not None] or [0.0, 1.0]
    if not lead.is_share:
        low, high = min(values), max(values)
        return (low, high) if high > low else (low - 0.5, high + 0.5)
    low, high = int(min(values) * 100) / 100, -int(-max(values) * 100 // 1) / 100
    low = min(low, 0.99)
    return low, min(1.0, max(high, low + 0.01))


def _strip(row: Row, lead: Lead, span: tuple[float, float], style: Style) -> str:
    """What leads in figures with a small drawing of its interval, all rows on one scale."""
    estimate, (low, high) = row[lead.test], span
    if estimate["mean"] is None:
        return DASH
    ends = estimate["ci95"] or [estimate["mean"]] * 2
    left, middle, right = (100 * (value - low) / (high - low) for value in (ends[0], estimate["mean"], ends[1]))
    mean = percent(estimate["mean"]) if lead.is_share else escape(lead.said(estimate["mean"]))
    figures = f"<b>{mean}</b>"
    figures += f"<small>{interval(estimate['ci95'], '.2f' if lead.is_share else '#.4g', lead.scale)}</small>"
    return (
        f'<div class="strip" style="--colour:{style.css}">{figures}'
        f'<svg viewBox="-3 0 106 10" aria-hidden="true">'
        f'<line class="scale" x1="0" x2="100" y1="5" y2="5"/>'
        f'<line x1="{left:.2f}" x2="{right:.2f}" y1="5" y2="5"/>'
        f'<circle cx="{middle:.2f}" cy="5" r="3"/></svg></div>'
    )


def pairs(summary: Row) -> str:
    """All paired comparisons as a table, each pair with the better one first."""
    rows, lead = [], lead_in(summary)
    for row in summary["comparisons"]:
        turned = oriented(row, row["b"]) if _better(row, lead) == row["b"] else row
        share = row["metric"] == lead.test and lead.is_share
        scale, pattern, unit = (100, "+.2f", " points") if share else (1, "+.3g", "")
        difference = turned["difference"]
        cells = [
            f"{escape(turned['a'])} − {escape(turned['b'])}",
            row["metric"].replace("_", " "),
            number(difference if difference is None else scale * difference, pattern, unit),
            interval(turned["ci95_simultaneous"], pattern, scale) or DASH,
            number(row["p_max_t"]),
            interval(turned["ci95_new_data"], pattern, scale) or DASH,
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ("pair", "metric", "difference", "95 % over seeds, all pairs at once", "p", "95 % for new data")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _better(row: Row, lead: Lead) -> str:
    """The better one of a pair, in what leads or in the loss."""
    more = (row["difference"] or 0) >= 0
    return row["a"] if more == (row["metric"] == lead.test and lead.better == "higher") else row["b"]


def notes(sentences: Sequence[str]) -> str:
    """The notes as a list."""
    return f"<ul class='notes'>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"


def steps(rows: Sequence[Row]) -> str:
    """What to try next: each step's reason and its command, where a setting of the study helps."""
    commands = (f"<code>{escape(row['command'])}</code>" if row["command"] else "" for row in rows)
    items = (f"<li>{escape(row['sentence'])}{command}</li>" for row, command in zip(rows, commands, strict=True))
    return f"<ul class='notes steps'>{''.join(items)}</ul>"


def one_seed(seeds: Sequence[int]) -> str:
    """The choice of a seed whose own lines are drawn beside the medians."""
    options = "".join(f"<option value='{seed}'>seed {seed}</option>" for seed in seeds)
    return (
        "<p class='one'><label>beside the medians draw "
        f"<select data-one><option value=''>no single seed</option>{options}</select></label></p>"
    )


def figures(charts: Sequence[Chart], styles: Styles) -> str:
    """A frame for each chart, in which the page's script draws."""
    return "".join(_figure(chart, styles) for chart in charts)


def _figure(chart: Chart, styles: Styles) -> str:
    owner = f' data-activation="{escape(chart.activation)}"' if chart.activation else ""
    mark = key(styles[chart.activation]) if chart.activation else ""
    caption = f"<small>{escape(chart.caption)}</small>" if chart.caption else ""
    height = chart.layout.get("height", 340)
    return (
        f"<figure{owner}><figcaption><span>{mark}<b>{escape(chart.title)}</b>{SAVE}</span>{caption}</figcaption>"
        f'<div class="plot" style="height:{height}px" data-chart="{escape(chart.name)}" role="img" '
        f'aria-label="{escape(chart.label)}"></div></figure>'
    )


def layer_legend(layers: Sequence[str]) -> str:
    """Which colour is which weight layer."""
    marks = "".join(_mark("key solid", css_layer(i, len(layers)), layer) for i, layer in enumerate(layers))
    return f'<p class="legend">{marks}</p>'


def class_legend(classes: Sequence[str], present: Sequence[int], decision: bool) -> str:
    """Which colour is which class of the data; and where there is a line of `decision`, that it is one."""
    marks = [_mark("dot", css_class(label), str(classes[label])) for label in present]
    marks += [_mark("key solid", "var(--ink)", "decision")] if decision else []
    marks += [_mark("dot", "var(--wrong)", "classified wrongly")]
    return f'<p class="legend">{"".join(marks)}</p>'


def number_legend(numbers: Mapping[str, Any]) -> str:
    """Which colour is which value of the target: full at one and a half standard deviations from the mean."""
    mean, scale = numbers["means"][0], numbers["scales"][0]
    ends = ((0, mean - 1.5 * scale, "or less"), (1, mean + 1.5 * scale, "or more"))
    marks = [
        _mark("dot", css_class(label), f"{numbers['names'][0]} {number(value)} {end}") for label, value, end in ends
    ]
    return f'<p class="legend">{"".join(marks)}</p>'


def _mark(shape: str, colour: str, text: str) -> str:
    return f'<span><span class="{shape}" style="--colour:{colour}"></span>{escape(text)}</span>'


def canvases(kind: str, names: Sequence[str], styles: Styles, label: str, captions: Mapping[str, str]) -> str:
    """A frame with an empty canvas for each activation.

    Args:
        kind: "heat" or "card".
        names: the activations.
        styles: by activation.
        label: what each shows, for readers who do not see it; "{}" stands for the name.
        captions: a line of text by activation, where there is one.
    """
    return "".join(
        f'<figure data-activation="{escape(name)}"><figcaption><span>{key(styles[name])}<b>{escape(name)}</b>{SAVE}'
        f"</span><small>{escape(captions.get(name, ''))}</small><output data-readout></output></figcaption>"
        f'<canvas data-{kind}="{escape(name)}" role="img" aria-label="{escape(label.format(name))}"></canvas></figure>'
        for name in names
    )


def quantities(distributions: Sequence[Row]) -> str:
    """The choice between distributions, what the chosen one shows, and the colour scale that all panels share."""
    choices = "".join(
        f"<label><input type='radio' name='quantity' value='{row['name']}' data-quantity>{escape(row['title'])}</label>"
        for row in distributions
    )
    stops = ", ".join(f"var(--heat-{step})" for step in range(HEAT_STEPS))
    return (
        f"<fieldset class='choice'><legend>Distribution of</legend>{choices}</fieldset>"
        "<p class='lead' data-sentence></p>"
        "<div class='scale' role='img' aria-label='colour scale: share of the values in a bin'>"
        f"<div style='background:linear-gradient(to right, {stops})'></div><p data-scale></p></div>"
    )


def settings(recording: Recording) -> str:
    """How it was done: settings, data, machine and speed as a list of terms."""
    study, facts = recording.study, recording.facts
    terms = {
        **(own_terms(recording) if study.own_loop else _terms(recording)),
        "Parameters": _parameters(facts.get("parameters", {})),
        "Seeds": ", ".join(str(seed) for seed in study.seeds),
        "Precision": facts.get("precision"),
        "Layout": ", ".join(sorted(set(facts.get("layout", {}).values()))),
        "Samples": "given to the devices batch by batch" if facts.get("streamed") else None,
        "Speed": _speed(facts.get("throughput")),
        "Machine": facts.get("machine"),
        "Versions": ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items()),
    }
    rows = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{escape(str(text))}</dd></div>" for term, text in terms.items() if text
    )
    return f"<dl>{rows}</dl>"


def _terms(recording: Recording) -> dict[str, str | None]:
    """What a study says of data, network and training."""
    study = recording.study
    own = isinstance(study.network, CustomNetwork)
    rates = [number(rate) for rate in study.learning_rates or ()]
    return {
        "Data": study.provenance or study.task,
        "SHA-256 of the data": study.digest,
        "Network": str(study.network) if own else " → ".join(map(_layer, study.network or ())),
        # Its place: the number is that of the recording.
        "Parameters": None,
        "Optimiser": _optimiser(study.optimiser.model_dump(mode="json")),
        "Learning rate": ", ".join(rates) + (" – one chosen for each activation" if len(rates) > 1 else ""),
        "Batch": f"{study.batch} samples",
        "Epochs": f"{study.epochs}" + _stopped(recording),
    }


def _layer(layer: Any) -> str:
    """A layer in a word and its size: "dense 128", "act", "conv 16@5×5"."""
    if layer.layer == "conv":
        return f"conv {layer.filters}@{layer.kernel}×{layer.kernel}"
    size = next(
        (getattr(layer, key) for key in ("units", "function", "size", "rate") if getattr(layer, key, None)),
        "",
    )
    return f"{layer.layer.replace('_', ' ')} {size}".strip()


def _optimiser(given: Row) -> str:
    details = ", ".join(f"{name} {value:g}" for name, value in given.items() if name != "name")
    return given["name"] + (f" ({details})" if details else "")


def _parameters(counts: Mapping[str, int]) -> str:
    if len(set(counts.values())) == 1:
        return f"{next(iter(counts.values())):,}"
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _stopped(recording: Recording) -> str:
    if recording.complete:
        return ""
    return f" (stopped after epoch {recording.epochs})" if recording.epochs >= 0 else " (stopped before the first)"


def _speed(throughput: Row | None) -> str | None:
    if not throughput:
        return None
    return (
        f"{throughput['members']:,} networks in {throughput['train_seconds']:.3g} s: "
        f"{throughput['net_steps_per_second']:,.0f} steps of one network and "
        f"{throughput['samples_per_second']:,.0f} samples a second; "
        f"compiled in {throughput['compile_seconds']:.3g} s"
    )
