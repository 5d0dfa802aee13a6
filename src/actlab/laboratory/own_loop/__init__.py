"""Functions compared in a model and a training loop of a user's own: `actlab.torch.compare`, `actlab.keras.compare`.

A member is one training, by one call of the user's code; what it told is kept at once, in a file of its own. When all
are there, they become one ordinary recording.
"""
