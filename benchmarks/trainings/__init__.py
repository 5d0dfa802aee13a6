"""Trainings of known faults, and healthy ones that look odd: what a diagnosis is counted on."""

from benchmarks.trainings.blind_faulty import BLIND_FAULTY
from benchmarks.trainings.blind_healthy import BLIND_HEALTHY
from benchmarks.trainings.held_out import HELD_OUT
from benchmarks.trainings.training import HEALTHY, Training
from benchmarks.trainings.tuning import TUNING

TRAININGS: tuple[Training, ...] = (*TUNING, *HELD_OUT, *BLIND_FAULTY, *BLIND_HEALTHY)

__all__ = ["HEALTHY", "TRAININGS", "Training"]
