"""The engine for networks in PyTorch: all members that share a function are trained at once, by `torch.func`.

From left to right: `draws` what is random, by seed · `kernels` functions as operations of a graph · `graphs` what one
member computes, vectorised over members and traced once into a flat list of operations · `optimisers` · `measures` what
is observed · `slices` members that are trained together, with their state · `program` slices over the cores. PyTorch is
imported when a study has such a network, and not before.
"""
