"""What pytest must know before it collects: which files only run in processes of their own, or need what is missing."""

import importlib.util
import os

# The doctests of actlab.keras; each backend is tested in a process of its own, which says its own.
os.environ.setdefault("KERAS_BACKEND", "jax")

collect_ignore = ["tests/keras_backends.py", "tests/tensorflow_door.py"]
if importlib.util.find_spec("keras") is None:
    collect_ignore.append("src/actlab/keras.py")
