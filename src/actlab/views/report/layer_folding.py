"""A graph of hundreds of layers made small enough to be read: what comes again one after the other is drawn once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

# So many nodes are read without folding.
MOST = 60
# So many layers a block that comes again may have.
LONGEST_BLOCK = 80


@dataclass(frozen=True)
class Node:
    """A layer as it is drawn, or several that are drawn as one.

    Attributes:
        names: of the layers that it stands for, in the order in which they run.
        kind: of layer.
        parameters: of all of them.
        frame: number of the frame in which it is drawn; None outside.
    """

    names: tuple[str, ...]
    kind: str
    parameters: int
    frame: int | None = None


@dataclass(frozen=True)
class Frame:
    """A block that comes again.

    Attributes:
        times: how often.
        first, last: names of the first and the last of the blocks.
    """

    times: int
    first: str
    last: str


@dataclass(frozen=True)
class Layers:
    """A graph of layers as it is drawn: nodes in the order in which they run, edges from earlier to later ones."""

    nodes: tuple[Node, ...]
    edges: frozenset[tuple[int, int]]
    frames: tuple[Frame, ...] = ()


def layers_of(graph: Mapping[str, Any]) -> Layers:
    """The graph of a recording: its fact "graph"."""
    nodes = tuple(Node((str(own["name"]),), str(own["kind"]), int(own["parameters"])) for own in graph["nodes"])
    edges = ((int(start), int(end)) for start, end in graph["edges"])
    return Layers(nodes, frozenset((start, end) for start, end in edges if start < end))


def folded(layers: Layers, lit: Collection[str] = (), most: int = MOST) -> Layers:
    """At most about `most` nodes, where the graph has more.

    What comes again one after the other stands once, in a frame: the block that holds a name of `lit`, else the first.
    Where that is not enough, layers of a module are drawn as one.
    """
    while len(layers.nodes) > most and (run := _longest_run(layers)):
        layers = _once(layers, *run, lit)
    depth = max((len(node.names[0].split(".")) for node in layers.nodes), default=0)
    while len(layers.nodes) > most and depth > 1:
        depth -= 1
        layers = _together(layers, depth)
    return layers


def _longest_run(layers: Layers) -> tuple[int, int, int] | None:
    """Where the blocks begin of which folding saves most, how long each is, and how many they are."""
    signs = _signs(layers)
    best, found = (0, 0, 0), (0, 0, 0)
    for length in range(1, min(LONGEST_BLOCK, len(signs) // 2) + 1):
        same = 0
        for place in range(len(signs) - length - 1, -1, -1):
            same = same + 1 if signs[place] == signs[place + length] is not None else 0
            saved = length * (same // length)
            # Blocks that are modules before those that begin within one; short before long ones.
            if saved and saved >= best[0]:
                inside = common([node.names[0] for node in layers.nodes[place : place + length]])
                rated = (saved, len(inside), -length)
                if rated > best:
                    best, found = rated, (place, length, same // length + 1)
    return found if found[1] else None


def _signs(layers: Layers) -> list[Any]:
    """What makes a node the same as another: its kind, its size, and how far back its inputs are.

    The first of several blocks may get them from elsewhere: how far back is left out where it is far. None of a node
    that stands in a frame.
    """
    before: dict[int, list[int]] = {}
    for start, end in layers.edges:
        before.setdefault(end, []).append(end - start)
    return [
        None if node.frame is not None else (node.kind, node.parameters, tuple(sorted(before.get(place, ()))))
        for place, node in enumerate(layers.nodes)
    ]


def common(names: Sequence[str]) -> tuple[str, ...]:
    """The module that some layers lie in, as parts of its name.

    >>> common(["a.0.conv", "a.0: relu", "a.0.act"]), common(["a", "b"])
    (('a', '0'), ())
    """
    parts = [name.partition(":")[0].split(".") for name in names]
    found = []
    for own in zip(*parts, strict=False):
        if len(set(own)) > 1:
            break
        found.append(own[0])
    return tuple(found)


def _once(layers: Layers, first: int, length: int, times: int, lit: Collection[str]) -> Layers:
    """A run of blocks drawn as one of them."""
    blocks = [list(layers.nodes[first + length * k : first + length * (k + 1)]) for k in range(times)]
    shown = next((k for k, own in enumerate(blocks) if any(set(node.names) & set(lit) for node in own)), 0)
    number = len(layers.frames)
    start, stop = (".".join(common([node.names[0] for node in own])) for own in (blocks[0], blocks[-1]))
    if start == stop:
        start, stop = blocks[0][0].names[0], blocks[-1][0].names[0]
    frame = Frame(times, start, stop)
    held = [
        # The name of the one that is shown stands first.
        Node(
            tuple(dict.fromkeys(name for own in (blocks[shown], *blocks) for name in own[k].names)),
            blocks[0][k].kind,
            sum(own[k].parameters for own in blocks),
            number,
        )
        for k in range(length)
    ]
    end = first + length * times

    def place(old: int) -> int:
        return old if old < first else first + (old - first) % length if old < end else old - length * (times - 1)

    moved = {(place(start), place(stop)) for start, stop in layers.edges}
    nodes = (*layers.nodes[:first], *held, *layers.nodes[end:])
    # From a block to the next one would be an edge back to itself.
    return Layers(nodes, frozenset((start, stop) for start, stop in moved if start < stop), (*layers.frames, frame))


def _together(layers: Layers, depth: int) -> Layers:
    """Neighbours of the same module, to so many parts of its name, drawn as one."""
    keys = [(node.frame, tuple(node.names[0].partition(":")[0].split(".")[:depth])) for node in layers.nodes]
    places, groups = list[int](), list[list[Node]]()
    for place, node in enumerate(layers.nodes):
        if place and keys[place] == keys[place - 1]:
            groups[-1].append(node)
        else:
            groups.append([node])
        places.append(len(groups) - 1)
    nodes = tuple(_joined(own) for own in groups)
    moved = ((places[start], places[end]) for start, end in layers.edges)
    return replace(layers, nodes=nodes, edges=frozenset((start, end) for start, end in moved if start < end))


def _joined(nodes: Sequence[Node]) -> Node:
    """Some nodes as one.

    >>> _joined([Node(("a.0",), "Linear", 3), Node(("a.1",), "ReLU", 0)]).kind
    'Linear, ReLU'
    """
    if len(nodes) == 1:
        return nodes[0]
    kinds = Counter(node.kind for node in nodes)
    words = [kind if count == 1 else f"{count} {kind}" for kind, count in kinds.most_common(3)]
    names = tuple(dict.fromkeys(name for node in nodes for name in node.names))
    more = ["…"] if len(kinds) > 3 else []
    return Node(names, ", ".join([*words, *more]), sum(node.parameters for node in nodes), nodes[0].frame)


def named(layer: str, names: Collection[str]) -> set[str]:
    """Those among the names of layers that a finding's layer means: itself, what lies in it, or what it lies in.

    >>> sorted(named("a", ["a.0", "a.1: relu", "b"])), named("b.weight", ["a", "b"]), named("c", ["a"])
    (['a.0', 'a.1: relu'], {'b'}, set())
    """
    while layer:
        found = {own for own in names if own == layer} or within(layer, names)
        if found:
            return found
        layer = layer.rpartition(":")[0] if ":" in layer else layer.rpartition(".")[0]
    return set()


def within(layer: str, names: Collection[str]) -> set[str]:
    """Those among some names that lie in a module."""
    return {own for own in names if own.startswith((f"{layer}.", f"{layer}:"))}
