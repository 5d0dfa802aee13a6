"""Which samples each seed sees when, and how many epochs run in one call."""

from __future__ import annotations

import numpy as np

from actlab.plan.population import Population
from actlab.study import Study

# What is done in an epoch of a chunk.
SKIP, OBSERVE, TRAIN = 0, 1, 2
# A chunk is about this much arithmetic: half a second or less, so that progress shows.
CHUNK_OPERATIONS = 4e9
# A step takes no less time than so much arithmetic, however little it has to do.
STEP_OPERATIONS = 1.5e5


def orders(study: Study, samples: int, seeds: tuple[int, ...], epochs: range) -> np.ndarray:
    """Which samples each seed sees when: int32 (epochs, steps, batch, seeds), −1 pads an epoch's last batch.

    Epoch e of a seed is shuffled by the counter-based generator with the key (seed, e): the same whatever the other
    members are, and whatever epochs came before.

    Args:
        study: for its batch.
        samples: number of training samples.
        seeds: any, in [0, 2³²).
        epochs: which.

    Source: Philox-4×64, Salmon et al. 2011 (doi:10.1145/2063384.2063405).

    >>> orders(Study(batch=2), samples=3, seeds=(0, 1), epochs=range(1, 2))[0, 1].tolist()
    [[2, 1], [-1, -1]]
    """
    steps = -(-samples // study.batch)
    # In the layout of the devices from the start, while these are busy.
    found = np.full((len(epochs), steps * study.batch, len(seeds)), -1, np.int32)
    by_seed = np.empty((len(seeds), samples), np.int32)
    philox = np.random.Philox(key=0)
    generator, fresh = np.random.Generator(philox), philox.state
    for i, epoch in enumerate(epochs):
        for j, seed in enumerate(seeds):
            # Another key for one generator: to make one took a third of the time of shuffling 2,000 samples.
            fresh["state"]["key"][:] = seed, epoch
            philox.state = fresh
            by_seed[j] = generator.permutation(samples)
        # All seeds at once: number by number, seed after seed, these writes took a sixth of the time.
        found[i, :samples] = by_seed.T
    return found.reshape(len(epochs), steps, study.batch, len(seeds))


def chunk_length(study: Study, population: Population, samples: int) -> int:
    """Epochs in one call: about CHUNK_OPERATIONS of arithmetic, and at least ten chunks in a run.

    From 1 to ⌈(epochs + 1)/10⌉, the untrained network counted as an epoch; a step takes 6 operations for each
    parameter and sample, and STEP_OPERATIONS at least.

    >>> from actlab import Act, Dense
    >>> from actlab.plan.population import populations
    >>> study = Study(network=[Dense(2), Act(), Dense(1)], seeds=4, epochs=99, learning_rates=[0.1])
    >>> (population,) = populations(study, (2,))
    >>> chunk_length(study, population, samples=1000), chunk_length(study, population, samples=1_000_000)
    (10, 1)
    """
    members = len(population.variants) * len(population.seeds)
    step = max(6 * population.network.parameter_count * members * study.batch, STEP_OPERATIONS)
    operations = step * -(-samples // study.batch)
    return max(1, min(round(CHUNK_OPERATIONS / operations), -(-(study.epochs + 1) // 10)))
