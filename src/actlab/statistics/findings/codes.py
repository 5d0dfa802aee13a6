"""Every finding there is, by its code: one list for studies and for trainings that are watched.

A code is the finding's name for programs, and stays what it is; `docs/findings/CODE.md` is its page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from actlab.errors import UnknownName


@dataclass(frozen=True)
class Code:
    """A kind of finding.

    Attributes:
        title: what it is, in a few words.
        severity: "warning", or "info" of what is no fault; some warnings are infos where they do no harm.
        watched: whether it is found of trainings that are watched.
        studied: whether it is found of studies.
        exact: whether it is certain, without a threshold that could be another one.
    """

    title: str
    severity: str = "warning"
    watched: bool = True
    studied: bool = False
    exact: bool = False


def _of_studies(title: str, severity: str = "warning") -> Code:
    return Code(title, severity, watched=False, studied=True)


CODES: Mapping[str, Code] = MappingProxyType(
    {
        # Of the loop around a model.
        "input_not_finite": Code("The input holds NaN or infinite numbers", exact=True),
        "loss_not_finite": Code("The loss is NaN or infinite, of outputs that are finite", exact=True),
        "missing_zero_grad": Code("Gradients of the step before are not set to zero", exact=True),
        "detached": Code("Parameters get no gradient: the graph is cut", exact=True),
        "not_in_optimiser": Code("Parameters that could train are held by no optimiser", exact=True),
        "rate_of_zero": Code("The optimiser moves some parameters at a rate of zero", exact=True),
        "frozen_layers": Code("Layers are frozen, and the rest learns nothing"),
        "evaluating": Code("Layers work as in evaluation while the model trains", exact=True),
        "single_sample": Code("Batch normalisation sees one sample at a time", exact=True),
        "dropout_too_high": Code("Dropout leaves out nearly all", exact=True),
        "clipped": Code("The gradient is clipped to next to nothing"),
        "underflow": Code("Gradients are lost to zero in half precision"),
        "unused_layers": Code("Layers do not run", "info", exact=True),
        # Between the model and the loss.
        "softmax_twice": Code("The loss applies a softmax or sigmoid to what went through one", exact=True),
        "function_before_loss": Code("A function before the loss keeps outputs from what they have to say", exact=True),
        "no_log_probabilities": Code("The loss takes logarithms of what are no probabilities", exact=True),
        "targets_out_of_reach": Code("Targets lie where the last function cannot get", exact=True),
        "loss_does_not_suit": Code("A squared loss behind a function that is saturated"),
        # Of the model and its start.
        "no_function": Code("No function stands between the layers", exact=True),
        "units_alike": Code("Units begin with the same weights", studied=True, exact=True),
        "start_too_large": Code("The initial weights are too large", studied=True),
        "narrow_layer": _of_studies("A layer is too narrow for what has to pass"),
        # Of the data.
        "inputs_off_scale": Code("The inputs, or one of them, are far from unit scale", studied=True),
        "class_imbalance": Code("One class has nearly all samples, and is all that is answered"),
        "labels_unlearnable": Code("The inputs do not tell the labels", studied=True),
        # Of what training makes of it.
        "rate_too_high": Code("The learning rate is too high", studied=True),
        "rate_too_low": Code("The learning rate is too low", studied=True),
        "decay_too_strong": Code("Weight decay takes the weights away"),
        "dead_units": Code("Units are dead", studied=True),
        "saturated": Code("A function is saturated"),
        "vanishing_signal": Code("All samples look alike within the network"),
        "vanishing_gradient": Code("The gradient vanishes towards the input", studied=True),
        "learns_nothing": Code("Nothing is learnt", studied=True),
        "only_regulariser": _of_studies("Only the regulariser is learnt"),
        "comes_apart": _of_studies("What was learnt is lost again"),
        # Of studies, for the record.
        "linear_depth": _of_studies("Depth adds nothing without a function", "info"),
        "milestone_order": _of_studies("Who reaches a milestone first", "info"),
        "first_convolution": _of_studies("The gradient at the first convolution", "info"),
        "within_noise": _of_studies("Differences that chance explains", "info"),
    }
)


def checked(codes: Iterable[str]) -> frozenset[str]:
    """Codes that a user named.

    Raises:
        UnknownName: one of them is none.

    >>> sorted(checked(["rate_too_low"]))
    ['rate_too_low']
    """
    # A single code is no list of letters.
    own = [codes] if isinstance(codes, str) else list(codes)
    for code in own:
        if code not in CODES:
            raise UnknownName("finding", str(code), CODES)
    return frozenset(own)


def page_of(code: str) -> str:
    """Where a finding is explained, from the root of the repository.

    >>> page_of("dead_units")
    'docs/findings/dead_units.md'
    """
    return f"docs/findings/{code}.md"
