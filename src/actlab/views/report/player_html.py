"""The player's HTML: the controls, and a row of empty figures for each activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from actlab.views.palette import Styles
from actlab.views.report.html import SAVE, key

SPEEDS = (1, 2, 5, 10, 20, 40, 60)
# A training plays for about so many seconds at the initial speed.
PLAYING = 7
# Buttons: target, title, and icon (a triangle, with a bar for the ends).
MOVES = (
    ("start", "first epoch", "M3 3h2v10H3zM13 3v10L6 8z"),
    ("back", "one epoch back", "M11 3v10L4 8z"),
    ("forward", "one epoch on", "M5 3v10l7-5z"),
    ("end", "last epoch", "M11 3h2v10h-2zM3 3v10l7-5z"),
)


def body(content: Mapping[str, Any], styles: Styles) -> str:
    """HTML of the player's figures: all empty, for the page's script to draw.

    Args:
        content: what is embedded for it (see `actlab.views.report.player.content`).
        styles: colour and dash by activation.
    """
    panels = _panels(content)
    heads = "".join(f"<span><b>{escape(title)}</b><small>{escape(text)}</small></span>" for _, title, text in panels)
    rows = "".join(_row(member, panels, styles) for member in content["networks"])
    return f"<div data-player style='--panels:{len(panels)}'><div class='heads'>{heads}</div>{rows}</div>"


def _panels(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, title and sentence of each figure of a row."""
    if content.get("numbers"):
        return _of_numbers(content)
    several = bool(content.get("labels"))
    binary = several or content["networks"][0]["outputs"] == 1
    classes = content["classes"]
    probability = f"probability of {classes[1]}" if binary else "probability of the true class"
    if several:
        probability = "probability of the label"
    curves = "validation labels right, all of them together" if several else "validation accuracy"
    sides = f"{classes[1]} above, {classes[0]} below; " if binary else ""
    found = [
        ("features", "feature space", "what the layer of functions makes of them; red edge: classified wrongly"),
        ("probabilities", probability, f"{sides}red: classified wrongly; heights are square roots of counts"),
        ("losses", "loss of each sample", "cross-entropy, on a logarithmic axis; red: classified wrongly"),
        ("curves", "accuracy and loss", f"{curves}, training loss; band: the middle half of the seeds"),
    ]
    if content["box"]:
        found.insert(0, ("inputs", "input space", "the samples as they are; tint and line: what the network decides"))
        sentence = "what each unit says over the input space: below and above zero; colour: square root of its size"
        found.insert(2, ("units", "units", sentence))
    return found


def _of_numbers(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The figures of networks that predict numbers."""
    numbers = content["numbers"]
    # Of networks that the page does not compute it has no curve.
    name, single = numbers["names"][0], numbers["inputs"] == 1 and "x" in content
    over = "the input" if single else "the target"
    several = len(numbers["names"])
    first = f", the first of {several} targets" if several > 1 else ""
    fit = (
        "training samples and the curve that the network draws"
        if single
        else "predictions over targets; right on the line"
    )
    found = [
        ("fit", f"the fit of {name}{first}", fit),
        ("residuals", "residuals", f"prediction minus target, over {over}; those beyond stand at the edge"),
        ("features", "feature space", "what the layer of functions makes of the samples; colour: the target"),
        ("losses", "loss of each sample", "of standardised targets, on a logarithmic axis"),
        ("curves", "RMSE and loss", "validation RMSE, training loss; band: the middle half of the seeds"),
    ]
    if content["box"]:
        found.insert(0, ("inputs", "input space", "samples, colour: the target; tint: what the network predicts there"))
        sentence = "what each unit says over the input space: below and above zero; colour: square root of its size"
        found.insert(4, ("units", "units", sentence))
    return found


def _row(member: Mapping[str, Any], panels: Sequence[tuple[str, str, str]], styles: Styles) -> str:
    name = escape(member["name"])
    figures = "".join(
        f"<div class='{panel}'><p>{escape(title)}</p>"
        f"<canvas data-panel='{panel}' role='img' aria-label='{name}, {escape(title)}: {escape(text)}'></canvas></div>"
        for panel, title, text in panels
    )
    return (
        f"<article class='member' data-row data-activation='{name}'><h3>{key(styles[member['name']])}{name}"
        f"<output data-readout></output><span class='flags' data-flags></span>{SAVE}</h3>"
        f"<div class='views'>{figures}</div></article>"
    )


def controls(usual: Mapping[str, Any], rows: int) -> str:
    """HTML of the controls of epoch, seed, layer, label and axes.

    Args:
        usual: the state of the page as it is opened: the last epoch, and what there is to choose from; of one thing
            there is no choice.
        rows: how many activations have figures, on shared axes or each on its own.
    """
    steps = "".join(
        f"<button type='button' data-go='{move}' aria-label='{label}' title='{label}'>"
        f"<svg viewBox='0 0 16 16' aria-hidden='true'><path d='{sign}'/></svg></button>"
        for move, label, sign in MOVES
    )
    last, seeds, layers, labels = (usual[name] for name in ("epoch", "seeds", "layers", "labels"))
    usual_speed = min(SPEEDS, key=lambda speed: abs(last / speed - PLAYING))
    speeds = [(str(speed), f"{speed} epoch{'s' if speed > 1 else ''}/s") for speed in SPEEDS]
    speed = _choice("speed", speeds, str(usual_speed))
    seed = _choice("seed", [(str(seed), f"seed {seed}") for seed in seeds], str(usual["seed"]))
    layer = _choice("layer", [(name, name) for name in layers], usual["layer"])
    label = _choice("label", [(name, f"label {name}") for name in labels], usual["label"] or "")
    axes = _choice("axes", [("shared", "shared axes"), ("own", "own axes")], "shared")
    return (
        "<div class='player' data-controls role='group' aria-label='Player: space plays, arrows step'>"
        f"<button type='button' data-go='play' class='main'>Play</button>{steps}"
        f"<input type='range' min='0' max='{last}' value='{last}' aria-label='epoch' data-epoch>"
        f"<output data-epoch-now>epoch {last}</output>"
        f"{speed}{seed if len(seeds) > 1 else ''}{layer if len(layers) > 1 else ''}"
        f"{label if len(labels) > 1 else ''}"
        f"{axes if rows > 1 else ''}</div>"
    )


def _choice(name: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
    rows = "".join(
        f"<option value='{escape(value)}'{' selected' if value == chosen else ''}>{escape(text)}</option>"
        for value, text in options
    )
    return f"<select data-{name} aria-label='{name}'>{rows}</select>"
