"""The commands that draw a recording: `actlab figure | animate`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actlab.cli.options import Activations, Baseline, Metric, Run, compare_with
from actlab.errors import ActlabError, InvalidFunction, UnknownName

if TYPE_CHECKING:
    from actlab.views.figures.recording import Figures

MOST_EPOCHS = 10**6
Layer = Annotated[
    str | None,
    typer.Option("--layer", metavar="NAME", help="Layer of functions whose feature space is drawn, as act1."),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed to draw; a typical one by default.")]
Spans = Annotated[
    str,
    typer.Option("--axes", metavar="shared|own", help="Whether the feature spaces of all rows are on the same axes."),
]
Dpi = Annotated[float, typer.Option("--dpi", metavar="N", min=20, max=1200, help="Dots to an inch.")]
Size = Annotated[
    str | None, typer.Option("--size", metavar="WxH", help="Inches, as 9x4; by the number of panels by default.")
]


def figure(
    directory: Run,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="input-space, feature-space, probabilities, losses, several of these joined by commas; "
            "curves, gradients, milestones, differences, ranks, power or confusion.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The picture: .png, .svg or .pdf.")],
    activations: Activations = None,
    layer: Layer = None,
    seed: Seed = None,
    epochs: Annotated[
        str | None, typer.Option("--epochs", metavar="0,40,150", help="Columns of panels; the last epoch by default.")
    ] = None,
    axes: Spans = "shared",
    baseline: Baseline = None,
    metric: Metric = None,
    dpi: Dpi = 200,
    size: Size = None,
) -> None:
    """Draw a still picture of a recording."""
    from actlab.views.figures.functions import check_suffix, save
    from actlab.views.figures.histories import HISTORIES
    from actlab.views.figures.snapshots import PANELS

    check_suffix(out)
    figures = _figures(directory, activations, layer, seed, axes)
    inches = _inches(size)
    if baseline is not None and kind != "differences":
        raise InvalidFunction("--baseline is what differences are drawn to: leave it out, or draw these.")
    compare_with(figures.recording, baseline, metric)
    if kind in HISTORIES:
        if epochs or layer or seed is not None:
            raise InvalidFunction(f"{kind} shows all seeds over all epochs: leave out --epochs, --layer and --seed.")
        made = figures.history(kind, **inches)
    else:
        kinds = kind.split(",")
        for one in kinds:
            if one in HISTORIES:
                raise InvalidFunction(f"{one} is a picture of its own: leave out {', '.join(kinds).replace(one, '…')}.")
            if one not in PANELS:
                raise UnknownName("picture", one, [*PANELS, *HISTORIES])
        made = figures.draw(kinds, None if epochs is None else epoch_list(epochs), **inches)
    save(made, out, dpi)
    typer.echo(f"wrote {out}")


def animate(
    directory: Run,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The animation: .gif, .mp4 or .webm.")],
    kind: Annotated[
        str,
        typer.Option("--kind", metavar="KIND", help="As for figure, of one epoch; several are joined by commas."),
    ] = "feature-space",
    activations: Activations = None,
    layer: Layer = None,
    seed: Seed = None,
    epochs: Annotated[
        str | None, typer.Option("--epochs", metavar="0-150:2", help="Epochs to show; all that were kept by default.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", metavar="N", min=0.5, max=60, help="Epochs shown in a second.")
    ] = 20,
    axes: Spans = "shared",
    dpi: Dpi = 100,
    size: Size = None,
) -> None:
    """Draw a recording epoch by epoch, as an animation."""
    from actlab.views.figures.animations import save, writer_for

    writer = writer_for(out, speed)
    figures = _figures(directory, activations, layer, seed, axes)
    chosen = None if epochs is None else epoch_list(epochs)
    animation = figures.animate(chosen, kind.split(","), speed, **_inches(size))
    save(animation, out, writer, dpi)
    typer.echo(f"wrote {out}")


def _figures(directory: Path, activations: str | None, layer: str | None, seed: int | None, axes: str) -> Figures:
    from actlab.functions import import_activation
    from actlab.functions.variants import split_names
    from actlab.views.figures.recording import AXES, Figures, load, names_of

    if axes not in AXES:
        raise UnknownName("axes", axes, AXES)
    recording = load(directory)
    if recording.epochs < 0:
        raise ActlabError(f"{directory} was stopped before its first epoch: there is nothing to draw.")
    names = names_of(recording, split_names(activations) if activations else None)
    # Code of a user's own is run where it was asked for by name, not because a recording names it.
    for name in names if activations else ():
        if ":" in name:
            import_activation(name)
    return Figures(recording, names, layer, seed, axes)


def _inches(size: str | None) -> dict[str, Any]:
    if size is None:
        return {}
    match = re.fullmatch(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)", size)
    if match is None or not all(0.5 <= float(side) <= 100 for side in match.groups()):
        raise InvalidFunction(f"--size {size!r}: width and height in inches are expected, as in 9x4.")
    return {"figsize": (float(match[1]), float(match[2]))}


def epoch_list(text: str) -> list[int]:
    """Epochs as they are given on the command line: numbers and ranges, with a step where wanted.

    >>> epoch_list("0,5,10-13"), epoch_list("0-150:50")
    ([0, 5, 10, 11, 12, 13], [0, 50, 100, 150])
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::([1-9]\d*))?)?", part.strip())
        if match is None:
            raise InvalidFunction(f"--epochs {text!r}: epochs are expected, as in 0,40,150 or 0-150:10.")
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if (last - first) // step > MOST_EPOCHS:
            raise InvalidFunction(f"--epochs {text!r}: no recording has so many epochs: give fewer, as in 0-150:10.")
        found += range(first, last + 1, step)
    if not found:
        raise InvalidFunction(f"--epochs {text!r}: the range is empty; the smaller epoch comes first, as in 0-150.")
    return found
