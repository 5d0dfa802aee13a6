"""The drawing of a model: what is folded keeps every layer, ways go up, and nothing lies on anything else."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from tests.watched_recording import chain

from actlab.views.report.layer_folding import MOST, folded, layers_of
from actlab.views.report.layer_graph import HEIGHT, WIDTH, described, drawing, positions

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def residual(blocks, *, first=0):
    """The graph of residual blocks behind a stem: from the stem and from each sum a shortcut to the next sum."""
    nodes = [("input", "input", 0), ("stem", "Conv2d", 30)]
    edges = [(0, 1)]
    for k in range(blocks):
        before = len(nodes) - 1
        inside = [("conv1", "Conv2d", 90), ("norm", "BatchNorm2d", 6), ("conv2", "Conv2d", 90)]
        nodes += [(f"body.{first + k}.{name}", kind, size) for name, kind, size in inside]
        nodes += [(f"body.{first + k}: +", "+", 0), (f"body.{first + k}: relu", "relu", 0)]
        edges += [(before + i, before + i + 1) for i in range(5)] + [(before, before + 4)]
    nodes.append(("head", "Linear", 50))
    edges.append((len(nodes) - 2, len(nodes) - 1))
    return {
        "nodes": [{"name": name, "kind": kind, "parameters": size} for name, kind, size in nodes],
        "edges": [list(edge) for edge in edges],
    }


def varied(count):
    """Layers no two of which are alike, in modules of ten."""
    nodes = [{"name": f"part{k // 10}.layer{k}", "kind": f"Kind{k}", "parameters": k} for k in range(count)]
    return {"nodes": nodes, "edges": [[k, k + 1] for k in range(count - 1)]}


GRAPHS = {"residual": residual(40), "chain": chain(500), "varied": varied(200), "small": residual(2)}


@pytest.mark.parametrize("name", GRAPHS)
def test_folding_loses_no_layer_and_no_parameter(name):
    graph = GRAPHS[name]
    shown = folded(layers_of(graph))
    assert len(shown.nodes) <= MOST
    held = [own for node in shown.nodes for own in node.names]
    assert sorted(held) == sorted({own["name"] for own in graph["nodes"]})
    assert sum(node.parameters for node in shown.nodes) == sum(own["parameters"] for own in graph["nodes"])
    assert all(start < end for start, end in shown.edges)
    # Everything but the input is reached from somewhere.
    assert {end for _, end in shown.edges} == set(range(1, len(shown.nodes)))


def test_a_small_graph_is_drawn_as_it_is():
    shown = folded(layers_of(GRAPHS["small"]))
    assert shown == layers_of(GRAPHS["small"])


def test_blocks_that_come_again_stand_once_with_their_shortcut():
    shown = folded(layers_of(GRAPHS["residual"]))
    names = [node.names[0] for node in shown.nodes]
    (frame,) = shown.frames
    assert (frame.times, frame.first, frame.last) == (40, "body.0", "body.39")
    assert len(names) == 2 + 5 + 1
    named = {(names[start], names[end]) for start, end in shown.edges}
    assert ("stem", "body.0.conv1") in named
    assert ("stem", "body.0: +") in named
    assert ("body.0: relu", "head") in named


def test_the_block_of_a_finding_is_the_one_that_is_shown():
    shown = folded(layers_of(GRAPHS["residual"]), {"body.17.norm"})
    assert "body.17.norm" in [node.names[0] for node in shown.nodes]
    (lit,) = (node for node in shown.nodes if "body.17.norm" in node.names)
    assert len(lit.names) == 40


@pytest.mark.parametrize("name", GRAPHS)
def test_nodes_lie_above_what_they_come_from_and_on_nothing(name):
    shown = folded(layers_of(GRAPHS[name]))
    places = positions(shown)
    assert all(places[end][1] <= places[start][1] - HEIGHT for start, end in shown.edges)
    for (x, y), (to, up) in itertools.combinations(places, 2):
        assert abs(x - to) >= WIDTH or abs(y - up) >= HEIGHT


def branches(count):
    nodes = [{"name": "input", "kind": "input", "parameters": 0}]
    nodes += [{"name": f"branch{k}", "kind": "Linear", "parameters": k} for k in range(count)]
    nodes += [{"name": "cat", "kind": "cat", "parameters": 0}]
    edges = [[0, k + 1] for k in range(count)] + [[k + 1, count + 1] for k in range(count)]
    return {"nodes": nodes, "edges": edges}


def test_branches_stand_side_by_side_around_what_they_come_from():
    places = positions(layers_of(branches(3)))
    assert places[0][0] == places[2][0] == places[4][0]
    assert np.allclose([y for _, y in places[1:4]], places[1][1])


def nodes_of(svg):
    root = ElementTree.fromstring(svg)
    return [own for own in root.iter("g") if "data-names" in own.attrib]


def test_the_layers_of_findings_are_lit_and_no_others():
    svg = drawing(GRAPHS["residual"], {"body.17.conv2": [1, 3], "head.weight": [2]})
    lit = [own for own in nodes_of(svg) if "lit" in own.attrib["class"].split()]
    assert {json.loads(own.attrib["data-names"])[0] for own in lit} == {"body.17.conv2", "head"}
    pins = {text.text for own in lit for text in own.iter("text") if text.attrib.get("class") == "pin"}
    assert pins == {"1,3", "2"}
    titles = [own.find("title").text for own in nodes_of(svg)]
    assert "body.0.conv1 … body.39.conv1 (40): Conv2d, 3,600 parameters" in titles


def test_a_finding_in_a_function_lights_the_layer_that_it_lies_in():
    svg = drawing(GRAPHS["small"], {"body.1: relu 2": [1]})
    lit = [own for own in nodes_of(svg) if "lit" in own.attrib["class"].split()]
    assert all(json.loads(own.attrib["data-names"])[0].startswith("body.1") for own in lit)
    assert lit


def test_names_from_a_model_are_text():
    graph = {"nodes": [{"name": HOSTILE, "kind": HOSTILE, "parameters": 1}], "edges": []}
    (node,) = nodes_of(drawing(graph, {}))
    assert json.loads(node.attrib["data-names"]) == [HOSTILE]
    assert HOSTILE in node.find("title").text


def test_every_point_lies_within_the_picture():
    for graph in (*GRAPHS.values(), branches(5)):
        root = ElementTree.fromstring(drawing(graph, {}))
        left, top, width, height = map(float, root.attrib["viewBox"].split())
        for own in root.iter("rect"):
            x, y, across, down = (float(own.attrib[key]) for key in ("x", "y", "width", "height"))
            assert left <= x <= x + across <= left + width
            assert top <= y <= y + down <= top + height


def test_the_caption_tells_what_was_folded():
    said = described(GRAPHS["residual"], {})
    assert said.startswith("203 layers and functions in the order in which they run, the input at the bottom")
    assert "drawn as 8" in said
    assert "frame" not in described(GRAPHS["small"], {})
