"""A training that goes wrong, healed: remedies of its findings tried over new seeds, judged by validation alone.

`heal` takes a PyTorch model of a user's own as `build` and `train`, `studies` a study. `remedy` says what a remedy is;
`layers`, `loop` and `calls` what can be changed from outside of a user's code: the model, the loop around it, and the
functions called. `choice` says which remedies a finding has, `trial` trains once, `processes` several times,
and `outcome` tells what came of it.
"""

from actlab.laboratory.healing.healing import heal
from actlab.laboratory.healing.outcome import Healing, Try

__all__ = ["Healing", "Try", "heal"]
