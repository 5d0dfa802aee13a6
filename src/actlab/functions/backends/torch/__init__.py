"""The rules on PyTorch tensors."""
