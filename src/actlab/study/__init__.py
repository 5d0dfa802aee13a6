"""A study: what is compared, on which data, how the networks are trained, and by which seeds.

A study is data: validated when it is made, saved as TOML, and complete enough to be run again years later.
"""

from actlab.study.completion import complete, load_task
from actlab.study.contests import Arm, Contest, arms, contests
from actlab.study.file import from_toml
from actlab.study.settings import (
    EIGHT,
    SGD,
    Adam,
    AdamW,
    Milestone,
    RMSProp,
    Study,
)

__all__ = [
    "EIGHT",
    "SGD",
    "Adam",
    "AdamW",
    "Arm",
    "Contest",
    "Milestone",
    "RMSProp",
    "Study",
    "arms",
    "complete",
    "contests",
    "from_toml",
    "load_task",
]
