"""Training clips read in the background, so that an update does not wait for its frames."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

from finetune.data import ClipDataset, Example
from reference.pool import end_with_parent

UPDATES_AHEAD = 2


def read_ahead(
    clips: ClipDataset, *, seed: int, clips_per_update: int, first_step: int, rank: int = 0, processes: int = 1
) -> Iterator[list[Example]]:
    """Yield this process's share of the clips of each update, from `first_step` on and without end.

    Clip k of the whole run is a function of the seed and k, so a resumed run reads what an uncut one would have read.
    """
    # Augmented clips are read in another process, which holds the data set already: it is not sent with each request.
    sent = clips if clips.clips.augment is None else None
    with _executor(clips) as pool:
        waiting: list[list[Future[Example]]] = []
        orders: dict[int, list[int]] = {}
        step = first_step
        while True:
            while len(waiting) < UPDATES_AHEAD:
                first = step * clips_per_update
                share = []
                for position in range(first + rank, first + clips_per_update, processes):
                    epoch, number = divmod(position, len(clips))
                    if epoch not in orders:
                        # An update may reach across the end of an epoch: two orders are kept, older ones are not.
                        orders = {epoch - 1: orders.get(epoch - 1, []), epoch: clips.order(seed, epoch)}
                    share.append(pool.submit(_read, sent, orders[epoch][number], epoch))
                waiting.append(share)
                step += 1
            yield [future.result() for future in waiting.pop(0)]


def _executor(clips: ClipDataset) -> Executor:
    """Return threads, or one process if frames are augmented: that much numpy would hold the interpreter's lock."""
    if clips.clips.augment is None:
        return ThreadPoolExecutor(2)
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_adopt, initargs=(clips,))


_adopted: list[ClipDataset] = []


def _adopt(clips: ClipDataset) -> None:
    end_with_parent()
    """Keep the data set in a reading process."""
    _adopted.append(clips)


def _read(clips: ClipDataset | None, number: int, epoch: int) -> Example:
    return (clips or _adopted[0]).example(number, epoch)
