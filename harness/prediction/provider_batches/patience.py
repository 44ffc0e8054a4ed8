"""Try a provider again where that may help, and make an error of the run of what does not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from harness.errors import HarnessError
from harness.prediction.asker import AGAIN, NotAnswered
from harness.prediction.loop.pace import pause

T = TypeVar("T")

TRIES = 6
TRANSFER_S = 3600.0
"""Longest time of one request: a file of 200 MB over a slow line."""


async def once(call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Return what a call returns. Raises NotAnswered, also where it takes longer than `TRANSFER_S`."""
    try:
        async with asyncio.timeout(TRANSFER_S):
            return await call(*arguments)
    except TimeoutError:
        raise NotAnswered("no reply in time", f"none within {TRANSFER_S:.0f} s") from None


async def patiently(call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Return what a call that may be repeated returns, tried a few times. Raises NotAnswered at the last."""
    for attempt in range(1, TRIES + 1):
        try:
            return await once(call, *arguments)
        except NotAnswered as failure:
            if failure.ends != AGAIN or attempt == TRIES:
                raise
            await wait(attempt, failure)
    raise AssertionError


async def wait(attempt: int, failure: NotAnswered) -> None:
    """Wait before the attempt after this one, from 1: as long as the provider asks, or a random time that grows."""
    await asyncio.sleep(pause(attempt, failure.retry_after, random.Random()))


def as_error(model: str, failure: NotAnswered) -> HarnessError:
    """Return the error that ends a command because the provider did not let it go on."""
    if failure.ends == AGAIN:
        remedy = "and the same command resumes"
    else:
        remedy = (
            "and is collected with the key and the URL that submitted it; what was not is asked one by one without "
            "--batch, and --fresh begins anew"
        )
    return HarnessError(
        f"{model}: the provider's batches cannot be used now ({failure}); what was submitted is written down, {remedy}"
    )
