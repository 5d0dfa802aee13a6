"""What is called: an `Activation` is a definition with its value, derivative, facts and names in other libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actlab.functions.backends.evaluation import evaluate
from actlab.functions.definition import Curve
from actlab.functions.measured import card
from actlab.functions.measured.facts import Facts, facts
from actlab.functions.measured.other_names import elsewhere


@dataclass(frozen=True, eq=False, repr=False)
class Activation(Curve):
    """An activation function: call it for the value; `derivative` and `facts` are what their names say.

    Its attributes are those of `Definition`.

    >>> from actlab.functions import catalogue
    >>> float(catalogue["leaky_relu"](-1.0, negative_slope=0.2))
    -0.2
    """

    def __repr__(self) -> str:
        return f"<activation {self.name}: {self.formula.plain}>"

    def _repr_html_(self) -> str:
        """Its card in a notebook."""
        return card.html(self, self.facts())

    def __call__(self, x: Any, /, *, axis: int = -1, key: Any = None, **parameters: Any) -> Any:
        """Return f(x).

        Args:
            x: NumPy, JAX, PyTorch or TensorFlow array of any shape, or a number or list of numbers, taken as float64.
                float16 and bfloat16 are computed in float32.
            axis: the axis of the units; elementwise functions do not look at it.
            key: for stochastic functions while training: a JAX random key, a `numpy.random.Generator`, a
                `torch.Generator` or a `tensorflow.random.Generator`, by the kind of `x`. Without it, and for all
                others, nothing is random.
            **parameters: numbers, or arrays that broadcast against `x`.

        Returns:
            an array of the same kind and dtype as `x` and of its shape, but for functions that change the
            width (see `inputs_per_unit`).

        Raises:
            InvalidFunction: an unknown parameter, one outside its range, or an input that is no real array.

        >>> from actlab.functions import catalogue
        >>> catalogue["relu"]([-1.0, 2.0])
        array([0., 2.])
        """
        return evaluate(self, "value", x, axis, key, parameters)

    def derivative(self, x: Any, /, *, axis: int = -1, key: Any = None, **parameters: Any) -> Any:
        """Return f'(x), like `x` in kind, dtype and shape; at a kink that of the piece on the left.

        A grouping function returns its Jacobian over the units: the shape of `x` without `axis`, then (outputs,
        inputs). A function registered without a derivative gets it from JAX, in the precision of `x`.

        >>> from actlab.functions import catalogue
        >>> catalogue["relu"].derivative([-1.0, 0.0, 2.0])
        array([0., 0., 1.])
        """
        return evaluate(self, "derivative", x, axis, key, parameters)

    @property
    def elsewhere(self) -> Mapping[str, str]:
        """What it is called in other libraries: library → name, where it has one.

        >>> from actlab.functions import catalogue
        >>> catalogue["hard_tanh"].elsewhere["PyTorch"]
        'torch.nn.Hardtanh()'
        """
        return elsewhere(self.name)

    def names_in(self, library: str) -> str | None:
        """What it is called in one of these libraries; None where it has no name there.

        >>> from actlab.functions import catalogue
        >>> catalogue["silu"].names_in("ONNX"), catalogue["maxout"].names_in("Keras")
        ('Swish', None)
        """
        return self.elsewhere.get(library)

    def facts(self) -> Facts:
        """Return what is measured about the function at its default parameters; see `actlab.functions.measured.facts`.

        >>> from actlab.functions import catalogue
        >>> catalogue["tanh"].facts().range
        (-1.0, 1.0)
        """
        return facts(self)

    def to_dict(self) -> dict[str, Any]:
        """All of it but its rules, as a record for JSON.

        >>> from actlab.functions import catalogue
        >>> record = catalogue["leaky_relu"].to_dict()
        >>> record["year"], record["parameters"]["negative_slope"]
        (2013, {'default': 0.01, 'trainable': False, 'range': [None, None]})
        """
        return {
            "name": self.name,
            "title": self.title,
            "formula": self.formula.plain,
            "latex": self.formula.latex,
            "family": self.family,
            "kind": self.kind,
            "year": self.year,
            "source": self.source,
            "aliases": list(self.aliases),
            "notes": self.notes,
            "elsewhere": dict(self.elsewhere),
            "parameters": {parameter.name: parameter.to_dict() for parameter in self.parameters},
            "facts": self.facts().to_dict(),
        }
