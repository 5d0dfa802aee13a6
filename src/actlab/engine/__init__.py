"""The engine: one population of networks, trained together by one compiled program, with every layer observed.

`train` is the way in. `actlab.plan` says who is trained; inside, from left to right: `layouts` how the arrays of all
members lie in memory, `training` what one step is, `measures` what is observed, `program` compiles both into one
call for a chunk of epochs, `run` feeds it and records.
"""

from actlab.engine.run import Progress, train

__all__ = ["Progress", "train"]
