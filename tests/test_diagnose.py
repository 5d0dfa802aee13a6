"""A model before it is trained: what is found by one batch, what is refused, and that nothing is another afterwards."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.test_diagnosis import Detached, holed, moons, net, raised, with_weights, zeros
from torch import nn

import actlab
from actlab.errors import InvalidData, InvalidModel, UnknownName


def codes(found):
    return [own["code"] for own in found.findings if own["severity"] == "warning"]


def noted():
    model = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
    F.cross_entropy(model(moons()[0]), moons()[1]).backward()
    model[1].eval()
    return model


def state(model, optimiser):
    tensors = {name: own.clone() for name, own in model.state_dict().items()}
    gradients = {name: own.grad.clone() for name, own in model.named_parameters() if own.grad is not None}
    modes = [own.training for own in model.modules()]
    hooks = [len(own._forward_hooks) + len(own._forward_pre_hooks) for own in model.modules()]
    kept = repr(optimiser.state_dict()) if optimiser else ""
    randoms = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    return tensors, gradients, modes, hooks, kept, randoms


@pytest.mark.parametrize("make", [None, torch.optim.Adam, lambda own: torch.optim.SGD(own, 0.1, momentum=0.9)])
def test_nothing_is_another_afterwards(make):
    torch.manual_seed(0)
    model = noted()
    optimiser = make(model.parameters()) if make else None
    if optimiser:
        optimiser.step()
    before = state(model, optimiser)
    actlab.diagnose(model, moons(), optimiser=optimiser)
    after = state(model, optimiser)
    for own, then in zip(before[:2], after[:2], strict=True):
        assert own.keys() == then.keys()
        assert all(torch.equal(own[name], then[name]) for name in own)
    assert before[2:5] == after[2:5]
    assert torch.equal(before[5][0], after[5][0])
    assert before[5][1:] == after[5][1:]


def test_a_healthy_model_is_left_in_peace_and_what_is_left_out_is_said():
    torch.manual_seed(0)
    found = actlab.diagnose(net(), moons(), optimiser=torch.optim.Adam)
    assert (found.findings, found.left_out, found.ok) == ((), (), True)
    assert found.loss == "cross_entropy, for classes"
    assert str(found) == "Nothing is found before training."
    without = actlab.diagnose(net(outputs=1), (moons()[0], torch.rand(256, 1)))
    assert without.findings == ()
    assert [own.split(":")[0] for own in without.left_out] == [
        "No optimiser is given", "No loss is given, and none is certain",
    ]  # fmt: skip


LOGITS = F.binary_cross_entropy_with_logits
SGD = torch.optim.SGD
FAULTS = {
    "softmax twice": (lambda: net(end=(nn.Softmax(1),)), {"loss": F.cross_entropy}, "softmax_twice"),
    "sigmoid twice": (
        lambda: net(outputs=1, end=(nn.Sigmoid(),)), {"loss": lambda o, y: LOGITS(o[:, 0], y.float())},
        "softmax_twice",
    ),
    "detached": (Detached, {"optimiser": torch.optim.Adam}, "detached"),
    "without gradients": (lambda: Detached(apart=True), {}, "detached"),
    "no function": (lambda: net(nn.Identity), {}, "no_function"),
    "zero": (lambda: with_weights(net(), zeros), {}, "units_alike"),
    "dropout": (lambda: nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.95), nn.Linear(16, 2)), {},
                "dropout_too_high"),
    "dead": (lambda: with_weights(net(depth=1), lambda layer: layer.bias.sub_(100)), {}, "dead_units"),
    "saturated": (lambda: with_weights(net(nn.Tanh), lambda layer: layer.weight.mul_(300)), {}, "saturated"),
    "too large": (lambda: with_weights(net(depth=6), lambda layer: layer.weight.mul_(12)), {}, "start_too_large"),
    "alike": (lambda: net(nn.Sigmoid, depth=12, width=16), {}, "vanishing_signal"),
    "NaN at the first step": (
        lambda: raised(net(end=(nn.ReLU(),)), -100.0), {"loss": lambda o, y: -o[range(len(y)), y].log().mean()},
        "loss_not_finite",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_before_training_is_found(name):
    torch.manual_seed(0)
    make, settings, code = FAULTS[name]
    found = actlab.diagnose(make(), moons(), **settings)
    assert codes(found)[:1] == [code], found
    assert str(found).splitlines()[0].endswith(f"[{code}]")
    assert not found.ok


def test_the_data_are_looked_at_too():
    torch.manual_seed(0)
    x, y = moons()
    assert codes(actlab.diagnose(net(), (holed(x), y)))[:1] == ["input_not_finite"]
    assert codes(actlab.diagnose(net(), (3000 * x, y)))[:1] == ["inputs_off_scale"]


def test_an_optimiser_that_holds_a_part_and_one_that_steps_far():
    torch.manual_seed(0)
    model = net()
    part = torch.optim.Adam(model[-1].parameters(), 0.01)
    found = actlab.diagnose(model, moons(), optimiser=part)
    assert codes(found) == ["not_in_optimiser"]
    far = actlab.diagnose(net(), moons(), optimiser=lambda own: torch.optim.Adam(own, 3.0))
    assert [(own["code"], own["severity"]) for own in far.findings] == [("rate_too_high", "info")]
    stranger = actlab.diagnose(net(), moons(), optimiser=torch.optim.Adam(net().parameters(), 0.01))
    assert "it holds no parameter of this model" in stranger.left_out[0]


class Named(nn.Module):
    """As models of other libraries are called: by names, with a loss among what they return."""

    def __init__(self):
        super().__init__()
        self.inner = net()

    def forward(self, x, labels=None):
        logits = self.inner(x)
        return {"logits": logits} | ({} if labels is None else {"loss": F.cross_entropy(logits, labels)})


def test_batches_come_in_many_forms():
    torch.manual_seed(0)
    x, y = moons()
    named = actlab.diagnose(Named(), {"x": x, "labels": y}, optimiser=torch.optim.Adam)
    assert (named.loss, named.findings) == ("the loss that the model returns", ())
    pairs = actlab.diagnose(net(), {"x": x, "y": y}, optimiser=torch.optim.Adam)
    arrays = actlab.diagnose(net(), (x.numpy(), y.numpy()), optimiser=torch.optim.Adam)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32, shuffle=True)
    first = actlab.diagnose(net(), loader, optimiser=torch.optim.Adam)
    assert all(own.loss == "cross_entropy, for classes" and not own.findings for own in (pairs, arrays, first))
    assert actlab.diagnose(net(), x).loss == "the outputs"


def test_probabilities_are_not_taken_for_logits():
    """What a model that ends in a softmax is trained with is not known."""
    torch.manual_seed(0)
    found = actlab.diagnose(net(end=(nn.Softmax(1),)), moons())
    assert (found.loss, codes(found)) == ("the outputs", [])


class Apart(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 4), nn.Linear(4, 2, device="meta")


X, Y = moons()
REFUSED = {
    "no parameters": (nn.ReLU(), (X, Y), {}, InvalidModel, "no parameters that train"),
    "two devices": (Apart(), (X, Y), {}, InvalidModel, r"on two devices \(cpu, meta\): bring it to one"),
    "no module": ([net()], (X, Y), {}, InvalidModel, "a PyTorch module is expected, not list"),
    "columns": (net(inputs=3), (X, Y), {}, InvalidData, r"does not fit the model: x is float32 of shape \(256, 2\)"),
    "types": (net(), (X.double(), Y), {}, InvalidData, r"x is float64 of shape \(256, 2\)"),
    "targets": (net(), (X, Y[:9]), {"loss": F.cross_entropy}, InvalidData,
                r"the output is float32 of shape \(256, 2\) and y is int64 of shape \(9,\)"),
    "many losses": (net(), (X, Y), {"loss": lambda o, y: F.cross_entropy(o, y, reduction="none")}, InvalidData,
                    r"one number as a tensor is expected, got float32 of shape \(256,\): take its mean"),
    "three parts": (net(), (X, X, Y), {}, InvalidData, "not 3 parts: name several inputs in a mapping"),
    "text": (net(), "moons", {}, InvalidData, r"\(x, y\), x or a mapping is expected, got 'moons'"),
    "code": (net(), (X, Y), {"mute": ["dead_unit"]}, UnknownName, "did you mean 'dead_units'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_a_sentence(name):
    model, batch, settings, error, match = REFUSED[name]
    with pytest.raises(error, match=match):
        actlab.diagnose(model, batch, **settings)


def test_a_model_that_is_watched_can_be_diagnosed():
    torch.manual_seed(0)
    model = net()
    with actlab.watch(model) as watch:
        assert actlab.diagnose(model, moons()).findings == ()
        assert watch.looks == []


def test_a_model_without_functions_has_that_said():
    found = actlab.diagnose(nn.Linear(2, 2), moons(), optimiser=torch.optim.Adam)
    assert found.findings == ()
    assert found.left_out == ("No activation function was seen: of units and signals nothing is said.",)


def test_a_loss_that_no_parameter_has_a_part_in():
    found = actlab.diagnose(net(), moons(), loss=lambda o, y: o.detach().mean())
    assert any("does not depend on any parameter" in own for own in found.left_out)
