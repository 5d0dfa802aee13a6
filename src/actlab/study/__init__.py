"""A study: what is compared, on which data, how the networks are trained, and by which seeds.

A study is data: validated when it is made, saved as TOML, and complete enough to be run again years later.
"""

from actlab.study.completion import complete, load_task, weights_of
from actlab.study.conditions import Condition, Variant, conditions, variants
from actlab.study.file import from_toml
from actlab.study.observed import AS_BUILT, Observed, is_watched, observed
from actlab.study.optimisers import SGD, Adam, AdamW, RMSProp
from actlab.study.settings import DEFAULT_ACTIVATIONS, Milestone, Study

__all__ = [
    "AS_BUILT",
    "DEFAULT_ACTIVATIONS",
    "SGD",
    "Adam",
    "AdamW",
    "Condition",
    "Milestone",
    "Observed",
    "RMSProp",
    "Study",
    "Variant",
    "complete",
    "conditions",
    "from_toml",
    "is_watched",
    "load_task",
    "observed",
    "variants",
    "weights_of",
]
