"""The command that trains: `actlab compare`."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actlab.cli.options import Baseline, Metric, with_data_options
from actlab.cli.printing import print_json, show
from actlab.errors import ActlabError, InvalidStudy, shortened

if TYPE_CHECKING:
    from actlab.custom import TracedNetwork
    from actlab.network import Network
    from actlab.study import Study

_Seeds = Annotated[
    str | None, typer.Option(metavar="N|auto", help="Number of seeds, counted from 0; or added as needed.")
]
_MostSeeds = Annotated[int | None, typer.Option(metavar="N", help="With --seeds auto: so many at most.")]
_Within = Annotated[
    float | None, typer.Option(metavar="POINTS", help="With --seeds auto: enough where the best lie so close together.")
]
_Summary = Annotated[
    bool, typer.Option("--summary", help="Only show the network: layers, shapes, parameters. Trains nothing.")
]
_Optimiser = Annotated[
    str | None, typer.Option(metavar="NAME", help="adam, adamw, rmsprop or sgd; another one comes with its usual rate.")
]
_Rates = Annotated[
    str | None,
    typer.Option(metavar="auto|0.01,0.1", help="Rates to try; each function's is chosen on validation data."),
]
_Init = Annotated[
    str | None,
    typer.Option(metavar="stated|gain|critical", help="Compare also from initial weights that suit each function."),
]
_Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, as network.1.units=256; may be repeated."),
]
_Memory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory to stay below, as 4GiB or 500MB; larger runs are sliced.")
]
_Restart = Annotated[
    bool, typer.Option("--restart", help="Train anew where this was recorded before; that stays until the end.")
]
_Loss = Annotated[
    str | None,
    typer.Option(metavar="squared|absolute|huber", help="What training makes small where numbers are predicted."),
]
_ClassWeights = Annotated[
    str | None,
    typer.Option(metavar="balanced|A=2,B=1", help="What a sample's loss weighs in training, by its class."),
]
_ACTIVATIONS = "Functions to compare, as relu or 'leaky_relu(negative_slope=0.2)'; yours as module:attribute."
# Options of `compare`, besides those of the data, that are settings of the study.
SETTINGS = (
    *("task", "activations", "seeds", "most_seeds", "within", "epochs", "batch", "optimiser", "learning_rates", "init"),
    *("loss", "class_weights", "metric"),
)


class Stopped(Exception):
    """Ctrl-C, with the sentence that says what is left."""


@with_data_options
def compare(
    study: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE|STUDY.toml", help="What to run; the recipe digits by default."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME|FILE|FOLDER", help="Data: a task, a table, arrays, pictures in folders.")
    ] = None,
    data: dict[str, Any] = MappingProxyType({}),  # pyright: ignore[reportArgumentType]
    activations: Annotated[str | None, typer.Option(metavar="A,B(P=1),M:F", help=_ACTIVATIONS)] = None,
    seeds: _Seeds = None,
    most_seeds: _MostSeeds = None,
    within: _Within = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Passes through the training data.")] = None,
    batch: Annotated[int | None, typer.Option(metavar="N", help="Samples in a training step.")] = None,
    optimiser: _Optimiser = None,
    learning_rates: _Rates = None,
    init: _Init = None,
    loss: _Loss = None,
    class_weights: _ClassWeights = None,
    assignments: _Assignments = None,
    memory: _Memory = None,
    metric: Metric = None,
    baseline: Baseline = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run directory; runs/NAME-… by default.")] = None,
    restart: _Restart = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON instead of a table.")] = False,
    summary: _Summary = False,
) -> None:
    """Train the same network with several activation functions over several seeds, and compare."""
    given = data | _settings(locals())
    options = ({} if memory is None else {"memory": _bytes(memory)}) | ({"restart": True} if restart else {})
    options |= {} if baseline is None else {"baseline": baseline}
    chosen = _study(study, given, assignments or [])
    if summary:
        _show_network(chosen)
        return
    name = re.sub(r"[^\w.-]+", "-", chosen.name).strip(".-") or "study"
    _compare(chosen, out or Path("runs") / f"{name}-{chosen.identity[:8]}", as_json, options)


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """The settings of a study among the options of `compare`, by name, as `Study` takes them; those that were given."""
    found = {name: options[name] for name in SETTINGS if options[name] is not None}
    if "learning_rates" in found:
        found["learning_rates"] = _rates(found["learning_rates"])
    if "seeds" in found:
        found["seeds"] = _seeds(found["seeds"], options["most_seeds"], options["within"])
    if "class_weights" in found:
        found["class_weights"] = _class_weights(found["class_weights"])
    return found


def _class_weights(text: str) -> str | dict[str, float] | None:
    """What --class-weights says: none, balanced, or numbers by the names of classes."""
    if text in ("none", "balanced"):
        return None if text == "none" else text
    try:
        pairs = [(name, float(weight)) for name, _, weight in (pair.rpartition("=") for pair in text.split(","))]
        if len(dict(pairs)) < len(pairs):
            raise InvalidStudy(f"--class-weights {shortened(text)}: a class is named twice: give each one weight.")
        return dict(pairs)
    except ValueError:
        raise InvalidStudy(
            f"--class-weights {shortened(text)}: none, balanced, or numbers for classes are expected, as in yes=3,no=1."
        ) from None


def _rates(text: str) -> list[float] | str:
    if text == "auto":
        return text
    try:
        return [float(rate) for rate in text.split(",")]
    except ValueError:
        raise InvalidStudy(
            f"--learning-rates {text!r}: auto, or numbers separated by commas are expected, as in 0.01,0.1."
        ) from None


def _seeds(text: str, most: int | None, within: float | None) -> int | str:
    """The number of --seeds, or auto, which needs an end; what is neither is refused by its name."""
    if text == "auto" and most is None and within is None:
        raise InvalidStudy(
            "--seeds auto adds seeds until one function alone may be the best, which may be never: give an end, as "
            "--most-seeds 64, or --within 0.5, in points of accuracy or the unit of what leads."
        )
    if text != "auto" and not re.fullmatch(r"[+-]?\d+", text):
        raise InvalidStudy(f"--seeds: a whole number or auto is expected, got {shortened(text)}.")
    return text if text == "auto" else int(text)


_DECIMAL = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS = _DECIMAL | {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def _bytes(text: str) -> int:
    """A size in bytes: a number, alone or with a unit.

    >>> _bytes("4GiB"), _bytes("500 MB"), _bytes("1.5kib"), _bytes("1000")
    (4294967296, 500000000, 1536, 1000)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", text.lower())
    size = float(match[1]) * _UNITS.get(match[2], math.nan) if match else math.nan
    if not math.isfinite(size):
        raise InvalidStudy(f"--memory {shortened(text)}: a size is expected, as in 4GiB, 500MB or a number of bytes.")
    return int(size)


def _study(name: str | None, settings: dict[str, Any], assignments: list[str]) -> Study:
    """The study meant by the argument, with the command line's settings in the place of its own."""
    from actlab.recipes import RECIPES, recipe
    from actlab.study import Study, from_toml
    from actlab.study.changes import changed

    if name is None and "task" in settings:
        base = Study(name=Path(re.sub(r"\.(gz|zip)$", "", settings["task"])).stem or "study")
    elif name is None or name in RECIPES:
        base = recipe(name or "digits").study
    else:
        from actlab.tasks import kind_of, names

        file = not name.endswith(".toml") and Path(name).is_file()
        # A run directory is no data, although it is a folder.
        run = Path(name, "study.toml").is_file()
        if name in names() or file or (kind_of(name) and not run):
            raise InvalidStudy(f"{name} is no recipe but data: write actlab compare --task {name}.")
        if run:
            raise InvalidStudy(
                f"{name} is a run directory: actlab report {name} shows it, actlab compare {name}/study.toml runs its "
                "study."
            )
        base = from_toml(name) if name.endswith(".toml") or "/" in name else recipe(name).study
    return changed(base, settings, assignments)


def _compare(study: Study, directory: Path, as_json: bool, options: dict[str, Any]) -> None:
    from actlab.laboratory import run
    from actlab.views.terminal import comparison as terminal

    earlier = _database(directory)
    try:
        recording = run(study, directory, **options)
    except KeyboardInterrupt:
        raise Stopped(_what_is_left(directory, earlier)) from None
    if earlier is not None and _database(directory) == earlier:
        typer.echo(
            f"{directory} holds all {study.epochs} epochs of this study already, and nothing was trained; --restart "
            "trains it anew.\n",
            err=as_json,
        )
    if as_json:
        print_json(recording.summary)
        return
    show(terminal.leaderboard(recording, recording.summary))
    typer.echo(f"\nreport     {directory / 'report.html'}")
    typer.echo(f"summary    {directory / 'summary.json'}")


def _database(directory: Path) -> tuple[int, int] | None:
    """The identity of a recording's database file: a new recording has another one; None without epochs."""
    from actlab.recording import load

    try:
        if load(directory).epochs < 0:
            return None
        found = (directory / "study.db").stat()
    except (ActlabError, OSError):
        return None
    return found.st_dev, found.st_ino


def _what_is_left(directory: Path, earlier: tuple[int, int] | None) -> str:
    from actlab.recording import load

    try:
        epochs = load(directory).epochs
    except ActlabError:
        epochs = -1
    if epochs < 0 and (parts := directory / "seeds").is_dir():
        return f"stopped while seeds were added; {parts} holds those that are trained: the same command goes on."
    if epochs < 0 and (tried := directory / "tuning").is_dir():
        return f"stopped before an epoch of the comparison was recorded; {tried} holds what the learning rates showed."
    if epochs < 0:
        return "stopped before an epoch was recorded."
    shows = f"actlab report {directory} shows it."
    if earlier is not None and _database(directory) == earlier:
        return f"stopped; the recording that was there, up to epoch {epochs}, is kept: {shows}"
    return f"stopped; everything up to epoch {epochs} is kept: {shows}"


def _show_network(study: Study) -> None:
    from actlab.study import complete, load_task
    from actlab.views.terminal import comparison as terminal

    task = load_task(study)
    completed = complete(study, task)
    by_count: dict[int, dict[str, Network | TracedNetwork]] = {}
    for name, network in completed.networks(task.input_shape).items():
        by_count.setdefault(network.parameter_count, {})[name] = network
    for networks in by_count.values():
        if len(by_count) > 1:
            typer.echo(f"\nwith {', '.join(networks)}:")
        show(terminal.network_table(next(iter(networks.values()))))
