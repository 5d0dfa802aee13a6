"""Small PyTorch trainings of known faults, and healthy ones that look odd: what is said first, and where."""

from __future__ import annotations

import ast
import json
import warnings as python_warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import actlab
from actlab.diagnosis import Judge, findings_of, verdict_of
from actlab.errors import ActlabWarning, InvalidModel, UnknownName
from actlab.statistics.findings.codes import CODES
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
    def __init__(self, *, apart=False):
        super().__init__()
        self.first, self.last, self.apart = nn.Linear(2, 32), nn.Linear(32, 2), apart

    def forward(self, x):
        with torch.set_grad_enabled(not self.apart):
            hidden = torch.relu(self.first(x))
        return self.last(hidden.detach())


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 32), nn.Linear(32, 2)

    def forward(self, x):
        return self.last(F.dropout(torch.relu(self.first(x)), 0.95, self.training))


def holed(x, row=3):
    x = x.clone()
    x[row, 0] = float("nan")
    return x


def huge():
    x = torch.randn(256, 8, generator=torch.Generator().manual_seed(1))
    x[:, :2] = moons()[0]
    x[:, 5] *= 1e4
    return x


def one_hot(output, y):
    return F.mse_loss(output[:, 0], y.float())


def in_half(size):
    """A loss so small that its gradient is lost in float16."""
    model = net(width=32)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    half = torch.autocast("cpu", dtype=torch.float16)

    def loss(output, y):
        return size * F.cross_entropy(output.float(), y)

    plain = model.forward
    model.forward = lambda x: half(plain)(x)
    return steps(model, loss, optimiser=optimiser)


def frozen_dead():
    """A first layer that says nothing, and is frozen: the rest learns no more than the shares of the classes."""
    model = net(depth=2)
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(32, 1).expand(32, 2) * torch.tensor([1e-2, -1e-2]))
    for own in model[0].parameters():
        own.requires_grad_(False)
    return model


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
        lambda: (model := net()) and steps(
            model, before=lambda model: nn.utils.clip_grad_norm_(model.parameters(), 1e-5),
            optimiser=torch.optim.SGD(model.parameters(), 0.1),
        ),
        "clipped", None,
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
    "NaN in the targets": (
        lambda: steps(net(outputs=1), F.mse_loss, (moons()[0], holed(targets(1.0)[1]))), "input_not_finite", None,
    ),
    "NaN in a batch between two looks": (
        lambda: steps(net(), data=(holed(moons(1024)[0], 450), moons(1024)[1]), count=31), "input_not_finite", None,
    ),
    "inputs in thousands": (lambda: steps(net(nn.Tanh), data=moons(scale=3000.0)), "inputs_off_scale", None),
    "one huge feature": (lambda: steps(net(inputs=8), data=(huge(), moons()[1])), "inputs_off_scale", None),
    "inputs far from zero": (lambda: steps(net(), data=(moons()[0] + 60, moons()[1])), "inputs_off_scale", None),
    "sigmoid before cross-entropy": (lambda: steps(net(end=(nn.Sigmoid(),))), "softmax_twice", None),
    "probabilities as their logarithms": (
        lambda: steps(net(end=(nn.Softmax(1),)), F.nll_loss), "no_log_probabilities", None,
    ),
    "targets that a sigmoid does not reach": (
        lambda: steps(net(outputs=1, end=(nn.Sigmoid(),)), F.mse_loss, targets(3.0)), "targets_out_of_reach", None,
    ),
    "a saturated sigmoid and a squared loss": (
        lambda: steps(raised(net(outputs=1, end=(nn.Sigmoid(),)), -12.0), one_hot, rate=1e-3), "loss_does_not_suit",
        "5",
    ),
    "weight decay": (
        lambda: (model := net()) and steps(
            model, optimiser=torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.5), count=201
        ),
        "decay_too_strong", None,
    ),
    "lost in half precision": (lambda: in_half(1e-6), "underflow", None),
    "one class in twenty": (
        lambda: steps(net(), data=(torch.randn(4096, 2), (torch.rand(4096) < 0.04).long())), "class_imbalance", None,
    ),
    "a rate of zero": (
        lambda: (model := net()) and steps(model, optimiser=torch.optim.SGD(
            [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[2:].parameters()}], 0.1)),
        "rate_of_zero", "0",
    ),
    "frozen, and nothing learnt": (lambda: steps(frozen_dead(), rate=1e-3), "frozen_layers", "0"),
    "a part without gradients": (lambda: steps(Detached(apart=True)), "detached", "first"),
    "dropout as a function": (lambda: steps(Dropping()), "dropout_too_high", None),
    "a batch of one": (
        lambda: steps(nn.Sequential(nn.Unflatten(1, (1, 1, 2)), nn.Conv2d(1, 8, 1), nn.BatchNorm2d(8), nn.ReLU(),
                                    nn.Flatten(), nn.Linear(16, 2)), batch=1),
        "single_sample", "2",
    ),
    "the start overflows": (
        lambda: steps(with_weights(net(depth=9), lambda layer: layer.weight.mul_(1e6)), rate=1e-4), "start_too_large",
        None,
    ),
    "steps that run away": (
        lambda: (model := net(outputs=1)) and steps(
            model, F.mse_loss, targets(1.0), optimiser=torch.optim.SGD(model.parameters(), 1e3)
        ),
        "rate_too_high", None,
    ),
    "labels without a meaning": (
        lambda: steps(net(), data=(torch.randn(4096, 2), torch.randint(0, 2, (4096,))), rate=1e-3, count=141),
        "labels_unlearnable", None,
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
    assert {own["code"] for own in found} <= set(CODES)
    assert all(set(own["evidence"].get("thresholds", ())) is not None for own in found)
    json.dumps(found)


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


def looks_of(model, loss=F.cross_entropy, count=STEPS, rate=0.01, schedule=None, data=None, every=20):
    x, y = data or moons()
    optimiser = torch.optim.Adam(model.parameters(), rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule) if schedule else None
    with TorchWatch(model, every=every) as watch:
        for _ in range(count):
            optimiser.zero_grad()
            loss(model(x), y).backward()
            optimiser.step()
            if scheduler:
                scheduler.step()
    assert watch.stopped is None
    return watch.looks


def test_a_verdict_says_what_is_known():
    torch.manual_seed(0)
    assert verdict_of(looks_of(net())).state == "healthy"
    assert verdict_of(looks_of(net(), count=10)).state == "too_early"
    twice = verdict_of(looks_of(net(end=(nn.Softmax(1),)), count=10))
    assert (twice.state, twice.findings[0]["code"]) == ("faulty", "softmax_twice")
    assert twice.sentence == twice.findings[0]["sentence"]
    unknown = verdict_of(looks_of(net(), lambda o, y: (o[:, 0] - y).abs().sqrt().mean()))
    assert unknown.state == "unknown"
    assert unknown.sentence == (
        "Whether the network learns cannot be told: its loss is one of your own, whose best constant answer is not "
        "known."
    )


def test_a_warm_up_is_too_early_to_say():
    """A rate that rises from next to nothing looks like one that is too low, until it has risen."""
    torch.manual_seed(0)
    looks = looks_of(net(), count=121, rate=1e-2, schedule=lambda step: min(1e-6 * 1.1**step, 1.0))
    assert verdict_of(looks).state == "too_early"
    assert warnings(findings_of(looks)) == []
    same = looks_of(net(), count=121, rate=1e-8)
    assert warnings(findings_of(same)) == ["rate_too_low"]


def test_two_looks_say_what_is_told_by_measure_and_three_take_it_back():
    torch.manual_seed(0)
    bad = [look for look in looks_of(net(), rate=1e-7, count=141) if look.step >= 20]
    good = looks_of(net(), rate=1e-2, count=241)
    good = [replace(look, step=look.step + 200) for look in good if look.step >= 100]
    assert len(bad) > 4
    assert len(good) > 4
    judge, said = Judge(), []
    for look in [*bad, *good]:
        judge.add(look)
        said.append((look.step, warnings(judge.findings)))
    assert said[0] == (20, [])
    assert said[1:3] == [(30, []), (40, ["rate_too_low"])]
    assert all(codes == ["rate_too_low"] for _, codes in said[2 : len(bad)])
    assert [codes for _, codes in said[len(bad) :]] == [["rate_too_low"]] * 2 + [[]] * (len(good) - 2)


def test_of_a_long_training_no_more_is_read_than_of_a_short_one():
    torch.manual_seed(0)
    looks = looks_of(net(), count=201, every=5)
    judge = Judge()
    for look in looks:
        judge.add(look)
    assert len(judge._first) + len(judge._last) < len(looks)
    assert judge.findings == []


def test_penalties_are_no_part_of_what_a_constant_answer_has():
    """A loss with a large penalty, of a network that learns."""
    torch.manual_seed(0)
    model = net()
    looks = looks_of(model, lambda o, y: F.cross_entropy(o, y) + 100.0 + 0 * model[0].weight.square().sum())
    assert looks[-1].loss > 100
    assert verdict_of(looks).state == "healthy"


def test_faults_that_have_nothing_to_do_with_each_other_are_both_causes():
    torch.manual_seed(0)
    found = steps(nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Dropout(0.95), nn.Linear(32, 2), nn.Softmax(1)))
    assert [(own["code"], own["cause"]) for own in found] == [("softmax_twice", None), ("dropout_too_high", None)]


def test_codes_to_mute_are_checked():
    with pytest.raises(UnknownName, match=r"unknown finding 'rate_to_low': did you mean 'rate_too_low'\?"):
        actlab.watch(net(), mute=["rate_to_low"])


def test_a_muted_cause_leaves_what_followed_from_it():
    torch.manual_seed(0)
    looks = looks_of(with_weights(net(), zeros))
    judge = Judge()
    for look in looks:
        judge.add(look)
    assert judge.verdict().findings[0]["code"] == "units_alike"
    left = judge.verdict({"units_alike"}).findings
    assert left[0]["code"] == "dead_units"
    assert left[0]["cause"] is None


SOURCES = Path(actlab.__file__).parent


def codes_in_source():
    """Codes of findings that are made anywhere: what `finding`, `made` and dictionaries are given."""
    makers, found = {"finding", "made"}, set()
    for path in [*(SOURCES / "diagnosis").glob("*.py"), *(SOURCES / "statistics").rglob("*.py"),
                 *(SOURCES / "laboratory").glob("*.py")]:  # fmt: skip
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            strings = []
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in makers:
                strings = [node.args[0]]
            elif isinstance(node, ast.Dict):
                strings = [v for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", 0) == "code"]
            elif isinstance(node, ast.Assign) and "code" in {
                getattr(target, "id", "") for part in node.targets for target in getattr(part, "elts", [part])
            }:
                strings = [node.value]
            for own in strings:
                first = own.elts[0] if isinstance(own, ast.Tuple) else own
                parts = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                found |= {
                    part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    return found


def test_every_code_is_in_the_table_and_is_found_somewhere():
    assert codes_in_source() == set(CODES)


def test_weights_that_are_lost_after_the_last_look_are_told_at_the_end():
    torch.manual_seed(0)
    model, x = net(), moons()[0]
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    with actlab.watch(model) as watch:
        for step in range(15):
            optimiser.zero_grad()
            output = torch.softmax(model(x), 1)[:, 0]
            (output if step < 13 else 0 * output).log().mean().backward()
            optimiser.step()
        assert watch.findings == []
        with pytest.warns(ActlabWarning, match=r"At the end, after 15 steps, the weights are no numbers"):
            watch.remove()
    assert warnings(watch.findings) == ["loss_not_finite"]


def test_a_logarithm_next_to_zero_is_told_before_it_is_infinite():
    torch.manual_seed(0)
    model = with_weights(net(), lambda layer: layer.weight.mul_(8))
    found = steps(model, lambda o, y: -torch.softmax(o, 1).log()[range(len(y)), y].mean(), count=1, batch=256)
    assert warnings(found) == ["loss_not_finite"]
    assert 0 < found[0]["evidence"]["logarithm_of"] < found[0]["evidence"]["thresholds"]["logarithm_of"]
    near = steps(net(), lambda o, y: -(torch.softmax(30 * o, 1)[range(len(y)), y] + 1e-6).log().mean())
    assert warnings(near) == []


def test_networks_against_each_other_in_one_module_are_left_in_peace():
    torch.manual_seed(0)
    both = nn.ModuleDict(
        {
            "maker": nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2)),
            "critic": nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1)),
        }
    )
    x, _ = moons()
    own, other = (torch.optim.Adam(both[name].parameters(), 1e-3) for name in ("critic", "maker"))
    loss = nn.BCEWithLogitsLoss()
    with TorchWatch(both, every=10) as watch:
        for step in range(120):
            real = x[torch.randint(0, len(x), (64,))]
            made = both["maker"](torch.randn(64, 4))
            own.zero_grad()
            real_or_not = (
                loss(both["critic"](real), torch.ones(64, 1)),
                loss(both["critic"](made.detach()), torch.zeros(64, 1)),
            )
            sum(real_or_not).backward()
            own.step()
            if step % 2:
                other.zero_grad()
                loss(both["critic"](made), torch.ones(64, 1)).backward()
                other.step()
    assert warnings(findings_of(watch.looks)) == []


def test_a_generator_whose_targets_are_all_alike_has_no_constant_to_beat():
    torch.manual_seed(0)
    maker = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2))
    critic = nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
    x, _ = moons()
    own, other = (torch.optim.Adam(model.parameters(), 1e-3) for model in (critic, maker))
    loss = nn.BCEWithLogitsLoss()
    with TorchWatch(maker, every=10) as watch:
        for _ in range(150):
            real, made = x[torch.randint(0, len(x), (64,))], maker(torch.randn(64, 4))
            own.zero_grad()
            (loss(critic(real), torch.ones(64, 1)) + loss(critic(made.detach()), torch.zeros(64, 1))).backward()
            own.step()
            other.zero_grad()
            loss(critic(made), torch.ones(64, 1)).backward()
            other.step()
    assert warnings(findings_of(watch.looks)) == []
    assert not watch.looks[-1].constant.loss > 0
