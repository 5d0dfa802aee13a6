"""The rules carried out: NumPy, JAX, PyTorch, TensorFlow; traced, and written in other languages."""
