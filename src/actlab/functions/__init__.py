"""The activation functions: the catalogue, what a function is, and what is measured about each."""

from actlab.functions.activation import Activation
from actlab.functions.arrays import namespace
from actlab.functions.catalogue import catalogue, register, select, unregister
from actlab.functions.definition import Formula, Parameter
from actlab.functions.measured.facts import CriticalInitialisation, Facts, slope_supremum
from actlab.functions.own import activation_named, import_activation

__all__ = [
    "Activation",
    "CriticalInitialisation",
    "Facts",
    "Formula",
    "Parameter",
    "activation_named",
    "catalogue",
    "import_activation",
    "namespace",
    "register",
    "select",
    "slope_supremum",
    "unregister",
]
