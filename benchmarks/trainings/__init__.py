"""Trainings of known faults, and healthy ones that look odd: what a diagnosis is counted on."""

from benchmarks.trainings.held_out import HELD_OUT
from benchmarks.trainings.training import HEALTHY, Training
from benchmarks.trainings.tuning import TUNING

TRAININGS: tuple[Training, ...] = (*TUNING, *HELD_OUT)

__all__ = ["HEALTHY", "TRAININGS", "Training"]
