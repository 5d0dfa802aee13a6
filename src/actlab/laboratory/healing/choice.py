"""Which remedies a finding has: from codes, and what was seen, to changes that can be made from outside."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from actlab.diagnosis import Finding
from actlab.laboratory.healing import calls, layers, loop
from actlab.laboratory.healing.remedy import Remedy
from actlab.study.optimisers import usual_rate
from actlab.watching.looks import Look
from actlab.wording import number

# What a step of a healthy training changes a matrix by, of its size, in the middle.
USUAL_STEP = 3e-3
# The usual rate of Adam, and one for networks as small as most that are tried things with.
ADAM_RATE = 3e-3
# A rate of dropout that most networks bear.
DROPOUT = 0.2


@dataclass(frozen=True)
class Seen:
    """What is known of a training that remedies depend on.

    Attributes:
        optimiser: its class, in PyTorch's words; empty where it is not known.
        rate, decay: its largest learning rate and weight decay at the first step; NaN where they are not known.
        function: the activation function that most places have; empty where none was seen.
        end: the function at the end of the model, if one stands there.
    """

    optimiser: str = ""
    rate: float = math.nan
    decay: float = math.nan
    function: str = ""
    end: str = ""


def seen_of(looks: Sequence[Look]) -> Seen:
    """What is known from what was seen."""
    if not looks:
        return Seen()
    facts: Mapping[str, Any] = looks[0].facts
    places = [own.function for own in looks[0].functions]
    rates = [float(look.facts.get("learning_rate", math.nan)) for look in looks]  # pyright: ignore[reportArgumentType]
    common = Counter(places[:-1] or places).most_common(1)
    return Seen(
        str(facts.get("optimiser", "")),
        max((own for own in rates if math.isfinite(own)), default=math.nan),
        float(facts.get("weight_decay", math.nan)),
        common[0][0] if common else "",
        places[-1] if places and facts.get("before_loss") else "",
    )


Choice = Callable[[Finding, Seen], Iterable[Remedy]]


def _remedy(code: str, kind: str, title: str, line: str, function: Any, *given: Any, comparable: bool = True) -> Remedy:
    # What can be sent to another process: a function of a module, with what it is called with beside the model.
    apply = partial(_with, function, given)
    return Remedy(code, title, line, apply, kind, comparable)


def _with(function: Any, given: tuple[Any, ...], model: Any) -> Any:
    return function(model, *given)


def rate_times(factor: float, seen: Seen) -> Remedy:
    """A multiple of the learning rate."""
    title = f"{number(factor)} times the learning rate"
    former = math.isfinite(seen.rate)
    line = f"lr={seen.rate * factor:g}  # in the optimiser, in the place of {seen.rate:g}" if former else f"{title}"
    return _remedy(f"rate_times_{factor:g}", "rate", title, line, loop.other_rate, factor)


def default_start() -> Remedy:
    """Weights as PyTorch draws them."""
    line = (
        "for layer in model.modules():\n"
        '    if hasattr(layer, "reset_parameters"):\n'
        "        layer.reset_parameters()  # or take out what sets the weights now"
    )
    return _remedy("default_start", "start", "weights as PyTorch draws them", line, layers.default_start)


def suited_start(function: str) -> Remedy:
    """Weights that suit a function."""
    title = f"initial weights that suit {function or 'relu'}"
    gain = layers.gain_of(function or "relu")
    line = (
        "for layer in hidden_layers:  # the first and the last one with 1 in the place of the gain\n"
        f"    nn.init.normal_(layer.weight, std={gain:.4g} / layer.weight[0].numel() ** 0.5)\n"
        "    nn.init.zeros_(layer.bias)"
    )
    return _remedy("suited_start", "start", title, line, layers.suited_start, function or "relu")


def other_function(former: str, new: str) -> Remedy:
    """Another activation function."""
    line = f'actlab.torch.swap(model, "{new}")  # or write it in the place of {former} yourself'
    return _remedy(
        f"function_{new}", "function", f"{new} instead of {former}", line, layers.other_function, former, new
    )


def normalised() -> Remedy:
    """Layer normalisation behind hidden layers."""
    line = "nn.LayerNorm(units, elementwise_affine=False)  # behind every layer but the last; nn.GroupNorm(1, channels)"
    return _remedy("layer_norm", "normalisation", "layer normalisation between the layers", line, layers.normalised)


def standardised() -> Remedy:
    """Inputs at unit scale."""
    line = "x = (x - x_train.mean(0)) / x_train.std(0)  # every column, before it goes into the model"
    return _remedy("standardised", "inputs", "inputs standardised by column", line, layers.standardised)


def adam(seen: Seen) -> list[Remedy]:
    """Adam in the place of SGD; of other optimisers there is no such remedy."""
    if seen.optimiser != "SGD":
        return []
    line = f"optimizer = torch.optim.Adam(model.parameters(), lr={ADAM_RATE:g})"
    return [_remedy("adam", "rate", "Adam instead of SGD", line, loop.adam, ADAM_RATE)]


def clipping(norm: float = 1.0) -> Remedy:
    """A bound to the gradient's norm."""
    line = f"torch.nn.utils.clip_grad_norm_(model.parameters(), {norm:g})  # before optimizer.step()"
    return _remedy(
        "clipping", "clipping", f"gradients clipped to a norm of {norm:g}", line, loop.clipped_gradients, norm
    )


def _too_high(_: Finding, seen: Seen) -> Iterable[Remedy]:
    # As many powers of ten as bring it to what is usual; where it is that already, one.
    usual = usual_rate(seen.optimiser.lower()) / seen.rate
    fitting = 10.0 ** min(-1, round(math.log10(usual))) if usual > 0 else 0.1
    return [*(rate_times(own, seen) for own in (fitting, fitting / 10)), *adam(seen), clipping()]


def _too_low(found: Finding, seen: Seen) -> Iterable[Remedy]:
    evidence: Any = found["evidence"]
    ratio = float(evidence.get("update_ratio") or math.nan)
    wanted = USUAL_STEP / ratio if ratio > 0 else 10.0
    fitting = 10.0 ** max(1, round(math.log10(wanted)))
    others = (fitting / 10, fitting * 10) if fitting > 10 else (100.0,)
    return [*(rate_times(own, seen) for own in (fitting, *others)), *adam(seen)]


def _dead(found: Finding, seen: Seen) -> Iterable[Remedy]:
    evidence: Any = found["evidence"]
    start = [default_start(), suited_start("relu")]
    rates = [rate_times(0.1, seen), rate_times(0.01, seen)]
    function = [other_function(seen.function or "relu", "gelu")]
    return [*start, *function, *rates] if evidence.get("from_the_start") else [*rates, *start, *function]


def _saturated(_: Finding, seen: Seen) -> Iterable[Remedy]:
    return [default_start(), standardised(), rate_times(0.1, seen), normalised(), *_functions(seen)]


def _functions(seen: Seen) -> list[Remedy]:
    """Another function than the one that is there."""
    new = "gelu" if seen.function in ("relu", "leaky_relu") else "relu"
    return [other_function(seen.function, new)] if seen.function else []


def _vanishing(_: Finding, seen: Seen) -> Iterable[Remedy]:
    return [suited_start(seen.function), normalised(), *adam(seen), *_functions(seen), default_start()]


def _too_large(_: Finding, seen: Seen) -> Iterable[Remedy]:
    return [suited_start(seen.function), default_start(), normalised()]


def _nothing(found: Finding, seen: Seen) -> Iterable[Remedy]:
    evidence: Any = found["evidence"]
    vote = evidence.get("neighbours")
    told = "Nor do a sample's neighbours" in found["sentence"]
    if vote is not None and told:
        return []
    return [*adam(seen), rate_times(0.1, seen), normalised(), rate_times(10.0, seen), suited_start(seen.function)]


def _decay(_: Finding, seen: Seen) -> Iterable[Remedy]:
    for factor in (0.0, 0.01):
        line = f"weight_decay={seen.decay * factor:g}  # in the optimiser, in the place of {seen.decay:g}"
        title = "a hundredth of the weight decay" if factor else "no weight decay"
        yield _remedy(f"decay_times_{factor:g}", "decay", title, line, loop.other_decay, factor)


def _of_one(code: str, kind: str, title: str, line: str, function: Any, *given: Any, **more: Any) -> Choice:
    remedy = _remedy(code, kind, title, line, function, *given, **more)
    return lambda _, __: [remedy]


_END = _of_one(
    "without_end", "end", "the model ends with its last layer, without a function behind it",
    "return self.last(x)  # in forward; in a Sequential: model[-1] = nn.Identity()", calls.without_end,
    comparable=False,
)  # fmt: skip
_TABLE: Mapping[str, Choice] = {
    "input_not_finite": _of_one(
        "finite", "inputs", "missing numbers of the input are zero", "x = torch.nan_to_num(x)  # before the model",
        layers.finite,
    ),
    "loss_not_finite": lambda found, seen: [
        _remedy(
            "bounded_logarithms", "loss", "logarithms of no less than 1e-7, and of a softmax from its input",
            "F.log_softmax(z, dim=1)  # or torch.log(p.clamp_min(1e-7)), in the place of torch.log(p)",
            calls.bounded_logarithms,
        ),
        rate_times(0.1, seen),
        rate_times(0.01, seen),
    ],
    "missing_zero_grad": _of_one(
        "zero_grad", "gradients", "gradients set to zero after every step",
        "optimizer.zero_grad()  # before backward()", loop.cleared_gradients,
    ),
    "detached": _of_one(
        "unbroken_graph", "graph", "what cuts the graph in forward is taken out",
        "x = x  # in forward, in the place of x.detach(), x.data or torch.no_grad()", loop.unbroken_graph,
    ),
    "not_in_optimiser": _of_one(
        "all_held", "held", "all parameters are given to the optimiser",
        "optimizer = type(optimizer)(model.parameters(), …)", loop.all_parameters_held,
    ),
    "rate_of_zero": _of_one(
        "one_rate", "rate", "the largest rate of all groups where one is zero",
        'for group in optimizer.param_groups: group["lr"] = lr', loop.one_rate,
    ),
    "frozen_layers": _of_one(
        "thawed", "held", "all layers train", "model.requires_grad_(True)  # before the optimiser is made",
        layers.thawed,
    ),
    "evaluating": _of_one(
        "training_mode", "mode", "the model in training mode while it trains",
        "model.train()  # before each epoch, and after each evaluation", loop.training_mode, comparable=False,
    ),
    "single_sample": lambda found, seen: [
        _remedy(
            "group_norm", "normalisation", "group instead of batch normalisation",
            "nn.GroupNorm(groups, channels)  # in the place of nn.BatchNorm", layers.group_norm,
        ),
        rate_times(0.1, seen),
    ],
    "dropout_too_high": _of_one(
        "dropout", "dropout", f"dropout of {DROPOUT:g}", f"nn.Dropout({DROPOUT:g})", layers.lower_dropout, DROPOUT,
    ),
    "clipped": _of_one(
        "unclipped", "clipping", "gradients are not clipped", "# take clip_grad_norm_ out, or allow a far larger norm",
        loop.unclipped_gradients,
    ),
    "underflow": lambda found, seen: [
        _remedy(
            "scaled_loss", "precision", "the loss scaled up before it goes back",
            'scaler = torch.amp.GradScaler()  # scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()',
            loop.scaled_loss,
        ),
        _remedy(
            "full_precision", "precision", "float32 instead of half precision",
            "model.float()  # without torch.autocast",
            loop.full_precision,
        ),
    ],
    "softmax_twice": _of_one(
        "loss_of_logits", "end", "the loss gets what the model's softmax or sigmoid was given",
        "return logits  # in forward, without the softmax or sigmoid: the loss applies it", calls.loss_of_logits,
        comparable=False,
    ),
    "function_before_loss": _END,
    "targets_out_of_reach": _END,
    "no_log_probabilities": _of_one(
        "log_probabilities", "end", "the loss gets logarithms of probabilities",
        "loss = F.cross_entropy(logits, y)  # in the place of nll_loss", calls.log_probabilities, comparable=False,
    ),
    "loss_does_not_suit": lambda found, seen: [
        _remedy(
            "suited_loss", "loss", "cross-entropy instead of a squared loss",
            "loss = F.binary_cross_entropy_with_logits(logits, y)  # or cross_entropy; no sigmoid in the model",
            calls.suited_loss, comparable=False,
        ),
        default_start(),
    ],
    "no_function": _of_one(
        "function_between", "function", "relu between the layers", "nn.ReLU()  # behind every layer but the last",
        layers.function_between, "relu",
    ),
    "units_alike": lambda found, seen: [default_start(), suited_start(seen.function)],
    "inputs_off_scale": lambda found, seen: [standardised()],
    "class_imbalance": _of_one(
        "weighed_classes", "loss", "classes weighed by how rare they are",
        "loss = F.cross_entropy(logits, y, weight=len(y) / (classes * counts))", calls.weighed_classes,
        comparable=False,
    ),
    "start_too_large": _too_large,
    "rate_too_high": _too_high,
    "rate_too_low": _too_low,
    "decay_too_strong": _decay,
    "dead_units": _dead,
    "saturated": _saturated,
    "vanishing_signal": _vanishing,
    "vanishing_gradient": _vanishing,
    "learns_nothing": _nothing,
}  # fmt: skip


def chosen(findings: Sequence[Finding], looks: Sequence[Look]) -> tuple[list[Remedy], list[str]]:
    """Remedies of what was found, those of a cause first, each once; and in words what cannot be tried from outside."""
    seen, found, words = seen_of(looks), dict[str, Remedy](), list[str]()
    warnings = [own for own in findings if own["severity"] == "warning"]
    for own in sorted(warnings, key=lambda one: one["cause"] is not None):
        remedies = list(_TABLE[own["code"]](own, seen)) if own["code"] in _TABLE else []
        if not remedies and own["cause"] is None:
            words.append(f"This cannot be tried from outside: {own['help'] or own['sentence']} [{own['code']}]")
        for remedy in remedies:
            found.setdefault(remedy.code, remedy)
    return list(found.values()), words


def every_remedy(looks: Sequence[Look]) -> list[Remedy]:
    """All that could be tried without knowing what is wrong; for comparison with what a finding chooses."""
    seen, found = seen_of(looks), dict[str, Remedy]()
    nothing: Finding = {"evidence": {}, "sentence": "", "code": "", "help": None}
    for choice in _TABLE.values():
        for remedy in choice(nothing, seen):
            # What factor is tried depends on what was found.
            if not remedy.code.startswith("rate_times"):
                found.setdefault(remedy.code, remedy)
    for factor in (0.01, 0.1, 10.0, 100.0):
        remedy = rate_times(factor, seen)
        found[remedy.code] = remedy
    return list(found.values())
