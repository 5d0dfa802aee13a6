"""What a process that trains Keras models is told before Keras is imported."""

from __future__ import annotations

import os


def prepare(backend: str, threads: int) -> None:
    """Choose Keras' backend, and with how many threads it computes.

    Args:
        backend: as in the process that asks.
        threads: for TensorFlow, PyTorch and NumPy; JAX computes with one, or with as many as it likes.
    """
    os.environ["KERAS_BACKEND"] = backend
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    if threads == 1:
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
