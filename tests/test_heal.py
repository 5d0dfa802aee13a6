"""A training that goes wrong, healed: what repairs is found and proved, and nothing is left behind."""

from __future__ import annotations

import gc
import json
import math
import random
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import optimizer as optimisers

import actlab
from actlab.errors import InvalidModel, UnknownName
from actlab.laboratory.healing import calls, layers, loop
from actlab.laboratory.healing.outcome import Try, reach_of, tried
from actlab.laboratory.healing.remedy import DoesNotApply
from actlab.laboratory.healing.trial import Job, Trained, is_ahead, trained
from actlab.watching.torch_functions import FUNCTIONS

STEPS = 60


def data(seed=0, samples=128):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, 2, generator=generator)
    return x, (x[:, 0] + x[:, 1] > 0).long()


def build(function=nn.ReLU):
    return nn.Sequential(nn.Linear(2, 12), function(), nn.Linear(12, 12), function(), nn.Linear(12, 2))


def shifted(bias):
    """All hidden units dead where the bias is far below zero."""
    model = build()
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.bias, bias)
    return model


def accuracy(model):
    x, y = data(1)
    model.eval()
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


def fit(
    model, seed, *, rate=0.02, optimiser=torch.optim.Adam, zero=True, steps=STEPS, loss=F.cross_entropy, **settings
):
    x, y = data()
    own = optimiser(model.parameters(), rate, **settings)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(x), (32,), generator=generator)
        if zero:
            own.zero_grad()
        loss(model(x[chosen]), y[chosen]).backward()
        own.step()
    return accuracy(model)


dead, healthy = partial(shifted, -20.0), (build, fit)


def process_state():
    """What a remedy could leave changed in the process."""
    hooks = optimisers._global_optimizer_pre_hooks, optimisers._global_optimizer_post_hooks
    return (
        torch.autograd.backward, torch.no_grad.__enter__, torch.autocast.__enter__, nn.utils.clip_grad_norm_,
        nn.utils.clip_grad_value_, nn.utils.clip_grad.clip_grad_value_, nn.utils.clip_grad._clip_grads_with_norm_,
        *(tuple(own) for own in hooks), torch.overrides._get_current_function_mode_stack(),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = process_state()
    yield
    assert process_state() == before


def test_dead_units_are_repaired_and_the_line_is_said():
    found = actlab.heal(dead, fit, twin=healthy)
    assert found.repaired is True
    assert found.ok
    assert found.remedy.codes == ("default_start",)
    assert "reset_parameters" in found.line
    assert found.seeds == (1, 2, 3)
    # Against the scores that the same loops give without actlab, in the same seeds.
    for seed, untreated, twin, score in zip(found.seeds, found.untreated, found.twin, found.remedy.scores, strict=True):
        torch.manual_seed(seed)
        assert untreated == fit(dead(), seed)
        torch.manual_seed(seed)
        assert twin == fit(build(), seed)
        assert score > untreated
    text = str(found)
    assert "repaired in" in text
    assert "healthy twin" in text
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["remedy"] == ["default_start"]


def test_without_a_target_or_twin_it_is_never_called_repaired():
    found = actlab.heal(dead, fit)
    assert found.repaired is None
    assert all(own.repaired is None for own in found.tries)
    assert found.remedy.is_better
    assert "repaired" not in str(found).replace("when it is repaired", "")
    assert "better by" in str(found)
    assert not found.ok


def test_a_target_out_of_reach_is_not_reached():
    found = actlab.heal(dead, fit, target=1.01, most_tries=2)
    assert found.repaired is False
    assert not found.ok
    assert found.remedy.reached == 0
    assert "does not repair" in str(found)


def test_a_healthy_training_is_left_alone():
    trainings = []

    def train(model, seed):
        trainings.append(seed)
        return fit(model, seed)

    found = actlab.heal(build, train, twin=healthy)
    assert trainings == [0]
    assert (found.tries, found.repaired, found.line, found.ok) == ((), None, "", True)
    assert "No change was tried." in str(found)


def test_what_is_muted_is_left_alone_and_unknown_codes_are_refused():
    found = actlab.heal(dead, fit, mute=["dead_units", "vanishing_signal", "learns_nothing", "vanishing_gradient"])
    assert found.tries == ()
    with pytest.raises(UnknownName, match="dead_units"):
        actlab.heal(dead, fit, mute=["dead_unit"])


def test_lower_scores_may_be_better():
    def train(model, seed):
        return {"error": 1 - fit(model, seed), "other": 5.0}

    found = actlab.heal(dead, train, twin=(build, train), better="lower", metric="error")
    assert found.repaired is True
    assert found.remedy.difference > 0
    assert max(found.remedy.scores) < min(found.untreated)


def test_a_train_that_raises_in_one_seed_is_told_and_others_go_on():
    def train(model, seed):
        if seed == 2:
            raise RuntimeError("no such file")
        return fit(model, seed)

    found = actlab.heal(dead, train, twin=healthy)
    assert math.isnan(found.untreated[1])
    assert found.remedy.errors == ("", "train raised RuntimeError: no such file", "")
    assert found.repaired is True
    assert found.remedy.reached == 2


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (lambda model, seed: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda model, seed: 0.5, "no optimiser that holds its parameters made a step"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(train, sentence):
    with pytest.raises(InvalidModel, match=sentence):
        actlab.heal(build, train)


@pytest.mark.parametrize("given", [{"seeds": 1}, {"better": "more"}])
def test_wrong_arguments_are_refused(given):
    with pytest.raises(InvalidModel, match=next(iter(given))):
        actlab.heal(build, fit, **given)


def remedy(function, *given, comparable=True):
    from actlab.laboratory.healing.remedy import Remedy

    return Remedy("own", "a change", "line", lambda model: function(model, *given), "kind", comparable)


def test_a_try_that_is_not_ahead_ends_at_thirty_per_cent_of_the_steps():
    made = []

    def train(model, seed):
        try:
            return fit(model, seed)
        except Exception:  # A loop that catches all its errors.
            return 1.0
        finally:
            made.append(seed)

    untreated = trained(build, train, Job(1))
    assert untreated.steps == STEPS
    worse = trained(build, train, Job(1, (remedy(loop.other_rate, 0.0),), untreated.losses))
    assert worse.ended_at == worse.steps == math.ceil(0.3 * STEPS)
    assert math.isnan(worse.score)
    # Where losses mean something else, nothing ends early; nor where it is ahead.
    apart = trained(build, train, Job(1, (remedy(loop.other_rate, 0.0, comparable=False),), ()))
    assert (apart.ended_at, apart.steps) == (None, STEPS)
    ahead = trained(dead, train, Job(1, (remedy(layers.default_start),), trained(dead, train, Job(1)).losses))
    assert (ahead.ended_at, ahead.steps) == (None, STEPS)
    assert made == [1] * 5


def test_nothing_ends_early_where_no_loss_is_seen():
    def train(model, seed):
        own = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(STEPS):
            gradients = torch.autograd.grad(F.cross_entropy(model(data()[0]), data()[1]), list(model.parameters()))
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.grad = gradient
            own.step()
        return accuracy(model)

    untreated = trained(build, train, Job(1))
    assert np.isnan(untreated.losses).all()
    assert trained(build, train, Job(1, (remedy(loop.other_rate, 0.0),), untreated.losses)).ended_at is None


def test_losses_are_heard_unscaled_and_by_step():
    seen = []

    def train(model, seed):
        own = torch.optim.SGD(model.parameters(), 0.1)
        x, y = data()
        for _ in range(5):
            own.zero_grad()
            for part in range(2):
                loss = F.cross_entropy(model(x[part::2]), y[part::2])
                seen.append(loss.item())
                (loss * 1024 / 2).backward()
            own.step()
        return 1.0

    found = trained(build, train, Job(0))
    np.testing.assert_allclose(found.losses, np.mean(np.reshape(seen, (5, 2)), axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("own", "untreated", "ahead"),
    [
        ([2.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0], True),
        ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0], False),
        ([1.0, 1.0, math.nan], [2.0, 2.0, 2.0], True),
        ([2.0, math.nan, math.nan], [2.0, 2.0, 2.0], False),
        ([2.0, 2.0, 2.0], [2.0, math.nan, math.nan], True),
        ([math.nan] * 3, [2.0] * 3, None),
        ([2.0] * 4, [2.0] * 3, None),
    ],
)
def test_who_is_ahead(own, untreated, ahead):
    assert is_ahead(own, untreated) is ahead


def test_random_numbers_of_the_process_go_on_as_they_were():
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    trained(build, fit, Job(3, (remedy(layers.default_start),)))
    after = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def updates(change, optimiser=torch.optim.SGD, rate=0.1, gradient=1.0, **settings):
    """How far one step moves weights of 1 with a gradient of 1, in a context made of the model."""
    model = nn.Linear(2, 2, bias=False)
    nn.init.constant_(model.weight, 1.0)
    own = optimiser(model.parameters(), rate, **settings)
    with change(model):
        model.weight.grad = torch.full_like(model.weight, gradient)
        own.step()
    return float(1 - model.weight.detach()[0, 0]), own, model


def test_the_rate_is_another_during_steps_alone():
    moved, own, model = updates(lambda model: loop.other_rate(model, 0.1))
    assert moved == pytest.approx(0.01)
    assert own.param_groups[0]["lr"] == 0.1
    # Schedules go on from the loop's own rates.
    schedule = torch.optim.lr_scheduler.ExponentialLR(own, 0.5)
    with loop.other_rate(model, 0.1):
        own.step()
        schedule.step()
    assert own.param_groups[0]["lr"] == pytest.approx(0.05)


def test_settings_are_put_back_after_a_step_that_raises():
    model = nn.Linear(2, 2)
    own = torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.5)

    def closure():
        raise RuntimeError

    with pytest.raises(RuntimeError), loop.other_rate(model, 10.0), loop.other_decay(model, 0.0):
        own.step(closure)
    assert (own.param_groups[0]["lr"], own.param_groups[0]["weight_decay"]) == (0.1, 0.5)


def test_weight_decay_is_taken_off():
    assert updates(lambda model: loop.other_decay(model, 0.0), gradient=0.0, weight_decay=0.5)[0] == 0.0


def test_adam_steps_as_pytorchs_does_and_leaves_the_gradient():
    torch.manual_seed(0)
    model, gradients = nn.Linear(3, 3), [torch.randn(3, 3) for _ in range(5)]
    twin = nn.Linear(3, 3)
    twin.load_state_dict(model.state_dict())
    own, other = torch.optim.SGD(model.parameters(), 0.5), torch.optim.Adam(twin.parameters(), 0.01)
    with loop.adam(model, 0.01):
        for gradient in gradients:
            model.weight.grad, twin.weight.grad = gradient.clone(), gradient.clone()
            own.step()
            other.step()
            assert torch.equal(model.weight.grad, gradient)
    torch.testing.assert_close(model.weight, twin.weight, rtol=1e-6, atol=1e-7)


def test_clipping_is_taken_out_under_any_name_and_put_back():
    from torch.nn.utils import clip_grad_norm_ as known_by_another_name

    model = nn.Linear(2, 2)
    with loop.unclipped_gradients(model):
        model.weight.grad = torch.ones(2, 2)
        assert float(known_by_another_name(model.parameters(), 0.1)) == pytest.approx(2.0)
        assert torch.equal(model.weight.grad, torch.ones(2, 2))
    known_by_another_name(model.parameters(), 0.1)
    assert float(model.weight.grad.norm()) == pytest.approx(0.1, rel=1e-3)
    assert updates(lambda model: loop.clipped_gradients(model, 1.0))[0] == pytest.approx(0.05, rel=1e-3)


def test_all_parameters_are_held_while_it_holds():
    model = build()
    own = torch.optim.Adam(model[4].parameters(), 0.1)
    begun = model[0].weight.detach().clone()
    with loop.all_parameters_held(model):
        F.cross_entropy(model(data()[0]), data()[1]).backward()
        own.step()
    assert not torch.equal(model[0].weight, begun)
    assert {id(one) for one in own.param_groups[0]["params"]} == {id(one) for one in model[4].parameters()}


def test_a_rate_of_zero_becomes_the_largest():
    model = build()
    groups = [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[4].parameters()}]
    own = torch.optim.SGD(groups, 0.1)
    begun = model[0].weight.detach().clone()
    with loop.one_rate(model):
        F.cross_entropy(model(data()[0]), data()[1]).backward()
        own.step()
    assert torch.allclose(model[0].weight, begun - 0.1 * model[0].weight.grad)
    assert own.param_groups[0]["lr"] == 0.0


def test_the_model_trains_in_training_mode_and_evaluates_as_it_was():
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))
    model.eval()
    modes = []
    model[1].register_forward_hook(lambda module, *_: modes.append(module.training))
    with loop.training_mode(model):
        model(data()[0])
        with torch.no_grad():
            model(data()[0])
    model(data()[0])
    assert modes == [True, False, False]
    assert not model.training


def test_the_graph_is_not_cut_while_it_holds():
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.third = (nn.Linear(2, 2) for _ in range(3))

        def forward(self, x):
            with torch.no_grad():
                x = self.first(x)
            return self.third(self.second(x.detach()).data)

    model = Cut()
    with loop.unbroken_graph(model):
        model(data()[0]).sum().backward()
        assert torch.ones(1, requires_grad=True).detach().requires_grad is False  # Outside of the model as ever.
    assert all(own.grad is not None for own in model.parameters())
    model.zero_grad()
    model(data()[0]).sum().backward()
    assert model.first.weight.grad is None


def test_functions_are_replaced_by_whatever_name_they_are_called():
    x = torch.linspace(-2, 2, 9)
    with calls.calls(calls.replaced("relu", "tanh")):
        for own in (F.relu, torch.relu, torch.Tensor.relu, nn.ReLU()):
            torch.testing.assert_close(own(x), torch.tanh(x))
    assert torch.equal(F.relu(x), x.clamp_min(0))
    assert FUNCTIONS[F.relu] == "relu"


@pytest.mark.parametrize("inplace", [False, True])
def test_the_function_at_the_end_is_left_out(inplace):
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(inplace=inplace))
    x = data()[0]
    with calls.without_end(model):
        torch.testing.assert_close(model(x), model[0](x))
    assert (model(x) >= 0).all()


def test_losses_get_logits():
    z, y = torch.randn(8, 3), torch.randint(3, (8,))
    with calls.loss_of_logits(nn.Linear(1, 1)):
        torch.testing.assert_close(nn.CrossEntropyLoss()(torch.softmax(z, 1), y), F.cross_entropy(z, y))
        own = F.binary_cross_entropy_with_logits(torch.sigmoid(z)[:, 0], (y > 0).float())
    torch.testing.assert_close(own, F.binary_cross_entropy_with_logits(z[:, 0], (y > 0).float()))
    with calls.log_probabilities(nn.Linear(1, 1)):
        torch.testing.assert_close(F.nll_loss(z, y), F.cross_entropy(z, y))
        torch.testing.assert_close(F.nll_loss(torch.softmax(z, 1), y), F.cross_entropy(z, y))
        torch.testing.assert_close(F.nll_loss(F.log_softmax(z, 1), y), F.cross_entropy(z, y))
    with calls.suited_loss(nn.Linear(1, 1)):
        hot, labels = F.one_hot(y, 3).float(), (z > 0).float()
        torch.testing.assert_close(F.mse_loss(torch.sigmoid(z), hot), F.cross_entropy(z, y))
        own = F.mse_loss(torch.sigmoid(z), labels)
        torch.testing.assert_close(own, F.binary_cross_entropy_with_logits(z, labels))
        torch.testing.assert_close(F.mse_loss(z, hot), (z - hot).square().mean())


def test_rare_classes_weigh_more():
    z, y = torch.randn(8, 2), torch.tensor([0] * 6 + [1] * 2)
    expected = F.cross_entropy(z, y, weight=torch.tensor([8 / 12, 8 / 4]))
    with calls.weighed_classes(nn.Linear(1, 1)):
        torch.testing.assert_close(F.cross_entropy(z, y), expected)


def test_logarithms_are_bounded():
    p = torch.zeros(2, requires_grad=True)
    with calls.bounded_logarithms(nn.Linear(1, 1)):
        torch.log(p).sum().backward()
    assert torch.isfinite(p.grad).all()
    z = torch.tensor([[400.0, 0.0]], requires_grad=True)
    with calls.bounded_logarithms(nn.Linear(1, 1)):
        given = torch.softmax(z, dim=1)[:, 1].log()
        torch.testing.assert_close(torch.sigmoid(-z).log(), F.logsigmoid(-z))
    torch.testing.assert_close(given, F.log_softmax(z, dim=1)[:, 1])


def test_inputs_are_standardised_by_column():
    x = torch.randn(512, 2) * torch.tensor([1e3, 1.0]) + torch.tensor([5.0, 70.0])
    model = nn.Sequential(nn.Identity())
    with layers.standardised(model):
        model(x)
        given = model(x)
    expected = (x - x.mean(0)) / x.std(0, unbiased=False)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)
    with layers.finite(model):
        assert torch.equal(model(torch.tensor([[math.nan, 1.0]])), torch.tensor([[0.0, 1.0]]))
    assert torch.equal(model(x), x)


def test_layers_are_normalised_but_the_last():
    model = nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(27, 5), nn.Linear(5, 2))
    seen = {}
    with layers.normalised(model):
        for place in (1, 3):
            model[place].register_forward_pre_hook(lambda _, given, place=place: seen.update({place: given[0]}))
        model(torch.randn(7, 1, 4, 4) * 50)
    for own in seen.values():
        torch.testing.assert_close(own.flatten(1).mean(1), torch.zeros(7), atol=1e-4, rtol=0)
        torch.testing.assert_close(own.flatten(1).std(1, unbiased=False), torch.ones(7), atol=1e-2, rtol=0)


def test_batch_normalisation_becomes_group_normalisation():
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.Flatten(), nn.Linear(48, 5), nn.BatchNorm1d(5))
    with layers.group_norm(model):
        assert (model[1].num_groups, model[4].num_groups) == (4, 1)
        model(torch.randn(1, 1, 4, 4))
    with pytest.raises(DoesNotApply, match="no module"), layers.group_norm(build()):
        pass


def test_the_loss_is_scaled_and_gradients_are_not():
    model = nn.Linear(2, 1)
    own = torch.optim.SGD(model.parameters(), 1.0)
    begun, x = model.weight.detach().clone(), data()[0]
    with loop.scaled_loss(model):
        model(x).mean().backward()
        assert float(model.weight.grad.abs().max()) > 100
        own.step()
    torch.testing.assert_close(begun - model.weight, x.mean(0, keepdim=True), rtol=1e-4, atol=1e-5)


def test_a_remedy_that_has_nothing_to_change_is_told_and_no_try():
    found = trained(build, fit, Job(1, (remedy(layers.lower_dropout, 0.2),)))
    assert found.inapplicable.startswith("dropout is no module")
    assert found.steps == 0


def runs(*scores, ended=()):
    return [Trained(seed, score, ended_at=3 if seed in ended else None) for seed, score in enumerate(scores)]


def test_repaired_is_said_of_two_in_three_that_reach_the_twin():
    reach, why = reach_of(None, (0.9, 0.95, 0.94), (0.1, 0.2, 0.1), 1.0)
    assert why == ""
    # The worst twin, or a tenth of the way below its mean, whichever is lower.
    np.testing.assert_allclose(reach.lowest, [0.93 - 0.083, 0.93 - 0.073, 0.93 - 0.083])

    def repaired(*scores, **more):
        return tried(["own"], "", "", runs(*scores, **more), (0.1, 0.2, 0.1), 1.0, reach).repaired

    assert repaired(0.95, 0.95, 0.1)
    assert not repaired(0.95, 0.5, 0.5)
    assert not repaired(0.95, math.nan, math.nan, ended=(1, 2))
    assert repaired(0.95, math.nan, 0.95, ended=(1,))


def test_a_twin_that_is_no_better_says_nothing():
    reach, why = reach_of(None, (0.5, 0.5), (0.6, 0.5), 1.0)
    assert reach is None
    assert "no better than the untreated" in why


def test_differences_are_paired_and_have_students_interval():
    from scipy.stats import t

    own, before = (0.5, 0.7, 0.9), (0.4, 0.3, 0.6)
    found = tried(["own"], "", "", runs(*own), before, 1.0, None)
    differences = np.subtract(own, before)
    low, high = t.interval(0.95, 2, differences.mean(), differences.std(ddof=1) / math.sqrt(3))
    assert found.difference == pytest.approx(differences.mean())
    assert found.ci95 == pytest.approx((low, high))
    assert found.repaired is None
    # Of what is left after some were ended nothing is said.
    assert math.isnan(tried(["own"], "", "", runs(*own, ended=(0,)), before, 1.0, None).difference)


def test_two_together_are_tried_where_none_repairs():
    def built():
        model = nn.Sequential(*[layer for _ in range(6) for layer in (nn.Linear(12, 12), nn.Sigmoid())])
        return nn.Sequential(nn.Linear(2, 12), *model, nn.Linear(12, 2))

    found = actlab.heal(built, partial(fit, rate=1e-3), target=2.0, seeds=2, most_tries=9)
    pairs = [own for own in found.tries if len(own.codes) == 2]
    assert pairs
    assert isinstance(pairs[0], Try)
    assert all("\n" in own.line for own in pairs)


def test_what_cannot_be_processed_elsewhere_stays_here_and_says_so():
    found = actlab.heal(lambda: shifted(-20.0), fit, target=0.8, processes=2, seeds=2)
    assert any("this process" in own and "lambda" in own for own in found.told)
    gc.collect()
