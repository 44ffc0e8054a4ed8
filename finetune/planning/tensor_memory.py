"""Memory of tensors: a tracker of live storage, and the peak of an update that is computed without data.

`MemoryTracker` counts the bytes of every storage that an operation creates or reads, from then until it is collected;
views count once. It sees what torch sees, not what a kernel allocates for itself. On the CPU it agrees with torch's own
allocator profile.

`trace_update` runs the training code itself, `Answerer.forward` and the backward pass, on tensors that have a shape, a
type and a device but no data (torch's FakeTensor), so autocast, checkpointing and the choice of kernels are those of a
run. Bookkeeping tensors (token ids, masks, grids) stay real, because positions and windows are computed from them.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from finetune.model import Answerer
from finetune.planning.operators import Tally, operator_of

FAKE = FakeTensorMode(allow_non_fake_inputs=True)
aten = torch.ops.aten
BOOKKEEPING = "bookkeeping"
"""Attribute of a tensor without data that the host computes."""
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


def tensors(*values: Any) -> list[torch.Tensor]:
    """Return the tensors of an operator's arguments or result, in order; its lists and dicts may hold others."""
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += tensors(*value)
        elif isinstance(value, dict):
            found += tensors(*value.values())
    return found


class MemoryTracker(TorchDispatchMode):
    """Tracker of live and peak bytes: `with MemoryTracker(*held) as tracker: ...; tracker.peak_bytes`.

    Tensors of `held` count from the beginning. It sees the thread that enters it and, on the CPU, its backward passes.
    Reusable; the peak is over all uses.
    """

    def __init__(self, *held: torch.Tensor):
        super().__init__()
        self.live_bytes = self.peak_bytes = 0
        self._sizes: dict[int, int] = {}
        self.count(held)

    def count(self, values: Iterable[Any]) -> None:
        """Count the storages of tensors that are not counted yet; other values are ignored."""
        for tensor in values:
            if isinstance(tensor, torch.Tensor):
                # Views share a storage, so it is known by its address, which may be used again once it is collected.
                storage = tensor.untyped_storage()
                if storage._cdata not in self._sizes:
                    self._sizes[storage._cdata] = storage.nbytes()
                    self.live_bytes += storage.nbytes()
                    weakref.finalize(storage, self._release, storage._cdata)
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _release(self, key: int) -> None:
        self.live_bytes -= self._sizes.pop(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.call(func, args, kwargs or {})

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Call an operator, count what it reads and returns, and return its result."""
        result = func(*args, **kwargs)
        self.count(tensors(args, result))
        return result


class FakeTensorTracker(MemoryTracker):
    """Tracker for tensors without data: reading a value yields 0, and real masks are resolved to positions.

    `tally` counts the operators that launch work.
    """

    def __init__(self, *held: torch.Tensor):
        super().__init__(*held)
        self.tally: Tally = Counter()

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func is torch.ops.prim.device.default and isinstance(args[0], FakeTensor):
            return args[0].fake_device
        if func is aten._local_scalar_dense.default and isinstance(args[0], FakeTensor):
            return 0.0
        if func in INDEXED:
            # A fake tensor indexed by a mask has a size that depends on data, which FakeTensor refuses. The masks are
            # real here: replaced by the positions that they select, they give a size that is known.
            args = (args[0], [place for index in args[1] for place in _positions(index)], *args[2:])
        result = super().call(func, args, kwargs)
        inputs, outputs = tensors(args, kwargs), tensors(result)
        # What is computed from bookkeeping alone is bookkeeping.
        if inputs and all(map(_is_bookkeeping, inputs)):
            for output in outputs:
                setattr(output, BOOKKEEPING, True)
        elif not all(map(_is_bookkeeping, outputs + inputs)) and (found := operator_of(func, inputs, outputs)):
            self.tally[found] += 1
        return result


class Traced(NamedTuple):
    """What a pass without data says: its peak in bytes above the parameters, and the operators that it launches."""

    peak_bytes: int
    tally: Tally


def _is_bookkeeping(tensor: torch.Tensor) -> bool:
    """Return True for what the host computes: real tensors, and those that are marked."""
    return not isinstance(tensor, FakeTensor) or hasattr(tensor, BOOKKEEPING)


def _positions(index: torch.Tensor | None) -> Sequence[torch.Tensor | None]:
    """Return the positions that a real mask selects, one tensor per dimension; any other index as it is."""
    real = index is not None and index.dtype == torch.bool and not isinstance(index, FakeTensor)
    return index.nonzero().unbind(1) if real and index is not None else [index]


def strip_data(answerer: Answerer) -> Answerer:
    """Replace parameters and buffers of a model on the meta device by CPU tensors without data; return the model."""
    # By identity: tied weights stay one tensor. The originals are kept until the end, or an id could be used again.
    stripped: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    for module in answerer.modules():
        tables: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for table in tables:
            for name, tensor in table.items():
                if tensor is not None:
                    if id(tensor) not in stripped:
                        stripped[id(tensor)] = tensor, _empty(tensor)
                    table[name] = stripped[id(tensor)][1]
    if answerer.adapters:
        answerer.adapters.draw = _undrawn_bytes
    return answerer


def _undrawn_bytes(seeds: Sequence[int], count: int, device: torch.device) -> torch.Tensor:
    """Return bytes [b, count] without data; their masks are bookkeeping, as if they were real."""
    with FAKE:
        undrawn = torch.empty(len(seeds), count, dtype=torch.uint8, device=device)
    setattr(undrawn, BOOKKEEPING, True)
    return undrawn


def _empty(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the same shape and type without data."""
    with FAKE:
        empty = torch.empty(tensor.shape, dtype=tensor.dtype)
    return torch.nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else empty


def repeat_clip(batch: Mapping[str, torch.Tensor], clips: int) -> dict[str, torch.Tensor]:
    """Return a batch of one clip repeated, its frames without data; of several rows one is padded, as in real ones."""
    repeated = {}
    for name, value in batch.items():
        if name == "frames":
            with FAKE:
                repeated[name] = torch.empty(len(value) * clips, *value.shape[1:], dtype=value.dtype)
        else:
            repeated[name] = value.repeat(clips, *[1] * (value.ndim - 1))
    if clips > 1:
        # To the plain path padding costs an attention mask [b, 1, length, length].
        repeated["attention_mask"][0, -1] = 0
    return repeated


def trace_update(answerer: Answerer, batch: Mapping[str, Any], *, accumulating: bool) -> Traced:
    """Trace a forward and backward pass; inputs and gradients are part of the peak.

    `accumulating`: gradients of an earlier pass exist from the beginning.
    """
    trainable = list(answerer.trainable().values())
    for parameter in trainable:
        parameter.grad = torch.empty_like(parameter) if accumulating else None
    answerer.train()
    with _tracker_above_weights(answerer, batch) as tracker:
        tracker.count(parameter.grad for parameter in trainable)
        answerer(batch).total.backward()
    return Traced(tracker.peak_bytes, tracker.tally)


def trace_vision(answerer: Answerer, batch: Mapping[str, torch.Tensor]) -> tuple[Traced, dict[str, Any]]:
    """Trace a frozen vision tower's forward pass; return also the batch with its output in place of the frames."""
    with _tracker_above_weights(answerer, batch) as tracker, answerer.autocast():
        seen = answerer.seen(batch)
    traced = Traced(tracker.peak_bytes, tracker.tally)
    return traced, {name: value for name, value in batch.items() if name != "frames"} | seen


@contextlib.contextmanager
def _tracker_above_weights(answerer: Answerer, batch: Mapping[str, Any]) -> Iterator[FakeTensorTracker]:
    """Track a batch and what is computed from it; parameters and buffers count as 0."""
    with FakeTensorTracker(*answerer.parameters(), *answerer.buffers()) as tracker:
        tracker.live_bytes = tracker.peak_bytes = 0
        tracker.count(tree_leaves(dict(batch)))
        yield tracker
