"""Elementwise functions of large CPU tensors, a block after the other, each small enough to stay in the cache.

A rule is a chain of some ten to fifty operations. Over a whole tensor each would go through main memory and leave a
tensor as large as the input; over blocks only input and output do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from actlab.functions.backends.call import Call
from actlab.functions.backends.torch.gradients import HALF_TYPES, pull_parameter, work_type
from actlab.functions.backends.torch.kernels import Kernel, kernel, marked, mend, run
from actlab.functions.backends.torch.namespace import QuickNamespace, TorchNamespace

Tensor = torch.Tensor
_PLAIN = (torch.Tensor, torch.nn.Parameter)
# For each thread, as PyTorch waits for all of them after every operation: as fast as any size on the machine where
# it was measured, with a cache of 1 MB for each core, and of larger blocks the operations wait less often.
_BLOCK = 131_072
# Divides _BLOCK: of so many elements one is looked at where few have to be mended.
_FOLDS = 8
_KEPT = 2**24


def takes_blocks(call: Call, *tensors: Tensor) -> bool:
    """Say whether a call may be computed in blocks: nothing watches its operations, and its data is in memory."""
    return call.elementwise and call.is_written and is_plain(*tensors)


def is_plain(*tensors: Tensor) -> bool:
    """Say whether these are nothing but numbers in the memory of a CPU."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return False
    if torch._C._len_torch_dispatch_stack():  # something records operations, or computes with shapes alone
        return False
    for tensor in tensors:
        if type(tensor) not in _PLAIN or tensor.device.type != "cpu" or tensor.layout != torch.strided:
            return False
        try:
            tensor.data_ptr()
        except RuntimeError:  # one that a transformation of torch.func has wrapped
            return False
    return True


def block_size() -> int:
    """How many elements are computed at a time."""
    return _BLOCK * torch.get_num_threads()


def in_blocks(call: Call, which: str, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    """Compute "value" or "derivative"."""
    out = torch.empty_like(x)
    native = None if tensors else _kernel(call, which, x)
    if native is not None:
        _natively(native, x, None if which == "value" else torch.ones((), dtype=x.dtype).expand_as(x), out)
        return out
    work, xp = work_type(x), QuickNamespace(x.device)
    rule = call.value if which == "value" else call.slope
    for block, into, _, parts, _ in _blocks(x, out, None, tensors, ()):
        into.copy_(rule(block.to(work), xp, call.settings(parts)))
    return out


def pull_in_blocks(
    call: Call, gradient: Tensor, x: Tensor, tensors: tuple[Tensor, ...], needed: tuple[bool, ...]
) -> list[Tensor | None]:
    """Carry the gradient of the output back to the input and to each tensor that needs it."""
    out = torch.empty_like(x) if needed[0] else None
    native = None if tensors or out is None else _kernel(call, "derivative", x)
    if native is not None and out is not None:
        _natively(native, x, gradient, out)
        return [out]
    totals = tuple(torch.zeros_like(t) if need else None for t, need in zip(tensors, needed[1:], strict=True))
    work, quick, xp = work_type(x), QuickNamespace(x.device), TorchNamespace(x.device)
    for block, into, along, parts, sums in _blocks(x, out, gradient, tensors, totals):
        settings, wide = call.settings(parts), block.to(work)
        if into is not None:
            _product(call.slope(wide, quick, settings), along, into)
        for name, part, total in zip(call.names, parts, sums, strict=True):
            if total is not None:
                total += pull_parameter(call, name, along.to(work).expand(block.shape), wide, part, xp, settings)
    return [out, *totals]


def _product(slope: Tensor, gradient: Tensor, into: Tensor) -> None:
    if into.dtype in HALF_TYPES:
        into.copy_(slope * gradient)
    else:
        torch.mul(slope.to(into.dtype), gradient, out=into)


def _kernel(call: Call, which: str, x: Tensor) -> Kernel | None:
    return kernel(call.definition, which, x.dtype != torch.float64, dict(call.constants))


def _natively(native: Kernel, x: Tensor, gradient: Tensor | None, out: Tensor) -> None:
    """Write the value, or the derivative times the gradient, into `out`, which lies in memory like x."""
    work = work_type(x)
    # A kernel reads a gradient that is one number for all, as that of a sum is, as slowly as a strided one.
    one = gradient is not None and gradient.numel() > 1 and not any(gradient.stride())
    coarse, same, size = None, None, block_size()
    if x.dtype == work and (x.numel() <= size or (native.whole and not one)):
        apply_kernel(native, x, gradient.contiguous() if gradient is not None and one else gradient, out)
        return
    for number, (block, into, along, _, _) in enumerate(_blocks(x, out, gradient, (), ())):
        if along is not None and one:
            same = along.to(work).expand(block.shape).contiguous() if same is None or same.ndim > 1 else same
            along = same[: len(block)]
        wide = block.to(work)
        result = into if wide is block else torch.empty_like(wide)
        along = None if along is None else along.to(work)
        if wide is not block or block.ndim != 1 or block.numel() != size:
            apply_kernel(native, wide, along, result)
        elif (marks := run(native, wide, along, result)) is not None:
            coarse = x.new_zeros(-(-x.numel() // size), size // _FOLDS) if coarse is None else coarse
            torch.sum(marks.view(_FOLDS, -1), 0, out=coarse[number])
        if result is not into:
            into.copy_(result)
    if coarse is not None:
        _mend_few(native, x, gradient, out, coarse)


def apply_kernel(native: Kernel, x: Tensor, gradient: Tensor | None, out: Tensor) -> None:
    """Write the value (gradient None), or the derivative times the gradient, of a block in the type of its work."""
    marks = run(native, x, gradient, out)
    if marks is not None:
        mend(native, x, gradient, out, marks.reshape(-1).nonzero().squeeze(1))


def _mend_few(native: Kernel, x: Tensor, gradient: Tensor | None, out: Tensor, coarse: Tensor) -> None:
    """Mend what is marked, all blocks at once; `coarse` has the sums over every _FOLDS marks of a block.

    Looking at the marks one by one would take longer than a kernel does.
    """
    order = sorted(range(x.ndim), key=x.stride, reverse=True)
    flat_x, flat_out, along = _flat(x, order), _flat(out, order), _flat(gradient, order)
    assert flat_x is not None
    assert flat_out is not None
    width = coarse.shape[1]
    block, column = coarse.nonzero().unbind(1)
    indices = (torch.arange(_FOLDS).mul_(width)[:, None] + (block * (width * _FOLDS) + column)).reshape(-1)
    marks = marked(native, flat_x.index_select(0, indices)) if len(indices) else None
    if marks is not None:
        mend(native, flat_x, along, flat_out, indices[marks.nonzero().squeeze(1)])


def _blocks(
    x: Tensor, out: Tensor | None, gradient: Tensor | None, tensors: tuple[Tensor, ...], totals: tuple[Any, ...]
) -> Iterator[tuple[Any, Any, Any, tuple[Tensor, ...], tuple[Any, ...]]]:
    """Yield the blocks of input, output and gradient, and the parts of tensors and totals that belong to them."""
    size = block_size()
    order = sorted(range(x.ndim), key=x.stride, reverse=True)
    in_memory = x.is_contiguous() or x.permute(order).is_contiguous()
    own = [t for t in tensors if t.numel() != 1]
    if in_memory and all(t.shape == x.shape and t.is_contiguous() and x.is_contiguous() for t in own):
        # One long row in the order of the memory.
        x, out, gradient = x.permute(order).reshape(-1), _flat(out, order), _flat(gradient, order)
        tensors = tuple(t.reshape(-1 if t.numel() > 1 else ()) for t in tensors)
        totals = tuple(None if t is None else t.view(-1 if t.numel() > 1 else ()) for t in totals)
        step = size
    else:
        step = max(1, size * x.shape[0] // max(1, x.numel()))
    if step < x.shape[0]:
        # Once as much has been freed the C library keeps what the blocks free, and does not ask for it page by page.
        torch.empty(_KEPT, dtype=torch.uint8)
    for start in range(0, x.shape[0], step):
        rows = slice(start, start + step)

        def part(t: Any, rows: slice = rows) -> Any:
            return t if t is None or t.ndim < x.ndim or t.shape[0] != x.shape[0] else t[rows]

        yield x[rows], part(out), part(gradient), tuple(map(part, tensors)), tuple(map(part, totals))


def _flat(x: Tensor | None, order: list[int]) -> Tensor | None:
    if x is None:
        return None
    if x.numel() > 1 and not any(x.stride()):  # one number for all, as the gradient of a sum is
        return x[(0,) * x.ndim]
    return x.permute(order).reshape(-1)
