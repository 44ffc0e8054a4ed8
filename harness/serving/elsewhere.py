"""Models that answer elsewhere (an endpoint, a script, an asynchronous function) in the place of one in this process.

An Asker is asked about one clip at a time, many at once; the server's batch is what is asked at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.prediction.asker import Asker, NotAnswered, Setting, check_finished
from harness.prediction.predictor import Answer, Question


class Elsewhere:
    """Predictor that asks an Asker, in an event loop of its own; to be used by one thread."""

    def __init__(self, asker: Asker, deadline_s: float, say: Callable[[str], object], mask: Callable[[str], str]):
        self._asker, self._deadline_s, self._say, self._mask = asker, deadline_s, say, mask
        self._runner: asyncio.Runner | None = None

    def prepare(self, sample: Question, operations: Sequence[str]) -> None:
        """Agree with the model on what it can do, by a question that is a try. Raises what it raises."""
        self._runner = asyncio.Runner()
        self._runner.run(self._agree(sample, tuple(operations)))

    async def _agree(self, sample: Question, operations: tuple[str, ...]) -> None:
        agreed: Mapping[str, Any] | None = None
        for samples in ((sample,), ()):
            setting = Setting(
                operations=operations,
                samples=samples,
                agreed=agreed,
                clips=1,
                connections=self._asker.connections,
                deadline_s=self._deadline_s,
                price=None,
                say=self._say,
                mask=self._mask,
            )
            agreed = await self._asker.prepare(setting)
            if samples:
                await self._asker.close()

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> list[Answer | Exception]:
        """Return an answer a question, or in its place why there is none."""
        assert self._runner is not None
        return self._runner.run(self._all(questions))

    async def _all(self, questions: Sequence[Question]) -> list[Answer | Exception]:
        return list(await asyncio.gather(*map(self._one, questions)))

    async def _one(self, question: Question) -> Answer | Exception:
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await self._asker.answer(question)
                check_finished(answer)
                return answer
        except TimeoutError:
            return NotAnswered("no reply in time", f"none within {self._deadline_s:g} s")
        except Exception as error:
            return error
