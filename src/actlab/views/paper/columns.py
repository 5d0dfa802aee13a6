"""What the columns of the CSV files are, in sentences, and the README.txt that says so."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from actlab.objectives import PARTS
from actlab.recording import Recording
from actlab.statistics.selection import probe_samples
from actlab.statistics.trained import words_of

WIDTH = 100
FILES = {
    "results": "a row for each activation of each condition, the main condition first, best first in each.",
    "members": "a row for each network that was trained, at the last epoch.",
    "curves": "a row for each network and epoch.",
    "comparisons": "a row for each pair of activations, condition and metric; value i of both is of the same seed.",
    "baseline": "a row for each activation (a) beside the baseline (b), condition by condition: a family of its own, "
    "smaller than all pairs.",
    "milestones": "a row for each activation, condition and milestone.",
}
HOW_TO_READ = (
    "The files are UTF-8 with commas, a row of names first, and rows that end with CR LF (RFC 4180). Numbers are "
    "written in full, with a point: they read back the same.",
    "An empty cell is a number that is not known: that of a network that diverged, or an interval of a single seed.",
    'In a column of median epochs "inf" means never: at least half of the seeds do not get there, so that the median '
    'lies beyond every epoch; "reached" says how many do. In every other column inf is an infinite number.',
    "A text that begins with =, +, - or @ (after a tab or an end of line, too) has an apostrophe in front, for a "
    "spreadsheet would compute it; one that begins so behind apostrophes has one more. Take the first character of "
    "such a text away, and it is as it was.",
    'pandas.read_csv("results.csv", keep_default_na=False, na_values=[""]) reads them in Python, '
    'read.csv("results.csv", na.strings = "") in R; without these a function called "NA" would be taken for an empty '
    'cell. Before version 3, pandas needs float_precision="round_trip" as well to read every digit.',
)
# By file and column where a name means something else elsewhere, by column alone otherwise.
COLUMNS = {
    "condition": "name of the condition: what is held equal between the activations.",
    "condition_title": "the same in words.",
    "conditions": "names of the conditions that the network is reported in, with blanks between them.",
    "place": "1 for the best mean of the metric that leads; activations that mostly diverged come last.",
    "activation": "name of the activation function.",
    "standing": '"may be the best", "not the best", "too few seeds" to say, or "not compared": most diverged.',
    "members": "number of networks, one for each seed.",
    "diverged": "how many of them diverged; no mean is over these.",
    "seed": "decides initial weights, order of the data and dropout, for all activations alike.",
    "diverged_ci95_low": "lower end of the 95 % interval of the share that diverges (Clopper and Pearson).",
    "diverged_ci95_high": "upper end of it.",
    "test_accuracy_ci95_new_data_low": "lower end of the 95 % interval of the mean over new seeds and new samples.",
    "test_accuracy_ci95_new_data_high": "upper end of it.",
    "learning_rate": "{rate}.",
    "learning_rate_at_edge": "true where it is the smallest or largest of several that were tried.",
    "init": "stated: initial weights as the layers state; gain or critical: scaled to suit the function.",
    "parameters": "trained numbers of a network.",
    "best_p": "p of the hypothesis that no other activation has a better mean of the metric that leads.",
    "member": "number of the network.",
    "epoch": "passes through the training data; 0 is the untrained network.",
    "diverged_epoch": "epoch at which the network diverged; empty where it did not.",
    "diverged_reason": "why.",
    "a": "the one activation.",
    "b": "the other one.",
    "metric": "what is compared.",
    "difference": "mean of a − b over the pairs, in the unit of the metric.",
    "ci95_low": "lower end of its 95 % interval.",
    "ci95_high": "upper end of it.",
    "ci95_simultaneous_low": "lower end of the 95 % interval that holds together with all others of the condition.",
    "ci95_simultaneous_high": "upper end of it.",
    "p_max_t": "of the hypothesis that there is no difference, all asked at once (step-down max-T, sign flips).",
    "told_apart": "whether that is at most 0.05: then the interval keeps to one side of zero.",
    "ci95_new_data_low": "lower end of the 95 % interval over new seeds and new samples, for all together.",
    "ci95_new_data_high": "upper end of it.",
    "told_apart_new_data": "whether that interval keeps to one side of zero.",
    "p": "of Wilcoxon's signed-rank test, for this pair alone.",
    "p_holm": "the same, corrected for all pairs of the metric (Holm).",
    "effect_size": "matched-pairs rank-biserial correlation, from −1 to 1.",
    "pairs": "number of seeds with a finite value on both sides.",
    "milestone": "name of the milestone.",
    "median": "median over the seeds of the first epoch at it; inf: never.",
    "reached": "share of the seeds that get there, from 0 to 1.",
    "reached_ci95_low": "lower end of the 95 % interval of that share (Clopper and Pearson).",
    "reached_ci95_high": "upper end of it.",
    "epochs_to_target_ci95_low": "lower end of the 95 % interval of the median: an epoch of a seed.",
    "epochs_to_target_ci95_high": "upper end of it; inf: never.",
    "epochs_to_target_reached_ci95_low": "lower end of the 95 % interval of the share (Clopper and Pearson).",
    "epochs_to_target_reached_ci95_high": "upper end of it.",
    "epochs_to_target_target": "what is waited for in the metric that leads, on the validation data.",
    "epochs_to_target_median": "median over the seeds of the first epoch at it; inf: never.",
    "epochs_to_target_reached": "share of the seeds that get there, from 0 to 1.",
    "gradient_ratio": "weight gradient of the first layer over that of the last, median over networks and epochs.",
    "flat_share": "share of samples and units where |f'| is below 0.1 % of its supremum, from 0 to 1; last epoch, "
    "median over networks.",
    "dead_share": "share of units flat for all of the {probed}, likewise.",
}
OF_ESTIMATES = {
    "mean": "mean over the networks that did not diverge",
    "median": "median over them",
    "ci95_low": "lower end of the 95 % interval of the mean over seeds",
    "ci95_high": "upper end of it",
    "count": "number of networks that the mean is over",
}


def described(column: str, recording: Recording) -> str:
    """What a column holds, with its unit: a sentence.

    A column that this version has no words for is said to be that of `summary.json`.
    """
    if column in COLUMNS:
        words = words_of(recording.study)
        rate = "factor of what the loop asks for" if words.own_loop else "of the optimiser"
        return COLUMNS[column].format(probed=f"{probe_samples(recording)} {words.samples}", rate=rate)
    for metric in recording.declared_metrics:
        for part in PARTS:
            name = f"{part}_{metric['name']}"
            of = f"{metric['title']} on the {part.replace('train', 'training')} data{_unit(metric)}"
            if column == name:
                return f"{of}."
            if column.startswith(f"{name}_") and (what := OF_ESTIMATES.get(column.removeprefix(f"{name}_"))):
                return f"{what}; {name} is the {of}." if column.endswith("_mean") else f"{what}."
    return f"as {column} in summary.json."


def _unit(metric: Mapping[str, object]) -> str:
    """In which unit a metric is recorded.

    >>> _unit({"unit": "nats", "scale": 1.0}), _unit({"unit": "%", "scale": 100.0}), _unit({"unit": "", "scale": 1.0})
    (', in nats', ', as a share from 0 to 1', '')
    """
    unit, scale = metric["unit"], metric["scale"]
    if unit == "%" and scale == 100:
        return ", as a share from 0 to 1"
    if scale != 1:
        return f"; times {scale:g} it is in {unit}" if unit else f"; shown times {scale:g}"
    return f", in {unit}" if unit else ""


def readme(recording: Recording, tables: Mapping[str, Sequence[str]], methods: str, notes: Sequence[str] = ()) -> str:
    """The text of README.txt: how it was compared, how to read the files, and what each column is.

    Args:
        recording: what is exported.
        tables: by name of each file without its ending, its columns.
        methods: the paragraph on how it was compared.
        notes: the sentences without which the numbers would mislead.
    """
    return "\n".join(_lines(recording, tables, [methods, *notes, *HOW_TO_READ])) + "\n"


def _lines(recording: Recording, tables: Mapping[str, Sequence[str]], paragraphs: Sequence[str]) -> Iterator[str]:
    name = " ".join(f"{recording.study.name}: the numbers of {recording.directory.name}".split())
    yield from (name, "=" * len(name), "")
    for paragraph in paragraphs:
        yield from (*_wrapped(paragraph), "")
    for file, columns in tables.items():
        yield from (*_wrapped(f"{file}.csv: {FILES[file]}"), "")
        wide = max(map(len, columns), default=0) + 2
        for column in columns:
            yield from _wrapped(described(column, recording), f"  {column:<{wide}}", " " * (wide + 2))
        yield ""


def _wrapped(text: str, first: str = "", others: str = "") -> list[str]:
    # Names and numbers stay whole, a number beside its per cent.
    joined = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.TextWrapper(WIDTH, first, others, break_long_words=False, break_on_hyphens=False).wrap(joined)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
