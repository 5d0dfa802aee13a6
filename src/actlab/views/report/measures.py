"""Every measured number at the last epoch, layer by layer: what no chart shows, and each one that is added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from actlab.recording import Recording
from actlab.recording.measures import MEASURES, Measure
from actlab.statistics.gradients import still_training
from actlab.statistics.trained import sentence_of
from actlab.views.palette import Styles
from actlab.views.report.html import key, scrolling
from actlab.wording import number


def tables(recording: Recording, members: Mapping[str, Sequence[int]], styles: Styles) -> str:
    """A table for each measure that is a number, in a fold: medians over the seeds that still train.

    Args:
        recording: with at least epoch 0.
        members: by activation, places on the member axis.
        styles: by activation.
    """
    shown = [measure for measure in MEASURES.values() if not measure.edges and measure.name in recording.probes]
    return "".join(_table(recording, measure, members, styles) for measure in shown)


def _table(recording: Recording, measure: Measure, members: Mapping[str, Sequence[int]], styles: Styles) -> str:
    places = [measure.title] if measure.axis is None else recording.facts[measure.axis]
    heads = "".join(f'<th scope="col">{escape(str(place))}</th>' for place in places)
    body = ""
    for name, columns in members.items():
        alive = np.array(columns, dtype=int)[still_training(recording, columns)[-1]]
        values = recording.probes[measure.name][-1, alive].astype(float).reshape(len(alive), len(places))
        medians = np.median(values, axis=0) if len(alive) else np.full(len(places), np.nan)
        cells = "".join(f"<td>{number(float(v), '#.3g')}</td>" for v in medians)
        body += f'<tr><th scope="row">{key(styles[name])}{escape(name)}</th>{cells}</tr>'
    head = f'<thead><tr><th scope="col">activation</th>{heads}</tr></thead>'
    table = f'<table class="numbers">{head}<tbody>{body}</tbody></table>'
    sentence = f"<p>{escape(sentence_of(measure, recording.study))}</p>{scrolling(measure.title, table)}"
    return f"<details><summary>{escape(measure.title)}</summary>{sentence}</details>"
