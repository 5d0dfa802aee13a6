"""A PyTorch training looked at: numbers against PyTorch computed by hand, and every case in which hooks go wrong."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import sys
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from actlab.errors import ActlabWarning, InvalidModel
from actlab.recording.measures import gradient_edges, histogram_edges
from actlab.torch import Activation
from actlab.watching.torch_flat import flat_places, is_flat
from actlab.watching.torch_functions import FUNCTIONS
from actlab.watching.torch_values import FLAT, supremum
from actlab.watching.torch_watch import FIRST_STEPS, TorchWatch, constant_of


class Swish(nn.Module):
    """One of a user's own."""

    def forward(self, x):
        return x * torch.sigmoid(x)


def mlp(function=nn.ReLU, width=6):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, width), function(), nn.Linear(width, 4))


def batch(seed=0, samples=32):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, 3, generator=generator)
    return x, (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()


def train(model, steps=1, loss=F.cross_entropy, rate=0.1, data=None, optimiser=None):
    x, y = data or batch()
    optimiser = optimiser or torch.optim.SGD(model.parameters(), rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(model(x), y).backward()
        optimiser.step()
    return optimiser


def looked_at(model, steps=1, **settings):
    """What was seen of some steps."""
    with TorchWatch(model) as watch:
        train(model, steps, **settings)
    assert watch.stopped is None
    return watch.looks


def by_hand(model, x, y):
    """z, a and their gradients at the only function of `mlp`, by autograd."""
    first, function, last = model
    z = first(x)
    z.retain_grad()
    a = function(z)
    a.retain_grad()
    loss = F.cross_entropy(last(a), y)
    model.zero_grad()
    loss.backward()
    return z, a, loss


@pytest.mark.parametrize("function", [nn.ReLU, nn.Tanh, nn.GELU, Swish, lambda: Activation("mish"), nn.PReLU])
def test_measures_are_those_computed_by_hand(function):
    model, (x, y) = mlp(function), batch()
    z, a, loss = by_hand(copy.deepcopy(model), x, y)
    (look,) = looked_at(model)
    (seen,) = look.functions
    assert (look.step, seen.name, seen.calls, seen.samples) == (0, "1", 1, 32)
    assert look.loss == pytest.approx(float(loss.detach()), rel=1e-6)
    for name, values in (("pre_activation", z.detach()), ("activation", a.detach())):
        assert getattr(seen, f"{name}_mean") == pytest.approx(float(values.mean()), rel=1e-5, abs=1e-7)
        assert getattr(seen, f"{name}_std") == pytest.approx(float(values.std(unbiased=False)), rel=1e-5)
        counts, _ = np.histogram(values, np.r_[-np.inf, histogram_edges()[1:-1], np.inf])
        np.testing.assert_array_equal(getattr(seen, f"{name}_histogram"), counts)
        assert getattr(seen, f"{name}_gradient_norm") == pytest.approx(
            float({"pre_activation": z, "activation": a}[name].grad.norm()), rel=1e-5
        )
    rms = float(a.detach().square().mean().sqrt())
    assert seen.rms == pytest.approx(rms, rel=1e-5)
    assert seen.signal == pytest.approx(float(a.detach().var(dim=0, unbiased=False).mean().sqrt()) / rms, rel=1e-5)
    sizes, _ = np.histogram(a.grad.abs(), np.r_[gradient_edges()[:-1], np.inf])
    np.testing.assert_array_equal(seen.activation_gradient_histogram, sizes)


def test_flat_and_dead_are_by_the_slope():
    """Two of six units of ReLU never fire; one of tanh is saturated for every sample."""
    model, (x, y) = mlp(), batch()
    with torch.no_grad():
        model[0].bias[:2] = -100
    (look,) = looked_at(model, data=(x, y))
    with torch.no_grad():
        z = model[0](x)
    assert look.functions[0].dead.tolist() == [True, True, False, False, False, False]
    saturated = mlp(nn.Tanh)
    with torch.no_grad():
        saturated[0].bias[3] = 50
    (look,) = looked_at(saturated, data=(x, y))
    assert look.functions[0].dead.tolist() == [False, False, False, True, False, False]
    assert look.functions[0].flat == pytest.approx(1 / 6, abs=1e-6)
    assert z.shape == (32, 6)


def test_weights_are_seen_as_the_optimiser_uses_them():
    model, (x, y) = mlp(), batch()
    own = copy.deepcopy(model)
    _, _, _ = by_hand(own, x, y)
    before = own[0].weight.detach().clone()
    (look,) = looked_at(model, rate=0.5)
    seen = look.weights[0]
    assert [weight.name for weight in look.weights] == ["0", "2"]
    assert seen.norm == pytest.approx(float(before.norm()), rel=1e-6)
    assert seen.gradient_norm == pytest.approx(float(own[0].weight.grad.norm()), rel=1e-5)
    moved = float((model[0].weight - before).detach().norm() / before.norm())
    assert seen.update_ratio == pytest.approx(moved, rel=1e-5)
    assert seen.zero_share == pytest.approx(float((own[0].weight.grad == 0).float().mean()), abs=1e-6)


def test_first_steps_are_looked_at_densely_then_every_so_many():
    model = mlp()
    with TorchWatch(model, every=40) as watch:
        train(model, 121)
    assert [look.step for look in watch.looks] == [*FIRST_STEPS, 40, 80, 120]


# The training stays what it is.


def trained(watched, **settings):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(16, 16), nn.RReLU(),
                          nn.BatchNorm1d(16), nn.Linear(16, 4))  # fmt: skip
    watch = TorchWatch(model, every=2) if watched else None
    optimiser = train(model, 30, optimiser=torch.optim.Adam(model.parameters(), 0.01), **settings)
    if watch is not None:
        assert watch.stopped is None
        assert len(watch.looks) > 15
        watch.remove()
    return model, optimiser


def test_weights_end_with_the_same_bytes():
    (bare, _), (watched, _) = trained(False), trained(True)
    for (name, ours), theirs in zip(watched.state_dict().items(), bare.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name


def test_nothing_is_left_in_the_model():
    model = mlp()
    before = dict(vars(model))
    forward, backward = nn.Module.__call__, torch.autograd.backward
    watch = TorchWatch(model)
    train(model, 2)
    copied = copy.deepcopy(model)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    pickle.loads(pickle.dumps(model))
    assert model.state_dict().keys() == copied.state_dict().keys() == mlp().state_dict().keys()
    watch.remove()
    watch.remove()
    assert vars(model).keys() == before.keys()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(own._backward_hooks or own._post_accumulate_grad_hooks for own in model.parameters())
    assert (nn.Module.__call__, torch.autograd.backward) == (forward, backward)
    hooks = torch.nn.modules.module
    assert not hooks._global_forward_hooks
    assert not hooks._global_forward_pre_hooks
    optimisers = sys.modules["torch.optim.optimizer"]
    assert not optimisers._global_optimizer_pre_hooks
    assert not optimisers._global_optimizer_post_hooks
    # The copy is not watched, and the model may be watched again.
    count = len(watch.looks)
    train(copied, 3)
    train(model, 3)
    assert len(watch.looks) == count
    TorchWatch(model).remove()


def test_a_model_that_goes_is_let_go():
    model = mlp()
    watch = TorchWatch(model)
    reference = __import__("weakref").ref(model)
    del model
    gc.collect()
    assert reference() is None
    assert not watch._hooks
    assert not torch.nn.modules.module._global_forward_hooks


def test_an_error_in_watching_never_ends_a_training(monkeypatch):
    model = mlp()
    monkeypatch.setattr("actlab.watching.torch_taps.histograms", lambda *_, **__: 1 / 0)
    watch = TorchWatch(model)
    with pytest.warns(ActlabWarning, match=r"watching ended at step 0 \(ZeroDivisionError: .*\); the training goes on"):
        train(model, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(model, 3)
    assert watch.stopped.startswith("ZeroDivisionError")
    assert torch.isfinite(model[0].weight).all()


@pytest.mark.parametrize(
    ("model", "settings", "sentence"),
    [
        (nn.ReLU(), {}, "no parameters that train"),
        ("a model", {}, "a PyTorch module is expected, not str"),
        (nn.Linear(2, 2), {"every": 0}, "every=0"),
    ],
)
def test_what_cannot_be_watched_is_refused(model, settings, sentence):
    with pytest.raises(InvalidModel, match=sentence):
        TorchWatch(model, **settings)


def test_a_model_is_watched_once():
    model = mlp()
    with TorchWatch(model), pytest.raises(InvalidModel, match="is being watched"):
        TorchWatch(model)
    TorchWatch(model).remove()


# Where hooks go wrong.


def test_functions_that_work_in_place_are_seen_as_they_were_before():
    """Of a forward hook's `input` and kept outputs the negative numbers would be gone."""
    x, y = batch()
    seen = {}
    for in_place in (False, True):
        (look,) = looked_at(mlp(lambda in_place=in_place: nn.ReLU(inplace=in_place)), data=(x, y))
        seen[in_place] = look.functions[0]
    for name in ("pre_activation_mean", "pre_activation_std", "activation_mean", "flat", "activation_gradient_norm"):
        assert getattr(seen[True], name) == pytest.approx(getattr(seen[False], name), rel=1e-6)
    np.testing.assert_array_equal(seen[True].pre_activation_histogram, seen[False].pre_activation_histogram)
    assert seen[True].pre_activation_mean < seen[True].activation_mean
    # What arrives at the overwritten input is not seen, and said so.
    assert np.isnan(seen[True].pre_activation_gradient_norm)
    assert seen[False].pre_activation_gradient_norm > 0


@pytest.mark.parametrize(
    "make",
    [
        nn.ReLU, nn.ReLU6, nn.ELU, nn.SELU, nn.CELU, nn.SiLU, nn.Mish, nn.LeakyReLU, nn.Hardtanh, nn.Hardswish,
        nn.Hardsigmoid, lambda inplace: nn.Threshold(0.1, 0.0, inplace), lambda inplace: nn.RReLU(0.2, 0.2, inplace),
    ],
)  # fmt: skip
def test_every_function_that_works_in_place_is_seen_as_it_was(make):
    """`inplace` comes by name or by place."""
    plain, in_place = (looked_at(mlp(lambda inplace=inplace: make(inplace=inplace)))[0] for inplace in (False, True))
    for name in ("pre_activation_mean", "activation_std", "flat", "signal", "activation_gradient_norm"):
        assert getattr(in_place.functions[0], name) == pytest.approx(getattr(plain.functions[0], name), rel=1e-5)


class Functional(nn.Module):
    """Functions, a method, one in place, one of a library's module."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(3, 6), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x):
        x = F.gelu(self.first(x), approximate="tanh").tanh()
        return self.last(torch.sigmoid(F.leaky_relu_(self.second(x), 0.2)))


def test_functions_and_methods_are_seen():
    (look,) = looked_at(Functional())
    assert [(seen.name, seen.function) for seen in look.functions] == [
        ("gelu", "gelu"), ("tanh", "tanh"), ("leaky_relu", "leaky_relu"), ("sigmoid", "sigmoid"),
    ]  # fmt: skip
    assert all(seen.activation_gradient_norm > 0 for seen in look.functions)


class Shared(nn.Module):
    """One module called twice, the same under two names, and one that is never called."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(3, 6), nn.Linear(6, 6), nn.Linear(6, 4)
        self.act = self.other = nn.ReLU()
        self.never = nn.Tanh()
        self.idle = nn.Linear(2, 2)

    def forward(self, x):
        return self.last(self.act(self.second(self.other(self.first(x)))))


def test_a_module_called_twice_is_seen_twice_and_one_never_called_is_named():
    model, (x, y) = Shared(), batch()
    with torch.no_grad():
        first = model.first(x)
        second = model.second(first.relu())
    (look,) = looked_at(model, data=(x, y))
    (seen,) = look.functions
    assert (seen.name, seen.calls, seen.samples) == ("act", 2, 64)
    assert seen.pre_activation_std == pytest.approx(
        float(first.std(unbiased=False) + second.std(unbiased=False)) / 2, rel=1e-5
    )
    assert look.unseen == {"idle": "it did not run in this step"}
    assert look.facts["without_gradient"] == ["idle.weight", "idle.bias"]


class Recomputed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 4)
        self.reentrant = reentrant

    def forward(self, x):
        x = self.first(x)
        return self.last(checkpoint(self.act, x, use_reentrant=self.reentrant))


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_is_computed_again_for_want_of_memory_is_counted_once(reentrant):
    torch.manual_seed(0)
    (look,) = looked_at(Recomputed(reentrant))
    (seen,) = look.functions
    assert (seen.calls, seen.samples) == (1, 32)
    assert seen.activation_gradient_norm > 0


def test_accumulated_gradients_are_those_of_all_parts():
    model, (x, y) = mlp(), batch()
    whole = copy.deepcopy(model)
    F.cross_entropy(whole(x), y).backward()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with TorchWatch(model) as watch:
        for part in (slice(0, 16), slice(16, 32)):
            (F.cross_entropy(model(x[part]), y[part]) / 2).backward()
        optimiser.step()
    (look,) = watch.looks
    assert look.weights[0].gradient_norm == pytest.approx(float(whole[0].weight.grad.norm()), rel=1e-5)
    assert (look.functions[0].calls, look.functions[0].samples, look.facts["forwards"]) == (2, 32, 2)
    assert not look.facts["left_over_gradient"]
    assert look.loss == pytest.approx(float(F.cross_entropy(whole(x[16:]), y[16:]).detach()), rel=1e-5)


def test_scaled_losses_are_told_unscaled():
    """As a gradient scaler does: the loss times 65,536, the gradients divided before the step."""
    x, y = batch()
    (plain,) = looked_at(mlp(), data=(x, y))
    model = mlp()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with TorchWatch(model) as watch:
        (F.cross_entropy(model(x), y) * torch.tensor(65536.0)).backward()
        for own in model.parameters():
            own.grad /= 65536
        optimiser.step()
    (look,) = watch.looks
    assert look.gradient_scale == 65536
    assert look.loss == pytest.approx(plain.loss, rel=1e-6)
    for name in ("activation_gradient_norm", "pre_activation_gradient_norm"):
        assert getattr(look.functions[0], name) == pytest.approx(getattr(plain.functions[0], name), rel=1e-5)
    assert look.weights[0].gradient_norm == pytest.approx(plain.weights[0].gradient_norm, rel=1e-5)
    assert look.facts["clipped"] == pytest.approx(1, rel=1e-5)


def test_half_precision_is_summed_in_single():
    model = mlp(width=256)
    x, y = batch(samples=512)
    with TorchWatch(model) as watch:
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(300 * x), y)
        loss.backward()
        optimiser.step()
    (seen,) = watch.looks[0].functions
    assert np.isfinite([seen.rms, seen.pre_activation_std, seen.activation_gradient_norm]).all()
    assert watch.stopped is None


def test_clipping_is_seen():
    model, (x, y) = mlp(), batch()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with TorchWatch(model) as watch:
        F.cross_entropy(model(100 * x), y).backward()
        came = nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        optimiser.step()
    assert watch.looks[0].facts["clipped"] == pytest.approx(1e-3 / float(came), rel=0.1)


def test_sparse_gradients_are_seen():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(20, 3, sparse=True), nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 4))
    tokens = torch.randint(0, 20, (32, 2))
    (look,) = looked_at(model, data=(tokens, batch()[1]))
    assert look.weights[0].name == "0"
    assert look.weights[0].gradient_norm > 0


def test_validation_is_not_looked_at():
    model, (x, y) = mlp(), batch()
    with TorchWatch(model) as watch:
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        model.eval()
        with torch.no_grad():
            model(5 * x)
        with torch.inference_mode():
            model(7 * x)
        model.train()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            model(9 * x)
        optimiser.step()
    (look,) = watch.looks
    assert (look.functions[0].calls, look.facts["forwards"]) == (1, 1)


# That the hooks run once more for the wrapper is of no account; pytest forgets the filter that says so.
@pytest.mark.filterwarnings("ignore:Using `torch.compile:UserWarning")
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_compiled_models_are_seen(late, wrapped):
    """Compiled code runs no hooks that come after its first call: a step that is looked at runs eagerly."""
    torch._dynamo.reset()
    model = mlp()
    if wrapped:
        called = torch.compile(model, backend="eager")
    else:
        model.compile(backend="eager")
        called = model
    if late:
        called(batch()[0])
    with TorchWatch(called) as watch:
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(8):
            optimiser.zero_grad()
            F.cross_entropy(called(batch()[0]), batch()[1]).backward()
            optimiser.step()
    assert [look.step for look in watch.looks] == [0, 1, 2, 3, 4, 5]
    assert all([seen.name for seen in look.functions] == ["1"] for look in watch.looks)
    assert watch.stopped is None


def test_what_no_hook_reaches_is_named():
    torch.manual_seed(0)
    model = nn.ModuleDict({"gru": nn.GRU(3, 6, batch_first=True), "last": nn.Linear(6, 4)})
    model.forward = lambda x: model["last"](model["gru"](x[:, None])[0][:, 0])
    (look,) = looked_at(model)
    assert look.unseen == {"gru": "its gates are inside PyTorch's own code"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 4)))
    (look,) = looked_at(scripted)
    assert "runs its functions outside of Python" in next(iter(look.unseen.values()))


def test_attention_is_seen_where_it_calls_functions():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
    model = nn.Sequential(nn.Linear(3, 8), nn.Unflatten(1, (1, 8)), layer, nn.Flatten(), nn.Linear(8, 4))
    (look,) = looked_at(model)
    assert [(seen.name, seen.function) for seen in look.functions] == [("2: gelu", "gelu")]
    assert look.unseen == {}


def test_several_processes_of_data_parallel_and_functional_calls():
    model, (x, y) = mlp(), batch()
    parallel = nn.DataParallel(model)
    (look,) = looked_at(parallel, data=(x, y))
    assert [seen.name for seen in look.functions] == ["module.1"]
    model = mlp()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with TorchWatch(model) as watch:
        F.cross_entropy(torch.func.functional_call(model, dict(model.named_parameters()), (x,)), y).backward()
        optimiser.step()
    assert [seen.name for seen in watch.looks[0].functions] == ["1"]


def test_transformed_models_end_the_watching_or_are_seen_and_never_the_training():
    model, (x, y) = mlp(), batch()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    parameters = dict(model.named_parameters())

    def loss(own, one, label):
        return F.cross_entropy(torch.func.functional_call(model, own, (one[None],)), label[None])

    with warnings.catch_warnings(), TorchWatch(model) as watch:
        warnings.simplefilter("ignore", ActlabWarning)
        gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
        for name, own in model.named_parameters():
            own.grad = gradients[name].mean(dim=0)
        optimiser.step()
    assert watch.stopped is not None or watch.looks
    assert not torch.overrides._get_current_function_mode_stack()
    expected = copy.deepcopy(mlp())
    F.cross_entropy(expected(x), y).backward()
    assert torch.allclose(model[0].weight, expected[0].weight - 0.1 * expected[0].weight.grad, atol=1e-6)


def test_units_of_convolutions_are_their_channels():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Unflatten(1, (3, 1, 1)), nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(),
                          nn.Linear(5, 4))  # fmt: skip
    (look,) = looked_at(model)
    assert look.functions[0].dead.shape == (5,)


def test_gates_and_tuples_are_named_and_do_not_end_the_watching():
    """The output of an LSTM is a tuple; its gates are PyTorch's own, which is said."""
    torch.manual_seed(0)

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent, self.last = nn.LSTM(3, 6, batch_first=True), nn.Linear(6, 4)

        def forward(self, x):
            hidden, _ = self.recurrent(x[:, None])
            return self.last(torch.tanh(hidden[:, 0]))

    (look,) = looked_at(Recurrent())
    assert look.unseen == {"recurrent": "its gates are inside PyTorch's own code"}
    assert [seen.name for seen in look.functions] == ["tanh"]


def test_traced_models_are_named():
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(mlp(), batch()[0])
    (look,) = looked_at(traced)
    assert "runs its functions outside of Python" in next(iter(look.unseen.values()))
    assert look.weights[0].gradient_norm > 0


def test_attention_alone_gets_gradients_and_its_projection_is_no_idle_layer():
    """`out_proj` is never called as a module: its gradient tells that it is used."""
    torch.manual_seed(0)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.attention, self.last = nn.Linear(3, 8), nn.MultiheadAttention(8, 2), nn.Linear(8, 4)

        def forward(self, x):
            h = self.first(x)[None]
            return self.last(self.attention(h, h, h, need_weights=False)[0][0])

    (look,) = looked_at(Attention())
    assert look.unseen == {}
    assert "attention.out_proj" in [weight.name for weight in look.weights]


def test_batches_are_not_counted_twice_by_batch_normalisation():
    """Where a function is tried on what it gets, the model is not run again: buffers are those of the bare training."""

    def made():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 4))

    bare, watched = made(), made()
    train(bare, 3)
    looked_at(watched, 3)
    assert all(
        torch.equal(a, b) for a, b in zip(bare.state_dict().values(), watched.state_dict().values(), strict=True)
    )
    assert watched[1].num_batches_tracked == 3


def test_kept_outputs_are_seen_before_what_follows_overwrites_them():
    """`a` is read at once: a later function in place changes the same memory."""

    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(3, 6), nn.Linear(6, 4)

        def forward(self, x):
            self.seen = F.hardtanh(self.first(x), -0.5, 0.5)
            self.kept = self.seen.detach().clone()
            return self.last(self.seen.neg_().relu_())

    model = Overwriting()
    (look,) = looked_at(model)
    assert look.functions[0].activation_mean == pytest.approx(float(model.kept.mean()), rel=1e-5)
    assert look.functions[0].activation_std == pytest.approx(float(model.kept.std(unbiased=False)), rel=1e-5)


@pytest.mark.parametrize("change", [lambda own: own.mul_(0.5), lambda own: own.data.mul_(0.5)])
def test_gradients_changed_by_hand_are_told_as_clipped(change):
    """Through `.data` as well, of which PyTorch keeps no count."""
    model, (x, y) = mlp(), batch()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with TorchWatch(model) as watch:
        F.cross_entropy(model(x), y).backward()
        for own in model.parameters():
            change(own.grad)
        optimiser.step()
    assert watch.looks[0].facts["clipped"] == pytest.approx(0.5, rel=1e-5)


def test_a_copy_is_not_recorded_as_the_model():
    """An average of weights, copied while a step is looked at."""
    model, (x, y) = mlp(), batch()
    with TorchWatch(model) as watch:
        average = copy.deepcopy(model)
        average(3 * x)
        train(model, data=(x, y))
        average(x).sum().backward()
    assert [(seen.calls, seen.samples) for seen in watch.looks[0].functions] == [(1, 32)]
    assert watch.looks[0].loss == pytest.approx(float(F.cross_entropy(mlp()(x), y).detach()), rel=1e-6)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "mish", "tanh", "softplus", "hardswish", "relu6", "softsign"])
def test_where_a_function_is_flat_is_what_autograd_says(name):
    values = np.random.default_rng(0).normal(scale=4, size=20_000).astype(np.float32)
    function = getattr(F, name)
    places = flat_places(("test", name), FUNCTIONS[function], function)
    slope = torch.from_numpy(values).requires_grad_()
    function(slope).sum().backward()
    expected = slope.grad.abs() <= FLAT * supremum(FUNCTIONS[function])
    assert places is not None
    np.testing.assert_array_equal(is_flat(values, places), expected.numpy())


def test_of_larger_tensors_a_part_is_measured():
    """As large as it is looked at in full for units that are dead; the rest is near what it is of all."""
    model, (x, y) = mlp(width=2048), batch(samples=64)
    with torch.no_grad():
        model[0].bias[:100] = -100
        z = model[0](x)
    (look,) = looked_at(model, data=(x, y))
    seen = look.functions[0]
    assert (seen.samples, seen.dead.shape) == (64, (2048,))
    np.testing.assert_array_equal(seen.dead, (z <= 0).all(dim=0).numpy())
    assert seen.flat == pytest.approx(float((z <= 0).float().mean()), abs=1e-6)
    assert seen.pre_activation_std == pytest.approx(float(z.std()), rel=0.2)
    assert seen.rms == pytest.approx(float(z.relu().square().mean().sqrt()), rel=0.2)


# The loss and what a constant answer has.


@pytest.mark.parametrize(
    ("loss", "targets", "kind"),
    [
        (F.cross_entropy, lambda y: y, "cross-entropy"),
        (lambda o, y: F.nll_loss(F.log_softmax(o, dim=1), y), lambda y: y, "cross-entropy"),
        (lambda o, y: F.cross_entropy(o, y, reduction="sum"), lambda y: y, "cross-entropy"),
        (F.binary_cross_entropy_with_logits, lambda y: F.one_hot(y, 4).float(), "binary"),
        (F.mse_loss, lambda y: F.one_hot(y, 4).float(), "squared"),
        (F.smooth_l1_loss, lambda y: F.one_hot(y, 4).float(), "absolute"),
        (lambda o, y: (o - y).abs().mean(), lambda y: F.one_hot(y, 4).float(), ""),
    ],
)
def test_the_loss_and_its_targets_are_read_off_the_graph(loss, targets, kind):
    model, (x, y) = mlp(), batch()
    expected = float(loss(model(x), targets(y)).detach())
    (look,) = looked_at(model, loss=loss, data=(x, targets(y)))
    assert look.facts["loss_kind"] == kind
    if kind == "cross-entropy":
        shares = np.bincount(y) / len(y)
        entropy = -(shares * np.log(shares)).sum()
        assert look.constant.loss == pytest.approx(entropy, rel=1e-6)
        assert look.constant.majority == pytest.approx(shares.max())
        assert look.loss == pytest.approx(float(F.cross_entropy(mlp()(x), y).detach()), rel=1e-5)
    else:
        assert look.loss == pytest.approx(expected, rel=1e-5)
    if kind == "squared":
        assert look.constant.loss == pytest.approx(float(targets(y).var(dim=0, unbiased=False).mean()), rel=1e-5)


def test_constant_answers_against_a_search():
    rng = np.random.default_rng(0)
    y = rng.random((200, 1)).round(1)
    grid = np.linspace(1e-3, 1 - 1e-3, 2001)
    entropy = -(y * np.log(grid) + (1 - y) * np.log(1 - grid)).mean(axis=0)
    assert constant_of("binary", [y]).loss == pytest.approx(entropy.min(), rel=1e-5)
    squared = ((y - grid) ** 2).mean(axis=0).min()
    assert constant_of("squared", [y[:100], y[100:]]).loss == pytest.approx(squared, rel=1e-4)


@pytest.mark.filterwarnings("error")
def test_where_warnings_are_errors_the_training_goes_on_all_the_same(monkeypatch, capsys):
    model = mlp()
    monkeypatch.setattr("actlab.watching.torch_taps.histograms", lambda *_, **__: 1 / 0)
    watch = TorchWatch(model)
    train(model, 2)
    assert watch.stopped.startswith("ZeroDivisionError")
    assert "actlab: watching ended at step 0" in capsys.readouterr().err


def test_the_stance_of_the_compiler_is_the_users_again():
    model = mlp()
    with torch.compiler.set_stance("fail_on_recompile"):
        stance = torch._dynamo.eval_frame._stance
        with TorchWatch(model):
            assert torch._dynamo.eval_frame._stance.stance == "force_eager"
            train(model, 8)
            assert torch._dynamo.eval_frame._stance == stance
        assert torch._dynamo.eval_frame._stance == stance


def test_two_models_at_a_time_are_both_seen_and_nothing_stays():
    """Their looks begin and end in turns; each loss is of its own model."""
    backward, stance = torch.autograd.backward, torch._dynamo.eval_frame._stance
    x, y = batch()
    first, second = mlp(), mlp(nn.Tanh)
    optimisers = [torch.optim.SGD(model.parameters(), 0.1) for model in (first, second)]
    watches = [TorchWatch(model) for model in (first, second)]
    expected = [float(F.cross_entropy(model(x), y).detach()) for model in (first, second)]
    for model, optimiser in zip((first, second), optimisers, strict=True):
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
    for watch, loss in zip(watches, expected, strict=True):
        assert [look.loss for look in watch.looks] == [pytest.approx(loss, rel=1e-6)]
        assert watch.stopped is None
    watches[0].remove()
    train(second, 2, data=(x, y))
    assert [look.step for look in watches[1].looks] == [0, 1, 2]
    watches[1].remove()
    assert torch.autograd.backward is backward
    assert torch._dynamo.eval_frame._stance == stance


def test_a_loss_of_another_model_is_not_taken_for_ones_own():
    """As where two models train against each other: both have run before either goes back."""
    x, y = batch()
    first, second = mlp(), mlp(nn.Tanh)
    optimisers = [torch.optim.SGD(model.parameters(), 0.1) for model in (first, second)]
    with TorchWatch(first) as one, TorchWatch(second) as other:
        losses = [F.cross_entropy(model(x), y) for model in (first, second)]
        for loss in losses:
            loss.backward()
        for optimiser in optimisers:
            optimiser.step()
    for watch, loss in zip((one, other), losses, strict=True):
        assert watch.looks[0].loss == pytest.approx(float(loss.detach()), rel=1e-6)
