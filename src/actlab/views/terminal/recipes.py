"""The recipes in the terminal: all of them in a table, or one with its settings, choices and published numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from actlab.layers import WEIGHTED
from actlab.recipes import Measured, Published, Recipe
from actlab.study import Study
from actlab.tasks import outline
from actlab.views.terminal.comparison import network_table, plain_table
from actlab.wording import DASH


def recipes_table(recipes: Mapping[str, Recipe], times: Mapping[str, Measured]) -> RenderableType:
    """The recipes by name, each with its data, the size of its networks, and the time that it took.

    Args:
        recipes: by name.
        times: what `actlab.recipes.measured` has on record.
    """
    table = plain_table()
    table.add_column("recipe", style="bold", no_wrap=True)
    table.add_column("what it compares; data; networks; time", overflow="fold")
    for name, recipe in recipes.items():
        study = recipe.study
        facts = f"{_data(study)}; {_networks(study)}, {study.epochs} epochs; time {_time(times.get(name))}"
        table.add_row(name, Group(Text(recipe.title), Text(facts, style="dim")))
    hint = "actlab recipes NAME shows one, actlab recipes NAME --toml prints it as a study file to change and run."
    return Group(table, Text(), Text(hint, style="dim"))


def recipe_card(recipe: Recipe, time: Measured | None) -> RenderableType:
    """One recipe: source, every setting, choices, published numbers, and what the source says in words."""
    study = recipe.study
    network = study.network_for(study.activations[0], outline(study.task).shape)
    parts: list[RenderableType] = [
        Text(recipe.title, style="bold"),
        Text(recipe.source, style="dim"),
        Text(),
        _settings(study, time),
        Text(),
        network_table(network),
    ]
    parts += _points("What the source leaves out, or is otherwise here", recipe.choices)
    if recipe.published:
        parts += [Text(), _published_table(recipe.published)]
        notes = dict.fromkeys(f"{_metric(p.metric)}: {p.note}." for p in recipe.published if p.note)
        parts += _points("Of the published numbers", notes)
    parts += _points("What the source says", recipe.statements)
    return Group(*parts)


def _data(study: Study) -> str:
    known = outline(study.task)
    shape = "×".join(map(str, known.shape))
    return f"{study.task}: {known.samples:,} samples of {shape}{' numbers' if len(known.shape) == 1 else ''}"


def _networks(study: Study) -> str:
    counts = sorted({n.parameter_count for n in study.networks(outline(study.task).shape).values()})
    parameters = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    members = len(study.activations) * len(study.seeds)
    return f"{members} networks of {parameters} parameters"


def _time(time: Measured | None) -> str:
    """The time of a run in words, and where it was taken.

    >>> _time(Measured(75.3, "2 cores")), _time(Measured(75.3, "a GPU", seeds=10)), _time(None)
    ('1 min 15 s (2 cores)', '1 min 15 s (10 seeds, a GPU)', '–')
    """
    if time is None:
        return DASH
    seeds = f"{time.seeds} seeds, " if time.seeds else ""
    return f"{_duration(time.seconds)} ({seeds}{time.machine})"


def _duration(seconds: float) -> str:
    """Hours and minutes, minutes and seconds, or seconds.

    >>> [_duration(s) for s in (0.4, 59.4, 59.6, 3599.7, 7290)]
    ['0 s', '59 s', '1 min 0 s', '1 h 0 min', '2 h 2 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def _settings(study: Study, time: Measured | None) -> Table:
    """Every setting of the study but its network."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    optimiser = study.optimiser.model_dump(exclude={"name"})
    own = ", ".join(f"{key} {value:g}" for key, value in optimiser.items())
    rates = ", ".join(f"{rate:g}" for rate in study.learning_rates or ())
    rows = {
        "activations": ", ".join(study.activations),
        "data": _data(study),
        "validation": "the test data" if study.validation == "test" else "held out",
        "initial weights": _initial_weights(study),
        "optimiser": f"{study.optimiser.name} ({own}), learning rate {rates}",
        "training": f"{study.epochs} epochs in batches of {study.batch}",
        "seeds": f"{len(study.seeds)}, from {study.seeds[0]} to {study.seeds[-1]}",
        "networks": _networks(study),
        "time": _time(time),
    }
    for name, value in rows.items():
        table.add_row(name, Text(value))
    return table


def _initial_weights(study: Study) -> str:
    """The initialiser of all layers, or of each in turn, and what holds their weights small."""
    layers = [layer for layer in study.network or () if isinstance(layer, WEIGHTED)]
    inits = [layer.init for layer in layers]
    words = inits[0] if len(set(inits)) == 1 else ", ".join(inits)
    kept = [f"{layer.l2:g}" for layer in layers]
    return words + (f"; L2 {', '.join(kept)}" if any(layer.l2 for layer in layers) else "")


def _points(title: str, sentences: Iterable[str]) -> list[RenderableType]:
    """A title and its sentences, each with a mark before it; nothing where there are none."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    for sentence in sentences:
        grid.add_row("•", Text(sentence))
    return [Text(), Text(title), grid] if grid.row_count else []


def _published_table(published: Iterable[Published]) -> Table:
    """One row for each metric and activation: the numbers by epoch, or the one of the last."""
    table = plain_table(title="Published")
    table.add_column("activation", overflow="fold")
    table.add_column("metric", overflow="fold")
    table.add_column("value, epoch by epoch where there are several", overflow="fold")
    for (activation, metric), points in groupby(published, key=lambda p: (p.activation, p.metric)):
        table.add_row(activation, _metric(metric), Text(_aligned([point.value for point in points])))
    return table


def _aligned(values: Sequence[float]) -> str:
    """Numbers with as many decimals as the one with most of them.

    >>> _aligned([0.94, 0.955]), _aligned([65])
    ('0.940 0.955', '65')
    """
    decimals = max(len(f"{value:g}".partition(".")[2]) for value in values)
    return " ".join(f"{value:.{decimals}f}" for value in values)


def _metric(name: str) -> str:
    """A metric in words.

    >>> _metric("test_accuracy"), _metric("milestone:all right")
    ('test accuracy', 'epoch of “all right”')
    """
    if name.startswith("milestone:"):
        return f"epoch of “{name.removeprefix('milestone:')}”"
    return name.replace("_", " ")
