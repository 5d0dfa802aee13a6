"""Growth curves, S-shaped but not symmetric: log-log, complementary log-log, and the one of Richards."""

from __future__ import annotations

from typing import Any

from actlab.functions.activation import Activation
from actlab.functions.definition import Formula, Parameter
from actlab.functions.numerics import Scaled, absolute, exponential_minus_one, falling, gompertz

# exp(−exp(7)) has underflowed; further out exp(x) would overflow.
_UNDERFLOWN = 7.0


def _log_log(x: Any, xp: Any) -> Any:
    curve, _ = gompertz(x, xp)
    return curve.plain(xp)


def _log_log_derivative(x: Any, xp: Any) -> Any:
    curve, exponential = gompertz(x, xp)
    return curve.times(exponential).plain(xp)


def _c_log_log(x: Any, xp: Any) -> Any:
    return -exponential_minus_one(-xp.exp(xp.minimum(x, _UNDERFLOWN)), xp)


def _c_log_log_derivative(x: Any, xp: Any) -> Any:
    return _log_log_derivative(-x, xp)


def _aria2_parts(x: Any, xp: Any, alpha: Any, beta: Any) -> tuple[Any, Any, Scaled]:
    """exp(−β|x|); (1 + that)^(−α); and exp(αβx) where x < 0, exp(−βx) elsewhere."""
    size = absolute(x, xp)
    exponential = xp.exp(-beta * size)
    rate = xp.where(x >= 0, beta, alpha * beta)
    return exponential, xp.exp(-alpha * xp.log1p(exponential)), falling(rate, size, xp)


def _aria2(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    # Right of e^(−βx) = e directly, or next to 0 the product would go up and down by an ulp.
    _, power, tail = _aria2_parts(x, xp, alpha, beta)
    direct = xp.exp(-alpha * xp.log1p(xp.exp(xp.minimum(-beta * x, 1.0))))
    return xp.where(-beta * x <= 1.0, direct, tail.times(power).plain(xp))


def _aria2_derivative(x: Any, xp: Any, alpha: Any, beta: Any) -> Any:
    exponential, power, tail = _aria2_parts(x, xp, alpha, beta)
    return tail.times(alpha * beta).times(power).over(1.0 + exponential).plain(xp)


log_log = Activation(
    name="log_log",
    title="Log-log",
    formula=Formula("exp(-exp(-x))", r"e^{-e^{-x}}"),
    family="growth",
    year=2011,
    source="Gomes, Ludermir and Lima, 2011, doi:10.1007/s00521-010-0407-3; as a curve of growth Gompertz, 1825",
    value_rule=_log_log,
    derivative_rule=_log_log_derivative,
    aliases=("gompertz",),
    notes="log_log(x) is 1 - c_log_log(-x).",
)

c_log_log = Activation(
    name="c_log_log",
    title="Complementary log-log",
    formula=Formula("1 - exp(-exp(x))", r"1 - e^{-e^x}"),
    family="growth",
    year=2008,
    source="Gomes and Ludermir, 2008, doi:10.21528/LNLM-vol6-no2-art4",
    value_rule=_c_log_log,
    derivative_rule=_c_log_log_derivative,
    aliases=("complementary_log_log",),
    notes="c_log_log(x) is 1 - log_log(-x).",
)

aria2 = Activation(
    name="aria2",
    title="ARiA2",
    formula=Formula("(1 + exp(-beta*x))^(-alpha)", r"(1 + e^{-\beta x})^{-\alpha}"),
    family="growth",
    year=2018,
    source="Patwardhan, Ingalhalikar and Walambe, 2018, arXiv:1805.08878",
    value_rule=_aria2,
    derivative_rule=_aria2_derivative,
    parameters=(Parameter("alpha", 1.5, low=0.0), Parameter("beta", 2.0, low=0.0)),
    notes="Formula as commonly implemented (echoAI), there with alpha 1 and beta 0.5: the curve of Richards itself. "
    "The paper weights x with it: its ARiA2 is x*aria2(x).",
)

FUNCTIONS = (log_log, c_log_log, aria2)
