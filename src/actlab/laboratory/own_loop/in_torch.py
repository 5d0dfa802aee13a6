"""Functions compared in a PyTorch model and loop of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from actlab.laboratory.own_loop import comparison
from actlab.laboratory.own_loop.torch_member import check, train_member
from actlab.views.figures.recording import Recording

_PYTORCH = comparison.Framework("PyTorch", train_member, check, torch.accelerator.is_available, torch.set_num_threads)


def compare(
    build: Callable[..., nn.Module], train: Callable[..., Any], activations: Sequence[str], seeds: int | Sequence[int],
    directory: str | Path, *, learning_rates: str | float | Sequence[float] = (1.0,), tuning_seeds: Sequence[int] = (),
    score: str = "test_score", better: Mapping[str, str] | None = None, metric: str | None = None,
    baseline: str | None = None, every: int = 50, processes: int | None = None,
) -> Recording:  # fmt: skip
    """Compare activation functions in a PyTorch model and a training loop of your own.

    Each function is trained with each seed, by one call of `train`. PyTorch's, NumPy's and Python's global generators
    are seeded alike before `build` and before `train`, so that functions are paired by seed: they start from the same
    weights and see the same batches, as far as these are drawn from there. Whenever a network is trained it is kept
    in the directory; the same call again trains what is missing, and so does one with more seeds or activations.
    When all are there, they become a recording like that of `actlab.run`, with `summary.json` and `report.html`.

    Args:
        build: `build(act)` returns a new model, in which `act()` gives the activation under study as a module; see
            `Act`. Or `build()` returns any model, whose activations are replaced as by `actlab.torch.swap`.
        train: `train(model, seed, watch)`, your loop. After each epoch it tells
            `watch.epoch(train_loss=…, validation_loss=…, test_accuracy=…)`: numbers named PART_NAME. What it returns, a
            number or a mapping of such metrics, is entered at its end. `train(model, seed)` tells only that.
        activations: names in the catalogue, or "module:attribute" of your own.
        seeds: how many, or which.
        directory: new, or one in which this comparison was begun.
        learning_rates: factors of what the loop asks for, at each step. Of several, each activation gets its best,
            by the mean `validation_loss` at the end with the tuning seeds; "auto" for 0.1, 0.32, 1, 3.2 and 10.
        tuning_seeds: the three after the largest seed, where none are given.
        score: what a number is that `train` returns.
        better: for metrics of other names than accuracy, loss, f1, r2, rmse, mae, perplexity and the like, which values
            are better: `{"bleu": "higher"}`.
        metric: by which functions are ranked and compared; accuracy where that is known, else the first that is not
            the loss.
        baseline: as of `actlab.run`.
        every: so many steps of the optimiser lie between two looks into the network.
        processes: how many train at a time; as many as there are cores, or one where PyTorch has an accelerator. With
            one, all are trained in this process; so they are where `build` or `train` cannot be sent to another one.

    Returns:
        the recording.

    Raises:
        InvalidModel: `build` or `train` cannot be used so, or no training came to its end. UnknownName: there is no
        such activation. InvalidStudy: seeds or factors that are none. InvalidRecording: the directory holds something
        else, or this comparison with another source of `build` or `train`.
    """
    asked = comparison.Options(learning_rates, tuple(tuning_seeds), score, dict(better or {}), metric, every, processes)
    return comparison.compare(_PYTORCH, build, train, activations, seeds, Path(directory), asked, baseline)
