"""A drawing of a model as a graph of its layers, the input at the bottom, as SVG that needs no script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from actlab.views.report.layer_folding import Frame, Layers, Node, common, folded, layers_of, named
from actlab.wording import counted

WIDTH, HEIGHT, GAP, BESIDE = 236, 26, 14, 26
# A joint of two ways is a circle.
JOINT = 11
MARGIN, HEAD = 14, 20
# How far a way that passes layers by bulges.
BULGE, FURTHEST = 16, 46
LETTERS = 36

Point = tuple[float, float]


def drawing(graph: Mapping[str, Any], lit: Mapping[str, Sequence[int]]) -> str:
    """The layers of a model as SVG.

    Args:
        graph: see `actlab.watching.torch_layers.LayerTracer.graph`.
        lit: by the layer of a finding, the numbers of its findings, as they are pinned.
    """
    layers = layers_of(graph)
    everything = [name for node in layers.nodes for name in node.names]
    meant: dict[str, list[int]] = {}
    for layer, numbers in lit.items():
        for name in named(layer, everything):
            meant.setdefault(name, []).extend(numbers)
    shown = folded(layers, meant)
    places = positions(shown)
    frames = {number: _box([places[i] for i, node in enumerate(shown.nodes) if node.frame == number])
              for number in range(len(shown.frames))}  # fmt: skip
    parts = [_frame(shown.frames[number], box) for number, box in frames.items() if box]
    parts += [_edge(places[start], places[end], _joint(shown.nodes[end])) for start, end in sorted(shown.edges)]
    modules = [_module(shown, number) for number in range(len(shown.frames))]
    parts += [
        _node(node, place, meant, "" if node.frame is None else modules[node.frame])
        for node, place in zip(shown.nodes, places, strict=True)
    ]
    corners = [box for box in frames.values() if box] or [_box(places) or (0, 0, 0, 0)]
    left = min(0.0, *(x - WIDTH / 2 for x, _ in places), *(box[0] for box in corners)) - MARGIN
    right = max(*(x + WIDTH / 2 for x, _ in places), *(box[2] for box in corners), 0.0) + FURTHEST + MARGIN
    top = min(*(y for _, y in places), *(box[1] for box in corners)) - HEIGHT - MARGIN
    bottom = max(*(y for _, y in places), 0.0) + HEIGHT + MARGIN
    size = f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}"
    return (
        f"<svg class='layers' viewBox='{size}' width='{right - left:.0f}' height='{bottom - top:.0f}' role='group' "
        f"aria-label='{escape(caption(layers, shown))}'><defs><marker id='arrow' viewBox='0 0 6 6' refX='5' "
        "refY='3' markerWidth='6' markerHeight='6' orient='auto'><path d='M0 0L6 3L0 6z'/></marker></defs>"
        f"{''.join(parts)}</svg>"
    )


def caption(layers: Layers, shown: Layers) -> str:
    """What the drawing holds, in a sentence."""
    found = (
        f"{counted(len(layers.nodes), 'layer')} and functions in the order in which they run, the input at the bottom"
    )
    if len(shown.nodes) < len(layers.nodes):
        found += f", drawn as {len(shown.nodes)}: blocks that come again stand once, in a frame"
    return f"{found}."


def described(graph: Mapping[str, Any], lit: Mapping[str, Sequence[int]]) -> str:
    """The caption of `drawing` for the same arguments."""
    layers = layers_of(graph)
    everything = [name for node in layers.nodes for name in node.names]
    return caption(layers, folded(layers, {name for layer in lit for name in named(layer, everything)}))


def positions(layers: Layers) -> list[Point]:
    """The middle of each node: as high as the longest way to it has layers, beside others of the same height."""
    before: dict[int, list[int]] = {}
    for start, end in sorted(layers.edges):
        before.setdefault(end, []).append(start)
    ranks: list[int] = []
    for place in range(len(layers.nodes)):
        ranks.append(max((ranks[own] + 1 for own in before.get(place, ())), default=0))
    rows: dict[int, list[int]] = {}
    for place, rank in enumerate(ranks):
        rows.setdefault(rank, []).append(place)
    across: dict[int, float] = {}
    found: dict[int, Point] = {}
    height = 0.0
    for rank in sorted(rows):
        # Each as near as it goes to what it comes from.
        middle = {own: _mean([across[other] for other in before.get(own, ())]) for own in rows[rank]}
        ordered = sorted(rows[rank], key=lambda own: (middle[own], own))
        start = _mean(list(middle.values())) - (len(ordered) - 1) / 2 * (WIDTH + BESIDE)
        # Room for the title of a frame that ends here, and of one that begins.
        height += HEAD if rank and _changes(layers, rows[rank - 1], rows[rank]) else 0
        for number, own in enumerate(ordered):
            across[own] = start + number * (WIDTH + BESIDE)
            found[own] = across[own], -height
        height += HEIGHT + GAP
    return [found[place] for place in range(len(layers.nodes))]


def _changes(layers: Layers, below: Sequence[int], above: Sequence[int]) -> bool:
    return {layers.nodes[own].frame for own in below} != {layers.nodes[own].frame for own in above}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _joint(node: Node) -> bool:
    return len(node.kind) == 1


def _box(places: Sequence[Point]) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of what is around some nodes."""
    if not places:
        return None
    return (
        min(x for x, _ in places) - WIDTH / 2 - 9,
        min(y for _, y in places) - HEIGHT / 2 - HEAD,
        max(x for x, _ in places) + WIDTH / 2 + 9,
        max(y for _, y in places) + HEIGHT / 2 + 8,
    )


def _frame(frame: Frame, box: tuple[float, float, float, float]) -> str:
    left, top, right, bottom = box
    text = frame.first if frame.first == frame.last else f"{shortened(frame.first, 15)} – {shortened(frame.last, 15)}"
    title = f"{frame.first} to {frame.last}: {frame.times} times the same, one after the other"
    return (
        f"<g class='again'><title>{escape(title)}</title><rect x='{left:.0f}' y='{top:.0f}' width='{right - left:.0f}' "
        f"height='{bottom - top:.0f}' rx='8'/><text x='{left + 8:.0f}' y='{top + 13:.0f}'>{escape(text)}</text>"
        f"<text class='times' x='{right - 8:.0f}' y='{top + 13:.0f}'>×{frame.times}</text></g>"
    )


def _edge(start: Point, end: Point, joint: bool) -> str:
    """A way from a node to a later one: straight to the next, beside those that it passes by."""
    (x, y), (to, up) = start, end
    y, up = y - HEIGHT / 2, up + (JOINT if joint else HEIGHT / 2)
    # Frames make gaps wider.
    if y - up < GAP + HEAD + 8:
        middle = (y + up) / 2
        curve = f"M{x:.0f} {y:.0f}C{x:.0f} {middle:.0f} {to:.0f} {middle:.0f} {to:.0f} {up:.0f}"
        return f"<path class='edge' marker-end='url(#arrow)' d='{curve}'/>"
    side, arrive = x + WIDTH / 2, to + (JOINT if joint else WIDTH / 2)
    y, up = start[1], end[1]
    out = max(side, to + WIDTH / 2) + min(FURTHEST, BULGE + (y - up) / 24)
    return (
        f"<path class='edge past' marker-end='url(#arrow)' d='M{side:.0f} {y:.0f}C{out:.0f} {y:.0f} {out:.0f} "
        f"{y - 12:.0f} {out:.0f} {y - 24:.0f}L{out:.0f} {up + 24:.0f}C{out:.0f} {up + 10:.0f} {out:.0f} {up:.0f} "
        f"{arrive:.0f} {up:.0f}'/>"
    )


def _module(layers: Layers, frame: int) -> str:
    """What the names of all layers of a frame begin with: its title tells it, the nodes need not."""
    firsts = [node.names[0] for node in layers.nodes if node.frame == frame]
    return ".".join(common(firsts))


def _node(node: Node, place: Point, lit: Mapping[str, Sequence[int]], module: str) -> str:
    x, y = place
    numbers = sorted({number for name in node.names for number in lit.get(name, ())})
    title = titled(node)
    attributes = f"data-names='{escape(json.dumps(node.names), quote=True)}' data-title='{escape(title, quote=True)}'"
    badge = f"<text class='pin' x='{x - WIDTH / 2 - 2:.0f}' y='{y + 4:.0f}'>{','.join(map(str, numbers))}</text>"
    inside = (
        f"<circle cx='{x:.0f}' cy='{y:.0f}' r='{JOINT}'/>"
        f"<text class='joint' x='{x:.0f}' y='{y + 4:.0f}'>{escape(node.kind)}</text>"
    )
    if not _joint(node):
        name = node.names[0]
        if module and name.startswith((f"{module}.", f"{module}: ")):
            name = name[len(module) :].lstrip(":. ")
        kind = "" if node.kind in name.split(": ") else shortened(node.kind, 18, end=True)
        name = shortened(name, LETTERS - len(kind) - 2)
        inside = (
            f"<rect x='{x - WIDTH / 2:.0f}' y='{y - HEIGHT / 2:.0f}' width='{WIDTH}' height='{HEIGHT}' rx='5'/>"
            f"<text x='{x - WIDTH / 2 + 8:.0f}' y='{y + 4:.0f}'>{escape(name)}</text>"
            f"<text class='kind' x='{x + WIDTH / 2 - 8:.0f}' y='{y + 4:.0f}'>{escape(kind)}</text>"
        )
    family = " plain" if not node.parameters else ""
    return (
        f"<g class='node{family}{' lit' if numbers else ''}' {attributes}><title>{escape(title)}</title>{inside}"
        f"{badge if numbers else ''}</g>"
    )


def titled(node: Node) -> str:
    """A node in words.

    >>> titled(Node(("fc1",), "Linear", 1200)), titled(Node(("a", "b"), "ReLU", 0))
    ('fc1: Linear, 1,200 parameters', 'a … b (2): ReLU, no parameters')
    """
    names = node.names[0]
    if len(node.names) > 1:
        ordered = sorted(node.names, key=_natural)
        names = f"{ordered[0]} … {ordered[-1]} ({len(ordered)})"
    counts = counted(node.parameters, "parameter") if node.parameters else "no parameters"
    return f"{names}: {node.kind}, {counts}"


def _natural(name: str) -> list[tuple[int, str]]:
    """Names in the order of the numbers in them."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.replace(":", ".").split(".")]


def shortened(text: str, most: int, *, end: bool = False) -> str:
    """A name of at most so many letters, its end kept, or its beginning.

    >>> shortened("encoder.layers.11.linear1", 12), shortened("MultiheadAttention", 10, end=True)
    ('….11.linear1', 'Multihead…')
    """
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…" if end else f"…{text[1 - most :]}"
