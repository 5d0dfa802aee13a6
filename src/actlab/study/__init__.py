"""A study: what is compared, on which data, how the networks are trained, and by which seeds.

A study is data: validated when it is made, saved as TOML, and complete enough to be run again years later.
"""

from actlab.study.completion import complete, load_task, weights_of
from actlab.study.conditions import Condition, Variant, conditions, variants
from actlab.study.file import from_toml
from actlab.study.optimisers import SGD, Adam, AdamW, RMSProp
from actlab.study.settings import DEFAULT_ACTIVATIONS, Milestone, Study

__all__ = [
    "DEFAULT_ACTIVATIONS",
    "SGD",
    "Adam",
    "AdamW",
    "Condition",
    "Milestone",
    "RMSProp",
    "Study",
    "Variant",
    "complete",
    "conditions",
    "from_toml",
    "load_task",
    "variants",
    "weights_of",
]
