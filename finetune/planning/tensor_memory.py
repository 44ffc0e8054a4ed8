"""How much memory tensors take: a counter of live storage, and the peak of an update that is made without any data.

`Tracked` counts the bytes of every storage that an operation makes or reads, from then until it is collected; views
count once. It sees what torch sees, not what a kernel allocates for itself. On the CPU it agrees with torch's own
allocator profile.

`update_peak` runs the lines that train, `Answerer.forward` and the backward pass, on tensors that have a shape, a type
and a device but no data (torch's FakeTensor), so autocast, checkpointing and the choice of kernels are those of a run.
Numbers of bookkeeping (token ids, masks, grids) stay real: positions and windows are computed from them.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from finetune.model import PIXELS, Answerer

FAKE = FakeTensorMode(allow_non_fake_inputs=True)
aten = torch.ops.aten
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


class Tracked(TorchDispatchMode):
    """`with Tracked(*held) as tracked: ...; tracked.peak_bytes`. Tensors of `held` count from the beginning.

    Of the thread that enters it, its backward passes on the CPU included. Reusable; the peak is over all uses.
    """

    def __init__(self, *held: torch.Tensor):
        super().__init__()
        self.live_bytes = self.peak_bytes = 0
        self._sizes: dict[int, int] = {}
        self.count(held)

    def count(self, tensors: Iterable[Any]) -> None:
        for tensor in tensors:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._sizes:
                    self._sizes[storage._cdata] = storage.nbytes()
                    self.live_bytes += storage.nbytes()
                    weakref.finalize(storage, self._collected, storage._cdata)
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _collected(self, key: int) -> None:
        self.live_bytes -= self._sizes.pop(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.count(tree_leaves((args, made)))
        return made


class Shadowed(Tracked):
    """For tensors without data: a value that is asked for is 0, and places chosen by a real mask are counted out."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.prim.device.default and isinstance(args[0], FakeTensor):
            return args[0].fake_device
        if func is aten._local_scalar_dense.default and isinstance(args[0], FakeTensor):
            return 0.0
        if func in INDEXED:
            args = (args[0], [place for index in args[1] for place in _places(index)], *args[2:])
        return super().__torch_dispatch__(func, types, args, kwargs)


def _places(index: torch.Tensor | None) -> Sequence[torch.Tensor | None]:
    known = index is not None and index.dtype == torch.bool and not isinstance(index, FakeTensor)
    return index.nonzero().unbind(1) if known and index is not None else [index]


def without_data(answerer: Answerer) -> Answerer:
    """A model built on the meta device, with its parameters and buffers as tensors of the CPU that hold nothing."""
    made: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    for module in answerer.modules():
        places: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for place in places:
            for name, tensor in place.items():
                if tensor is not None:
                    if id(tensor) not in made:
                        made[id(tensor)] = tensor, _empty(tensor)
                    place[name] = made[id(tensor)][1]
    return answerer


def _empty(tensor: torch.Tensor) -> torch.Tensor:
    with FAKE:
        made = torch.empty(tensor.shape, dtype=tensor.dtype)
    return torch.nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else made


def repeated(batch: Mapping[str, torch.Tensor], clips: int) -> dict[str, torch.Tensor]:
    """A batch of one clip, so many times; its pixels hold nothing. Of several clips one is padded, as they will be."""
    made = {}
    for name, value in batch.items():
        if name in PIXELS[::2]:
            with FAKE:
                made[name] = torch.empty(len(value) * clips, value.shape[1])
        else:
            made[name] = value.repeat(clips, *[1] * (value.ndim - 1))
    if clips > 1:
        made["attention_mask"][0, -1] = 0
    return made


def update_peak(answerer: Answerer, batch: Mapping[str, Any], *, accumulating: bool) -> int:
    """Most bytes above the parameters in a forward and backward pass, inputs and gradients included.

    `accumulating`: gradients of an earlier pass are there from the beginning.
    """
    trained = list(answerer.trained().values())
    for parameter in trained:
        parameter.grad = torch.empty_like(parameter) if accumulating else None
    answerer.train()
    with _above_weights(answerer, batch) as tracked:
        tracked.count(parameter.grad for parameter in trained)
        answerer(batch).total.backward()
    return tracked.peak_bytes


def seeing_peak(answerer: Answerer, batch: Mapping[str, torch.Tensor]) -> tuple[int, dict[str, Any]]:
    """The same of a frozen vision tower's forward pass, and what it said: `seen` of a batch."""
    with _above_weights(answerer, batch) as tracked, answerer.autocast():
        seen = answerer.see(batch)
    return tracked.peak_bytes, {kind: _features(said) for kind, said in seen.items()}


def _features(said: Any) -> Any:
    """Without the states before the merger: they are gone when the language model's backward pass comes."""
    return type(said)(**{name: value for name, value in said.items() if name != "last_hidden_state"})


@contextlib.contextmanager
def _above_weights(answerer: Answerer, batch: Mapping[str, Any]) -> Iterator[Tracked]:
    with Shadowed(*answerer.parameters(), *answerer.buffers()) as tracked:
        tracked.live_bytes = tracked.peak_bytes = 0
        tracked.count(tree_leaves(dict(batch)))
        yield tracked
