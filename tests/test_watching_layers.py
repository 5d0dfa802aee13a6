"""The graph of layers that a forward pass shows: against torch.fx, which traces the same models in another way."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.utils.checkpoint import checkpoint

from actlab.watching.torch_layers import LayerTracer, graph_of
from actlab.watching.torch_watch import TorchWatch


class Residual(nn.Module):
    """Two convolutions beside a shortcut, with functions of all kinds between."""

    def __init__(self, channels=4):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        y = self.conv2(self.act(self.norm(self.conv1(x))))
        y += self.shortcut(x)
        return F.gelu(y)


def residual():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), Residual(), Residual(), nn.Flatten(), nn.Linear(144, 3))


def named(graph):
    """Pairs of names that are joined."""
    names = [node["name"] for node in graph["nodes"]]
    return {(names[start], names[end]) for start, end in graph["edges"]}


def by_fx(model):
    """The same of modules alone by torch.fx: which goes into which, whatever lies between."""
    traced = fx.symbolic_trace(model).graph
    inputs = {}

    def before(node):
        found = set()
        for other in node.all_input_nodes:
            found |= {other.target} if other.op == "call_module" else before(other)
        return found or {"input"}

    for node in traced.nodes:
        if node.op == "call_module":
            inputs[node.target] = before(node)
    return inputs


def modules_before(graph):
    """Of each module those that go into it, through what is no module."""
    nodes, before = graph["nodes"], {}
    for start, end in graph["edges"]:
        before.setdefault(end, set()).add(start)
    functions = {k for k, node in enumerate(nodes) if node["kind"] in ("+", "gelu")}

    def those(place):
        found = set()
        for own in before.get(place, ()):
            found |= those(own) if own in functions else {nodes[own]["name"]}
        return found

    return {node["name"]: those(k) for k, node in enumerate(nodes) if k not in functions and node["kind"] != "input"}


def test_a_residual_network_is_that_of_fx():
    model = residual()
    graph = graph_of(model, lambda: model(torch.randn(2, 1, 8, 8)))
    assert modules_before(graph) == by_fx(model)
    pairs = named(graph)
    assert {("1.conv2", "1: +"), ("1.shortcut", "1: +"), ("1: +", "1: gelu"), ("1: gelu", "2.conv1")} <= pairs
    assert sum(node["parameters"] for node in graph["nodes"]) == sum(own.numel() for own in model.parameters())
    assert json.loads(json.dumps(graph)) == graph


def test_attention_is_one_layer_and_both_sums_of_a_transformer_are_seen():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), 2)
    graph = graph_of(model, lambda: model(torch.randn(2, 3, 8)))
    kinds = [node["kind"] for node in graph["nodes"]]
    assert kinds.count("MultiheadAttention") == 2
    assert kinds.count("+") == 4
    assert kinds.count("relu") == 2
    names = {node["name"] for node in graph["nodes"]}
    assert not any("out_proj" in name for name in names)
    assert ("layers.0.norm2", "layers.1.self_attn") in named(graph)
    assert sum(node["parameters"] for node in graph["nodes"]) == sum(own.numel() for own in model.parameters())


def test_a_module_called_twice_is_two_nodes_of_one_name_and_counted_once():
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.Tanh(), shared)
    graph = graph_of(model, lambda: model(torch.randn(2, 3)))
    assert [(node["name"], node["parameters"], node.get("call")) for node in graph["nodes"]] == [
        ("input", 0, None),
        ("0", 12, None),
        ("1", 0, None),
        ("0", 0, 2),
    ]
    assert graph["edges"] == [[0, 1], [1, 2], [2, 3]]


class Parts(nn.Module):
    """Layers that give tuples, that do not run, and that are joined in other ways."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 4, batch_first=True)
        self.left, self.right, self.never = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)

    def forward(self, x):
        out, (hidden, _) = self.rnn(self.frozen(x))
        gated = torch.sigmoid(self.left(out)) * self.right(out)
        return torch.cat([gated.mean(1), hidden[0]], dim=-1)


def test_tuples_gates_frozen_layers_and_those_that_do_not_run():
    model = Parts()
    graph = graph_of(model, lambda: model(torch.randn(2, 3, 4)))
    pairs = named(graph)
    assert {("input", "frozen"), ("frozen", "rnn"), ("rnn", "left"), ("rnn", "right"), ("left", "sigmoid")} <= pairs
    assert {("sigmoid", "×"), ("right", "×"), ("×", "cat"), ("rnn", "cat")} <= pairs
    assert "never" not in {node["name"] for node in graph["nodes"]}


def test_what_a_function_of_ones_own_hides_is_found_by_pytorchs_graph():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            return 2 * gradient

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 1)

        def forward(self, x):
            return self.second(Twice.apply(self.first(x)))

    model = Model()
    assert ("first", "second") in named(graph_of(model, lambda: model(torch.randn(2, 3))))


def test_checkpointed_layers_are_seen_once():
    first, second = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Linear(3, 1)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = first, second

        def forward(self, x):
            return self.second(checkpoint(self.first, x, use_reentrant=False))

    model = Model()
    with LayerTracer(model) as tracer:
        model(torch.randn(2, 3)).sum().backward()
    assert [node["name"] for node in tracer.graph["nodes"]] == ["input", "first.0", "first.1", "second"]


def trained(steps, traced):
    torch.manual_seed(3)
    model = nn.Sequential(residual(), nn.Dropout(0.3), nn.Linear(3, 2))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    tracer = LayerTracer(model)
    if traced:
        tracer.__enter__()
    for step in range(steps):
        loss = model(torch.randn(4, 1, 8, 8)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step == 0:
            tracer.remove()
    return [own.detach().numpy().tobytes() for own in model.state_dict().values()], torch.get_rng_state(), tracer


def test_a_training_ends_with_the_same_bytes_and_random_numbers():
    plain, state, _ = trained(3, traced=False)
    traced, after, tracer = trained(3, traced=True)
    assert tracer.graph is not None
    assert traced == plain
    assert torch.equal(state, after)


def test_nothing_is_kept_and_no_hook_is_left():
    from torch.nn.modules import module as hooks

    before = len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)
    model, kept = residual(), []
    model[0].register_forward_hook(lambda module, inputs, output: kept.append(weakref.ref(output)))
    with LayerTracer(model) as tracer:
        output = model(torch.randn(2, 1, 8, 8))
    assert (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)) == before
    assert kept[0]() is not None or output.grad_fn is not None
    del output
    gc.collect()
    assert kept[0]() is None
    assert tracer.graph


def test_what_fails_in_it_ends_the_tracing_and_not_the_training(monkeypatch):
    monkeypatch.setattr(LayerTracer, "_node", lambda *_: 1 / 0)
    model = residual()
    with LayerTracer(model) as tracer:
        output = model(torch.randn(2, 1, 8, 8))
    assert output.shape == (2, 3)
    assert tracer.graph is None
    assert tracer.failed == "ZeroDivisionError: division by zero"


def test_a_model_that_raises_leaves_nothing_behind():
    model = residual()
    with pytest.raises(RuntimeError, match="channels"), LayerTracer(model):
        model(torch.randn(2, 5, 8, 8))
    assert len(torch.overrides._get_current_function_mode_stack()) == 0
    with LayerTracer(model) as tracer:
        model(torch.randn(2, 1, 8, 8))
    assert len(tracer.graph["nodes"]) == 18


def test_beside_a_watch_both_see_what_they_see_alone():
    def looks(traced):
        torch.manual_seed(1)
        model = residual()
        optimiser = torch.optim.SGD(model.parameters(), 0.01)
        tracer = LayerTracer(model)
        with TorchWatch(model) as watch:
            if traced:
                tracer.__enter__()
            for _ in range(2):
                loss = model(torch.randn(4, 1, 8, 8)).square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                tracer.remove()
        return watch.looks, tracer.graph

    alone, _ = looks(traced=False)
    beside, graph = looks(traced=True)
    assert len(graph["nodes"]) == 18
    for one, other in zip(alone, beside, strict=True):
        assert [own.name for own in one.functions] == [own.name for own in other.functions]
        assert [own.rms for own in one.functions] == [own.rms for own in other.functions]
        assert [own.gradient_norm for own in one.weights] == [own.gradient_norm for own in other.weights]
    assert {own.name for own in alone[0].functions} <= {node["name"] for node in graph["nodes"]}


def test_a_pass_without_gradients_is_not_the_training():
    model = residual()
    with LayerTracer(model) as tracer:
        with torch.no_grad():
            model(torch.randn(2, 1, 8, 8))
        assert tracer.graph is None
        model(torch.randn(2, 1, 8, 8))
        model(torch.randn(2, 1, 8, 8))
    assert len(tracer.graph["nodes"]) == 18


def test_a_network_that_is_unrolled_without_end_has_no_graph():
    cell = nn.Linear(2, 2)

    class Unrolled(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x):
            for _ in range(2100):
                x = self.cell(x)
            return x

    model = Unrolled()
    with LayerTracer(model) as tracer:
        model(torch.ones(1, 2))
    assert tracer.graph is None
    assert "more than 2,000 layers" in tracer.failed
