"""Small PyTorch trainings of known faults, and healthy ones that look odd: what is said first, and where."""

from __future__ import annotations

import warnings as python_warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import actlab
from actlab.diagnosis import findings_of
from actlab.errors import ActlabWarning, InvalidModel
from actlab.watching.torch_watch import TorchWatch

STEPS = 101


def moons(samples=256, scale=1.0):
    """Two classes that no line parts."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.rand(samples, generator=generator) * torch.pi
    y = torch.arange(samples) % 2
    x = torch.stack([torch.cos(angle) + y, torch.sin(angle) * (1 - 2 * y) + 0.3 * y], dim=1)
    return scale * (x + 0.1 * torch.randn(samples, 2, generator=generator)), y


def net(function=nn.ReLU, depth=2, width=32, end=(), inputs=2, outputs=2):
    layers = []
    for i in range(depth):
        layers += [nn.Linear(inputs if i == 0 else width, width), function()]
    return nn.Sequential(*layers, nn.Linear(width, outputs), *end)


def steps(model, loss=F.cross_entropy, data=None, rate=0.01, optimiser=None, before=lambda model: None, zero=True,
          batch=64, count=STEPS):  # fmt: skip
    """What was found of a training, and its last loss."""
    x, y = data or moons()
    optimiser = optimiser or torch.optim.Adam([own for own in model.parameters() if own.requires_grad], rate)
    with TorchWatch(model, every=20) as watch:
        for step in range(count):
            rows = torch.arange(step * batch, (step + 1) * batch) % len(x)
            if zero:
                optimiser.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            before(model)
            optimiser.step()
    assert watch.stopped is None
    return findings_of(watch.looks)


def warnings(found):
    return [own["code"] for own in found if own["severity"] == "warning"]


def with_weights(model, change):
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                change(layer)
    return model


class Scaled(nn.Module):
    """Residual blocks that begin at nothing: a layer of zeros at the end of each, a factor for each unit."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 32), nn.Linear(32, 2)
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 32)) for _ in range(3)])
        self.factor = nn.Parameter(torch.ones(32, 1))
        for block in self.blocks:
            nn.init.zeros_(block[-1].weight)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + self.factor[:, 0] * block(x)
        return self.last(x)


class Product(nn.Module):
    """Two linear layers that multiply each other: a quadratic function, without a function's name."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(2, 32), nn.Linear(2, 32), nn.Linear(32, 2)

    def forward(self, x):
        return self.last(self.a(x) * self.b(x))


def held_still():
    """Batch normalisation that is kept as it is, as in fine-tuning, in a model that trains."""
    model = nn.Sequential(nn.Linear(2, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2)).train()
    model[1].eval()
    return model


def raised(model, bias=3.0):
    """With the output above zero from the start, or below."""
    with torch.no_grad():
        model[-2].bias.fill_(bias)
    return model


def zeros(layer):
    layer.weight.zero_()
    layer.bias.zero_()


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 32), nn.Linear(32, 2)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)).detach())


def holed(x):
    x = x.clone()
    x[3, 0] = float("nan")
    return x


def evaluated():
    model = nn.Sequential(nn.Linear(2, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
    return model.eval()


FAULTS = {
    "NaN in the data": (lambda: steps(net(), data=(holed(moons()[0]), moons()[1])), "input_not_finite", None),
    "logarithm of zero": (
        lambda: steps(raised(net(end=(nn.ReLU(),)), -100.0), lambda o, y: -o[range(len(y)), y].log().mean(), count=9),
        "loss_not_finite", None,
    ),
    "missing zero_grad": (lambda: steps(net(), zero=False), "missing_zero_grad", None),
    "detached": (lambda: steps(Detached()), "detached", "first"),
    "frozen by mistake": (
        lambda: (model := net()) and steps(model, optimiser=torch.optim.Adam(model[-1].parameters(), 0.01)),
        "not_in_optimiser", "0",
    ),
    "softmax twice": (lambda: steps(net(end=(nn.Softmax(1),))), "softmax_twice", None),
    "sigmoid twice": (
        lambda: steps(net(end=(nn.Sigmoid(),), outputs=1),
                      lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], y.float())),
        "softmax_twice", None,
    ),
    "ReLU before the loss": (lambda: steps(net(end=(nn.ReLU(),))), "function_before_loss", None),
    "logits as log-probabilities": (lambda: steps(net(), F.nll_loss), "no_log_probabilities", None),
    "evaluation": (lambda: steps(evaluated()), "evaluating", "1"),
    "all weights zero": (lambda: steps(with_weights(net(), zeros)), "units_alike", "0"),
    "all weights alike": (
        lambda: steps(with_weights(net(), lambda layer: layer.weight.fill_(0.1))), "units_alike", "0",
    ),
    "no function": (lambda: steps(net(nn.Identity)), "no_function", None),
    "dropout of 0.95": (
        lambda: steps(nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Dropout(0.95), nn.Linear(32, 2))),
        "dropout_too_high", "2",
    ),
    "clipped to nothing": (
        lambda: steps(net(), before=lambda model: nn.utils.clip_grad_norm_(model.parameters(), 1e-5)), "clipped", None,
    ),
    "start too large": (
        lambda: steps(with_weights(net(depth=6), lambda layer: layer.weight.mul_(12)), rate=1e-4), "start_too_large",
        "1",
    ),
    "rate too high": (lambda: steps(net(nn.Tanh, depth=3), rate=5.0), "rate_too_high", None),
    "rate too low": (lambda: steps(net(), rate=1e-7), "rate_too_low", None),
    "dead from the start": (
        lambda: steps(with_weights(net(depth=1), lambda layer: layer.bias.sub_(100))), "dead_units", "1",
    ),
    "saturated": (
        lambda: steps(with_weights(net(nn.Tanh, depth=3), lambda layer: layer.weight.mul_(300)), rate=1e-5),
        "saturated", "1",
    ),
    "vanishing": (lambda: steps(net(nn.Sigmoid, depth=12, width=16), rate=1e-3), "vanishing_signal", None),
    "labels without a meaning": (
        lambda: steps(net(), data=(torch.randn(4096, 2), torch.randint(0, 2, (4096,))), rate=1e-3), "learns_nothing",
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_said_first_and_where(name):
    torch.manual_seed(0)
    train, code, layer = FAULTS[name]
    found = train()
    assert warnings(found)[:1] == [code], found
    first = next(own for own in found if own["severity"] == "warning")
    assert layer is None or first["layer"] == layer
    assert first["cause"] is None
    assert first["help"].endswith(".")
    assert first["sentence"].endswith(".")
    assert all(own["cause"] == code for own in found if own["severity"] == "warning" and own is not first)


def frozen():
    model = net(depth=3)
    for own in model[0].parameters():
        own.requires_grad_(False)
    return model


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 2)
        self.gamma = nn.Parameter(torch.zeros(32, 1))

    def forward(self, x):
        x = F.gelu(self.first(x))
        return self.last(x + self.gamma[:, 0] * torch.relu(self.inner(x)))


def targets(scale, shift=0.0):
    x, _ = moons()
    return x, (scale * (x[:, :1] * x[:, 1:]) + shift)


HEALTHY = {
    "ReLU": lambda: steps(net()),
    "in place": lambda: steps(net(lambda: nn.ReLU(inplace=True))),
    "ELU": lambda: steps(net(nn.ELU)),
    "GELU, deep": lambda: steps(net(nn.GELU, depth=5)),
    "batch normalisation": lambda: steps(
        nn.Sequential(nn.Linear(2, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(),
                      nn.Linear(32, 2))
    ),
    "residual with zero gamma": lambda: steps(Residual()),
    "frozen on purpose": lambda: steps(frozen()),
    "dropout of a half": lambda: steps(nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2))),
    "small batches": lambda: steps(net(), batch=4, count=301),
    "a loss in the millions": lambda: steps(net(outputs=1), F.mse_loss, targets(3e3), rate=0.05, count=401),
    "outputs that are positive": lambda: steps(
        raised(net(outputs=1, end=(nn.ReLU(),))), F.mse_loss, targets(1.0, 3.0), count=201
    ),
    "a linear bottleneck": lambda: steps(
        nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 4), nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    ),
    "clipped now and then": lambda: steps(net(), before=lambda m: nn.utils.clip_grad_norm_(m.parameters(), 1.0)),
    "too early to say": lambda: steps(net(), rate=1e-5, count=20),
    "blocks that begin at nothing": lambda: steps(Scaled()),
    "a product": lambda: steps(Product()),
    "normalisation held still": lambda: steps(held_still()),
    "a logarithm written another way": lambda: steps(
        net(end=(nn.Softmax(1),)), lambda o, y: F.nll_loss(o.clamp_min(1e-6).log(), y)
    ),
    "softmax and logarithm": lambda: steps(net(end=(nn.LogSoftmax(1),)), F.nll_loss),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_networks_are_left_in_peace(name):
    torch.manual_seed(0)
    assert warnings(HEALTHY[name]()) == []


def test_nothing_is_said_of_nothing():
    assert findings_of([]) == []


def test_what_is_wrong_is_told_once_with_what_helps():
    torch.manual_seed(0)
    model = net(end=(nn.Softmax(1),))
    x, y = moons()
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    with python_warnings.catch_warnings(record=True) as seen, actlab.watch(model) as watch:
        python_warnings.simplefilter("always")
        for _ in range(8):
            optimiser.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimiser.step()
    (told,) = [own for own in seen if issubclass(own.category, ActlabWarning)]
    assert str(told.message) == (
        "The model ends in a softmax, and the loss applies another one: what is learnt hardly moves it. Take the "
        "softmax out of the model: cross_entropy applies one by itself. [softmax_twice]"
    )
    assert [own["code"] for own in watch.findings] == ["softmax_twice"]
    assert watch.stopped is None


def test_findings_can_be_muted_and_other_things_are_no_models():
    torch.manual_seed(0)
    model = net(end=(nn.Softmax(1),))
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    x, y = moons()
    with actlab.watch(model, mute=["softmax_twice"], include="1") as watch:
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
    assert watch.findings == []
    assert [own.name for own in watch.looks[0].functions] == ["1"]
    with pytest.raises(InvalidModel, match=r"or a flax\.nnx\.Module is expected, not list"):
        actlab.watch([model])


def test_two_models_that_train_against_each_other_are_left_in_peace():
    """The gradients of one are still there when the other goes back through it, and zeroed before its own."""
    torch.manual_seed(0)
    maker, critic = net(depth=1, outputs=2), net(depth=1, outputs=1)
    making, judging = (torch.optim.Adam(model.parameters(), 1e-3) for model in (maker, critic))
    real, _ = moons(64)
    entropy = F.binary_cross_entropy_with_logits
    with TorchWatch(critic) as watch:
        for _ in range(12):
            fake = maker(torch.randn(64, 2))
            judging.zero_grad()
            said = critic(torch.cat([real, fake.detach()]))
            entropy(said[:, 0], torch.cat([torch.ones(64), torch.zeros(64)])).backward()
            judging.step()
            making.zero_grad()
            entropy(critic(fake)[:, 0], torch.ones(64)).backward()
            making.step()
    assert watch.stopped is None
    assert "missing_zero_grad" not in warnings(findings_of(watch.looks))
