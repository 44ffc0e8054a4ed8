"""`command:WORDS`, a model behind a script of one's own, in any language: a line of JSON in, a line of JSON out.

    harness predict --model command:./ask.sh -o submissions/mine/
    harness predict --model "command:python ask.py --flag" --connections 2 -o submissions/mine/

The words are split as a shell would, but no shell runs them. As many processes as questions at once are started, each
when it is needed, and each is asked one question after the other. A request on stdin:

    {"id": 7, "prompt": "...", "frames": ["/tmp/.../01.jpg", ...], "indices": [0, ...], "times_s": [0.0, ...],
     "operations": ["Pack", ...]}

The answer on stdout, in one line: {"text": "what the model said"}, that text alone as a JSON string, or the answer's
fields. It may also hold the request's `id` and what a Reply holds. {"error": "words", "retry_after": seconds} is no
answer. A process that ends, hangs or writes anything else is killed, and another one takes the next attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import json
import math
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.askers.messages import IMAGE, picture_file
from harness.askers.options import Options
from harness.askers.process import Child, Ended, quoted
from harness.errors import UsageError
from harness.ingestion.lines.fields import answer_part
from harness.masking import is_secret_name
from harness.prediction.asker import KINDS, RUN, NotAnswered, Setting, check_finished
from harness.prediction.predictor import Question, Reply, Wants
from harness.progress import span
from reference.files import sha256

SHELL = ("|", "||", "&&", "&", ";", "<", ">", ">>", "2>", "2>&1")
SCRIPT_BYTES = 64 * 2**20
"""Files of the command up to this size are named on the card by their digest."""
START_S = 0.2
"""Time in which a command that cannot work ends."""
SAID_S = 10.0
"""Time without the first answer after which the user is told what is waited for."""
FAREWELL_S = 1.0
"""Time that processes have to end by themselves when the run is over."""


class Command:
    """Asker of a command. Its processes are its own: `close` ends them."""

    connections, training = 1, None

    def __init__(self, words: Sequence[str], wants: Wants | None, image: str, environment: Mapping[str, str]):
        self.words, self.wants, self.image, self.environment = tuple(words), wants, image, dict(environment)
        self.program, self.folder = Path(words[0]).name, Path.cwd()
        self._files = dict(_digests(self.words))
        self._operations: tuple[str, ...] = ()
        self._numbers = itertools.count(1)
        self._idle, self._started = list[Child](), set[Child]()
        self._is_tried = False
        self._mask: Callable[[str], str] = str
        self._pictures: tempfile.TemporaryDirectory[str] | None = None

    @property
    def card(self) -> dict[str, Any]:
        """Return what decides the answers, as far as it is known: the command's files, and how pictures are written."""
        run = {"image": self.image} if self.wants else {}
        return {"run": {**run, **({"files_sha256": self._files} if self._files else {})}}

    async def prepare(self, setting: Setting) -> Mapping[str, Any]:
        """See that the command works; nothing is to be agreed. Raises UsageError, NotAnswered.

        It is asked a question before the run; where a run resumes, it has to live for a moment.
        """
        self._operations, self._mask = setting.operations, setting.mask
        self._pictures = tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True)
        try:
            if setting.samples:
                await self._try(setting)
            elif not self._is_tried:
                await self._start()
        except NotAnswered as error:
            if error.kind in ("connection", "unreadable reply"):
                raise UsageError(f"{self._name}: {error.words}") from None
            if error.ends == RUN:
                raise
            setting.say(f"a first question was not answered ({error})")
        self._is_tried = True
        return {}

    async def _try(self, setting: Setting) -> None:
        """Ask one question. Raises NotAnswered, and UsageError where nothing comes within the clip's time."""
        patience = span(setting.deadline_s)
        waiting = f"waiting for the first answer of {self.program}, up to {patience}"
        reminder = asyncio.get_running_loop().call_later(SAID_S, setting.say, waiting)
        try:
            async with asyncio.timeout(setting.deadline_s):
                check_finished(await self.answer(setting.samples[0]))
                await asyncio.sleep(START_S)  # a line too many comes at once, if at all
                if late := next((child.fault for child in self._idle if child.fault), None):
                    raise NotAnswered("unreadable reply", f"{self.program} {late}")
        except TimeoutError:
            said = "".join(f"; on stderr: {child.last_words}" for child in self._started if child.last_words)
            raise UsageError(
                f"{self._name}: no answer to the first question within {patience}; it has to write a line for each "
                f"line that it reads, and to flush it (--deadline gives more time){said}"
            ) from None
        finally:
            reminder.cancel()

    async def _start(self) -> None:
        """Start a process. Raises NotAnswered for one that cannot be started, or ends at once."""
        child = await self._child()
        if await child.ends_within(START_S):
            raise NotAnswered("connection", f"{self.program} {await child.settle()}")
        self._idle.append(child)

    async def answer(self, question: Question) -> Reply:
        """Return the answer about one clip. Raises NotAnswered."""
        number = next(self._numbers)
        with self._folder_of(number) as folder:
            request = await asyncio.to_thread(self._request, number, question, folder)
            value, latency_ms = await self._exchange(number, request)
        return to_reply(value, latency_ms)

    async def close(self) -> None:
        """End all processes, those that wait for a question by the end of their standard input."""
        for child in self._started:
            child.say_no_more() if child in self._idle else child.kill()
        try:
            await asyncio.gather(*(child.gone(FAREWELL_S) for child in self._started))
        finally:
            for child in self._started:
                child.kill()
            await asyncio.gather(*(child.gone(FAREWELL_S) for child in self._started))
            self._started.clear()
            self._idle.clear()
            if self._pictures is not None:
                self._pictures.cleanup()

    @property
    def _name(self) -> str:
        return f"--model command:{shlex.join(self.words)}"

    @contextlib.contextmanager
    def _folder_of(self, number: int) -> Iterator[Path]:
        """Make a folder for a question's pictures, and remove it in the end."""
        assert self._pictures is not None
        folder = Path(self._pictures.name, str(number))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _request(self, number: int, question: Question, folder: Path) -> bytes:
        """Write the pictures, and return the line that asks about them."""
        paths = [folder / f"{place:02d}.{self.image}" for place in range(1, len(question.frames) + 1)]
        if paths:
            folder.mkdir()
        for path, frame in zip(paths, question.frames, strict=True):
            path.write_bytes(picture_file(frame, self.image))
        fields = {
            "id": number,
            "prompt": question.prompt,
            "frames": list(map(str, paths)),
            "indices": question.indices.tolist(),
            "times_s": question.times.tolist(),
            "operations": self._operations,
        }
        return json.dumps(fields).encode() + b"\n"

    async def _exchange(self, number: int, request: bytes) -> tuple[Any, float]:
        """Return the JSON value that answers a request, and the time it took. Raises NotAnswered."""
        while True:
            child = await self._child()
            before, begun = child.answers, time.perf_counter()
            try:
                line = await child.ask(request)
                latency_ms = (time.perf_counter() - begun) * 1000
                value = _value(line, number, self._mask)
            except Ended:
                words = await child.settle()
                if before and child.status == 0:
                    continue  # a command may answer a few questions and end: another process takes this one
                raise NotAnswered("connection", f"{self.program} {words}") from None
            except NotAnswered as error:
                child.kill()
                more = f"; on stderr: {child.last_words}" if child.last_words else ""
                raise NotAnswered(error.kind, f"{self.program} {error.words}{more}") from None
            except BaseException:  # cancelled: the clip has no more time, or the run ends
                child.kill()
                raise
            self._idle.append(child)
            return value, latency_ms

    async def _child(self) -> Child:
        """Return a process that waits for a question. Raises NotAnswered where none can be started."""
        self._started = {child for child in self._started if not child.is_lost}
        while self._idle:
            child = self._idle.pop()
            if child.fault or not child.is_over:
                return child
            child.kill()  # it ended between two questions
        try:
            child = await Child.start(self.words, self.environment, self.folder, self._mask)
        except OSError as error:
            raise NotAnswered("connection", _not_started(self.words[0], error)) from None
        self._started.add(child)
        return child


def _value(line: bytes, number: int, mask: Callable[[str], str]) -> Any:
    """Return the JSON value in a line that answers this request. Raises NotAnswered."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise NotAnswered(
            "unreadable reply", f"wrote {quoted(line, mask)}, expected JSON in one line; all else belongs on stderr"
        ) from None
    if not isinstance(value, str | dict):
        raise NotAnswered("unreadable reply", f"wrote {quoted(line, mask)}, expected a JSON object or a text")
    if isinstance(value, dict) and value.get("id", number) != number:
        raise NotAnswered("unreadable reply", f"answered request {value['id']!r:.40}, expected {number}")
    return value


def to_reply(value: str | dict[str, Any], latency_ms: float) -> Reply:
    """Return the reply in an answer of the command. Raises NotAnswered for one that says that there is none."""
    if isinstance(value, str):
        return Reply(value, latency_ms=latency_ms)
    if value.get("error") is not None:
        raise _error(value)
    answer, text = answer_part(value), value.get("text")
    if text is None and not answer:
        raise NotAnswered("unreadable reply", f"no text, answer fields or error in {json.dumps(value)}")
    names = ("confidence", "next_confidence", "usage", "finish_reason", "served_model", "ttft_ms", "model_ms")
    said = {name: value[name] for name in names if value.get(name) is not None}
    own = value.get("latency_ms")
    return Reply(text=text, answer=answer or None, latency_ms=latency_ms if own is None else own, **said)


def _error(value: dict[str, Any]) -> NotAnswered:
    words, after = value["error"], value.get("retry_after")
    if not isinstance(after, int | float) or isinstance(after, bool) or not 0 <= after < math.inf:
        after = None
    kind = value.get("kind", "server error" if after is None else "rate limit")
    words = words if isinstance(words, str) else json.dumps(words)
    if kind not in KINDS:
        return NotAnswered("unreadable reply", f"kind {kind!r:.40}, expected one of {', '.join(KINDS)}; {words}")
    return NotAnswered(kind, words, after)


def load(rest: str, options: Mapping[str, str]) -> Command:
    """Return the model of `command:WORDS`. Raises UsageError for what cannot be run."""
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise UsageError(f"--model command:{rest}: the words cannot be told apart ({error})") from None
    if not words or not words[0]:
        raise UsageError("command:WORDS needs a command, such as command:./ask.sh")
    if shell := next((word for word in words if word in SHELL), None):
        raise UsageError(
            f"--model command:{rest}: no shell runs the command, so that {shell} would be one of its arguments; put it "
            "into a script"
        )
    given = Options(f"command:{words[0]}", options)
    wants, image = given.wants(), given.choice("image", IMAGE[0], IMAGE)
    environment = _environment(given.text("key_env"))
    given.done()
    if not shutil.which(words[0], path=environment.get("PATH")):
        raise UsageError(f"--model command:{rest}: {_not_found(words[0])}")
    return Command(words, wants, image, environment)


def _environment(named: str | None) -> dict[str, str]:
    """Return the environment without secrets, but for those in variables that are named. Raises UsageError.

    Python is told not to keep back what a script prints.
    """
    names = [name.strip() for name in named.split(",")] if named is not None else []
    if missing := [name for name in names if name not in os.environ]:
        raise UsageError(f"--option key_env={named}: {missing[0]!r} is not set in the environment")
    kept = {name: text for name, text in os.environ.items() if name == "PWD" or not is_secret_name(name)}
    return {"PYTHONUNBUFFERED": "1"} | kept | {name: os.environ[name] for name in names}


def _not_found(program: str) -> str:
    path = Path(program)
    if os.sep not in program:
        here = f"; ./{program} is the file here" if path.is_file() else ""
        return f"there is no command {program!r} on the PATH{here}"
    if path.is_dir():
        return f"{program} is a folder"
    return f"{program} is not executable: chmod +x {program}" if path.exists() else f"there is no file {program}"


def _not_started(program: str, error: OSError) -> str:
    """Return why a program that is there cannot be started."""
    if error.errno == errno.ENOEXEC:
        return f"{program} is no program and has no line #! that names one"
    if error.errno == errno.ENOENT and Path(program).exists():
        return f"{program} cannot be started: there is no such interpreter as its line #! names"
    return f"{program} cannot be started ({error.strerror or error})"


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # a word that is too long for a path, or holds what no path may
        return False


def _digests(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the command's own files with their SHA-256: a program given by its path, and the first argument that is
    a file, such as the script that an interpreter runs."""
    program = [words[0]] if os.sep in words[0] else []
    for word in (*program, *[word for word in words[1:] if _is_file(word)][:1]):
        if Path(word).stat().st_size <= SCRIPT_BYTES:
            yield word, sha256(Path(word))
