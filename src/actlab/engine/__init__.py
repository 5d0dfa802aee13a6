"""The engine: one population of networks, trained together by one compiled program, with every layer observed.

`run` is the way in. Inside, from left to right: `population` says who is trained, `layouts` how the arrays of all
members lie in memory, `training` what one step is, `probes` what is observed, `program` compiles both into one
call for a chunk of epochs, `host` feeds it and records.
"""

from actlab.engine.run import Progress, run

__all__ = ["Progress", "run"]
