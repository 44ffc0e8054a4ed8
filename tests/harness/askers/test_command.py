"""Commands as models: what is sent, every way in which a script fails to answer, and a run that survives them.

The script does what the prompt says, so that a case is a line of a table. After each failure it is asked again, and has
to answer: a process that failed was replaced, one that only said that it has no answer was not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.askers import command, process
from harness.askers.process import LINE_BYTES
from harness.cards import read_card
from harness.errors import HarnessError, UsageError
from harness.prediction import models
from harness.prediction.asker import NotAnswered, Setting, check_finished
from harness.prediction.journal import ATTEMPTS
from harness.prediction.loop import in_flight
from harness.prediction.predictor import Question, Reply, Wants
from tests.support import hand

N = 24
ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Wrap"}
TEXT = json.dumps(ANSWER)

SCRIPT = """
import json, os, subprocess, sys, time

for line in sys.stdin:
    request = json.loads(line)
    answer = {"id": request["id"], "text": request["prompt"]}
    match request["prompt"]:
        case "pid":
            answer["text"] = str(os.getpid())
        case "request":
            answer["text"] = line
        case "sizes":
            answer["text"] = json.dumps([os.path.getsize(path) for path in request["frames"]])
        case "environment":
            answer["text"] = json.dumps(dict(os.environ))
        case "exit":
            print("first words", "last words", sep=chr(10), file=sys.stderr)
            sys.exit(3)
        case "killed":
            os.kill(os.getpid(), 9)
        case "close":
            sys.stdout.flush(); os.close(1); time.sleep(600)
        case "hang":
            time.sleep(600)
        case "hang with a child":
            child = subprocess.Popen(["sleep", "600"])
            open("child", "w").write(str(child.pid))
            child.wait()
        case "wrong id":
            answer["id"] = request["id"] - 1
        case "prose":
            print("He is taping, I think"); continue
        case "number":
            print(17); continue
        case "half":
            sys.stdout.write('{"text": "He is'); sys.stdout.flush(); sys.exit(0)
        case "deep":
            print("[" * 100_000); continue
        case "nothing said":
            answer = {"id": request["id"], "thought": "tape"}
        case "long":
            print(json.dumps("x" * LINE_BYTES)); continue
        case "endless":
            while True:
                sys.stdout.write("x" * 2**20)
        case "twice":
            print(json.dumps(answer))
        case "latin":
            sys.stdout.buffer.write(b'"caf\\xe9"' + bytes([10])); continue
        case json_text if json_text.startswith("{"):
            answer = json.loads(json_text)
    print(json.dumps(answer))
"""


def question(prompt: str, frames: int = 0) -> Question:
    pictures = np.zeros((frames, 32, 32, 3), np.uint8)
    return Question("secret-clip-name", pictures, np.arange(frames) * 17, np.arange(frames) * 0.68, prompt)


def setting(prompt: str = "ready", deadline_s: float = 60.0, said: list[str] | None = None) -> Setting:
    return Setting(
        operations=("Pack", "Tape"),
        samples=(question(prompt),),
        agreed=None,
        clips=1,
        connections=1,
        deadline_s=deadline_s,
        price=None,
        say=[].append if said is None else said.append,
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Enter a folder with the script, and keep pictures in a folder of their own."""
    (tmp_path / "odd.py").write_text(f"LINE_BYTES = {LINE_BYTES}\n{SCRIPT}")
    (tmp_path / "pictures").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "pictures"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


WORDS = f"{sys.executable} -S odd.py"


def asked(asker: command.Command, *prompts: str, seconds: float = 60.0) -> list[Reply | NotAnswered | None]:
    """Return what comes of each prompt; None where there was no answer in time."""

    async def ask_all() -> list[Reply | NotAnswered | None]:
        found = list[Reply | NotAnswered | None]()
        try:
            await asker.prepare(setting())
            for prompt in prompts:
                try:
                    async with asyncio.timeout(0.1 if "hang" in prompt else seconds):
                        reply = await asker.answer(question(prompt))
                        check_finished(reply)  # as the loop does
                        found.append(reply)
                except NotAnswered as error:
                    found.append(error)
                except TimeoutError:
                    found.append(None)
        finally:
            await asker.close()
        return found

    return asyncio.run(ask_all())


def texts(replies):
    return [reply.text for reply in replies]


def is_running(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


FAILURES = [
    ("exit", "connection", "ended with status 3, without an answer: first words / last words"),
    ("killed", "connection", "was ended by SIGKILL"),
    ("close", "connection", "closed its standard output"),
    ("half", "unreadable reply", 'wrote \'{"text": "He is\', expected JSON in one line'),
    ("prose", "unreadable reply", "wrote 'He is taping, I think', expected JSON in one line"),
    ("number", "unreadable reply", "wrote '17', expected a JSON object or a text"),
    ("latin", "unreadable reply", "expected JSON in one line"),
    ("deep", "unreadable reply", "expected JSON in one line"),
    ("wrong id", "unreadable reply", "answered request 2, expected 3"),
    ("long", "unreadable reply", "wrote a line of more than 16 MiB"),
    ("endless", "unreadable reply", "wrote a line of more than 16 MiB"),
]
SAID = [
    ("nothing said", "unreadable reply", "no text, answer fields or error"),
    ('{"error": "out of memory"}', "server error", "out of memory"),
    ('{"error": {"code": 7}}', "server error", '{"code": 7}'),
    ('{"error": "slow down", "retry_after": 2.5}', "rate limit", "slow down"),
    ('{"error": "no", "kind": "refused by the provider"}', "refused by the provider", "no"),
    ('{"error": "no", "kind": "whim"}', "unreadable reply", "kind 'whim', expected one of rate limit"),
    ('{"text": "He is", "finish_reason": "length"}', "cut off", "after 'He is'"),
]  # fmt: skip


@pytest.mark.parametrize(("prompt", "kind", "words"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_process_that_fails_is_replaced(prompt, kind, words, folder, monkeypatch):
    if prompt == "close":  # and does not end
        monkeypatch.setattr(process, "SETTLE_S", 0.1)
    before, failure, after = asked(command.load(WORDS, {}), "pid", prompt, "pid")
    assert (failure.kind, words in failure.words) == (kind, True), failure
    assert after.text != before.text and not is_running(int(before.text)) and not is_running(int(after.text))


@pytest.mark.parametrize(("prompt", "kind", "words"), SAID, ids=[case[0] for case in SAID])
def test_a_process_that_says_so_stays(prompt, kind, words, folder):
    before, failure, after = asked(command.load(WORDS, {}), "pid", prompt, "pid")
    assert (failure.kind, words in failure.words) == (kind, True), failure
    assert after.text == before.text
    assert failure.retry_after == (2.5 if "retry_after" in prompt else None)


def test_a_hang_is_killed_with_its_children(folder):
    before, hang, after = asked(command.load(WORDS, {}), "pid", "hang with a child", "pid")
    assert hang is None and after.text != before.text
    child = int((folder / "child").read_text())
    assert not is_running(int(before.text)) and not is_running(child)


def test_an_answer_too_many_is_found_at_once_or_by_the_next_question(folder):
    """It may be another question's, so that it is nobody's."""
    replies = asked(command.load(WORDS, {}), "twice", "again", "and again")
    failures = [reply for reply in replies if isinstance(reply, NotAnswered)]
    assert [failure.kind for failure in failures] == ["unreadable reply"]
    assert replies[2].text == "and again"


READ = [
    ('{"text": "Tape"}', Reply("Tape"), "the model's text"),
    (json.dumps(ANSWER), Reply(None, ANSWER), "fields"),
    (json.dumps({"text": "He tapes", **ANSWER, "more": 1}), Reply("He tapes", ANSWER), "fields and text"),
    (
        '{"text": "", "confidence": 0.5, "usage": {"input_tokens": 3, "output_tokens": 1}, "finish_reason": "stop"}',
        Reply("", None, 0.5, usage={"input_tokens": 3, "output_tokens": 1}, finish_reason="stop"),
        "with what the script knows of it",
    ),
]


@pytest.mark.parametrize(("prompt", "expected", "why"), READ, ids=[case[2] for case in READ])
def test_what_is_read_from_an_answer(prompt, expected, why, folder):
    [reply] = asked(command.load(WORDS, {}), prompt)
    assert reply.latency_ms > 0 and reply._replace(latency_ms=None) == expected


def test_its_own_latency_counts(folder):
    [reply] = asked(command.load(WORDS, {}), '{"text": "Tape", "latency_ms": 12.5}')
    assert reply.latency_ms == 12.5


def test_a_text_alone_and_one_without_the_end_of_its_line(folder):
    """A command that answers one question and ends is started for each."""
    assert texts(asked(command.load("sh -c 'while read line; do echo \\\"Tape\\\"; done'", {}), "", "")) == ["Tape"] * 2
    assert texts(asked(command.load("sh -c 'read line && printf \\\"Tape\\\"'", {}), "", "", "")) == ["Tape"] * 3


def test_a_request_names_no_clip_and_the_pictures_are_gone_afterwards(folder):
    async def ask() -> tuple[str, str]:
        asker = command.load(WORDS, {"image": "png"})
        try:
            await asker.prepare(setting())
            shown = await asker.answer(question("request", frames=3))
            return shown.text, (await asker.answer(question("sizes", frames=2))).text
        finally:
            await asker.close()

    line, sizes = asyncio.run(ask())
    request = json.loads(line)
    frames = request.pop("frames")
    assert request == {
        "id": 2,
        "prompt": "request",
        "indices": [0, 17, 34],
        "times_s": [0.0, 0.68, 1.36],
        "operations": ["Pack", "Tape"],
    }
    assert [Path(path).name for path in frames] == ["01.png", "02.png", "03.png"]
    assert "secret-clip-name" not in line and min(json.loads(sizes)) > 0
    assert list((folder / "pictures").iterdir()) == []


def test_secrets_of_the_environment_stay_out_unless_they_are_named(folder, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "s3cr3t-of-mine")
    monkeypatch.setenv("OTHER_TOKEN", "s3cr3t-of-others")
    monkeypatch.setenv("PLAIN", "yes")
    [without] = asked(command.load(WORDS, {}), "environment")
    [named] = asked(command.load(WORDS, {"key_env": "MY_API_KEY"}), "environment")
    assert "s3cr3t" not in without.text and json.loads(without.text)["PLAIN"] == "yes"
    assert json.loads(named.text)["MY_API_KEY"] == "s3cr3t-of-mine" and "s3cr3t-of-others" not in named.text


REFUSED = [
    ("", {}, "needs a command, such as command:./ask.sh"),
    ("./ask.sh 'open", {}, "cannot be told apart (No closing quotation)"),
    ("./ask.sh", {}, "there is no file ./ask.sh"),
    ("./odd.py", {}, "is not executable: chmod +x ./odd.py"),
    ("./pictures", {}, "./pictures is a folder"),
    ("odd.py", {}, "there is no command 'odd.py' on the PATH; ./odd.py is the file here"),
    ("cat | tee log", {}, "no shell runs the command, so that | would be one of its arguments"),
    ("cat", {"imgae": "png"}, "command:cat has no --option imgae; did you mean image?"),
    ("cat", {"image": "gif"}, "--option image=gif: expected one of jpeg, png"),
    ("cat", {"frames": "many"}, "--option frames=many: expected an integer from 0 to 100"),
    ("cat", {"frames": "0", "size": "64"}, "--option size: command:cat is shown no pictures with frames=0"),
    ("cat", {"size": "65"}, "--option size=65: expected an even number"),
    ("cat", {"key_env": "NOT_THERE"}, "'NOT_THERE' is not set in the environment"),
]


@pytest.mark.parametrize(("words", "options", "expected"), REFUSED, ids=[case[2][:40] for case in REFUSED])
def test_what_cannot_be_asked_is_refused_before_it_is_started(words, options, expected, folder):
    with pytest.raises(UsageError) as caught:
        command.load(words, options)
    assert expected in str(caught.value)


FIRST = [
    ("exit", "ended with status 3, without an answer: first words / last words"),
    ("prose", "wrote 'He is taping, I think', expected JSON"),
    ("hang", "no answer to the first question within 0 s; it has to write a line for each line that it reads"),
]


@pytest.mark.parametrize(("prompt", "expected"), FIRST, ids=[case[0] for case in FIRST])
def test_a_command_that_fails_at_once_stops_before_the_run(prompt, expected, folder):
    async def prepare() -> None:
        asker = command.load(WORDS, {})
        try:
            await asker.prepare(setting(prompt, 0.1 if prompt == "hang" else 60.0))
        finally:
            await asker.close()

    with pytest.raises(UsageError) as caught:
        asyncio.run(prepare())
    assert expected in str(caught.value)


def test_a_command_that_fails_when_a_run_resumes_stops_it_too(folder, monkeypatch):
    monkeypatch.setattr(command, "START_S", 60.0)

    async def resume(words: str) -> None:
        asker = command.load(words, {})
        try:
            await asker.prepare(replace(setting(), samples=(), agreed={}))
        finally:
            await asker.close()

    with pytest.raises(UsageError, match="sh ended with status 3, without an answer: broken"):
        asyncio.run(resume("sh -c 'echo broken >&2; exit 3'"))


STARTS = [("#!/no/such/interpreter\n", "no such interpreter"), ("echo\n", "no line #!")]


@pytest.mark.parametrize(("content", "expected"), STARTS, ids=["interpreter", "none"])
def test_a_script_that_cannot_be_started(content, expected, folder):
    (folder / "ask.sh").write_text(content)
    (folder / "ask.sh").chmod(0o755)
    with pytest.raises(UsageError) as caught:
        asked(command.load("./ask.sh", {}))
    assert expected in str(caught.value)


def test_a_first_question_that_the_script_does_not_answer_is_said(folder):
    said = list[str]()

    async def prepare() -> None:
        asker = command.load(WORDS, {})
        await asker.prepare(setting('{"error": "warming up"}', said=said))
        await asker.close()

    asyncio.run(prepare())
    assert said == ["a first question was not answered (server error: warming up)"]


def test_pictures_that_are_wanted(folder):
    assert command.load("cat", {}).wants == Wants(8, 336, "uniform")
    assert command.load("cat", {"frames": "4", "size": "64", "sampler": "motion"}).wants == Wants(4, 64, "motion")
    assert command.load("cat", {"frames": "0"}).wants is None


# Runs

COUNTING = """
import json, os, sys

count = int(open("count").read()) if os.path.exists("count") else 0
for line in sys.stdin:
    count += 1
    open("count", "w").write(str(count))
    if count % 7 == 0:
        sys.exit(f"died at {count}")
    if count == LAST:
        print(json.dumps({"error": "the quota is used up", "kind": "no access"})); continue
    print(json.dumps({"text": TEXT}))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "tiny.toml"
    path.write_text(hand.tiny_world())
    return str(path)


@pytest.fixture
def counting(folder, monkeypatch):
    """Make the script that dies at every seventh question, and let nothing wait between attempts."""
    monkeypatch.setattr(in_flight, "pause", lambda *_: 0.0)
    point = metadata.EntryPoint("command", "harness.askers.command:load", models.GROUP)
    monkeypatch.setattr(models.metadata, "entry_points", lambda group: [point])

    def write(last: int = 0) -> str:
        (folder / "counting.py").write_text(f"LAST, TEXT = {last}, {TEXT!r}\n{COUNTING}")
        return f"command:{sys.executable} -S counting.py"

    return write


def attempts(folder):
    return [json.loads(line) for line in (folder / ATTEMPTS).read_text().splitlines()]


def test_a_run_whose_processes_die_loses_no_clip(counting, world, folder):
    model = counting()
    made = harness.predict(model, folder / "entry", world=world, options={"frames": "0"})
    assert made.answered == N and made.sources["model"] == N
    failed = attempts(folder / "entry")
    assert {attempt["kind"] for attempt in failed} == {"connection"} and len(failed) == 4
    assert failed[0]["words"].endswith("ended with status 1, without an answer: died at 7")
    lines = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert sum(line["attempts"] == 2 for line in lines) == 4
    files = read_card(folder / "entry").run["predictor"]["files_sha256"]
    assert list(files) == [sys.executable, "counting.py"]


def test_several_processes_share_a_run(folder, counting, world):
    made = harness.predict(counting(), folder / "entry", world=world, options={"frames": "0"}, connections=3)
    assert made.answered == N


def test_a_run_resumes_with_the_same_script_only(folder, counting, world):
    model, choices = counting(last=11), {"world": world, "options": {"frames": "0"}}
    with pytest.raises(HarnessError, match="the quota is used up"):
        harness.predict(model, folder / "entry", **choices)
    answered = len((folder / "entry" / "predictions.jsonl.part").read_text().splitlines())
    assert answered == 11 - 3  # one asked before the run, one died, one refused
    counting(last=12)
    with pytest.raises(HarnessError, match="card"):
        harness.predict(model, folder / "entry", **choices)
    counting(last=11)
    assert harness.predict(model, folder / "entry", **choices).answered == N
    asked_in_all = int((folder / "count").read_text())
    assert asked_in_all == 1 + N + len(attempts(folder / "entry"))


LEAKING = """
import json, os, sys

for number, line in enumerate(sys.stdin, 1):
    key = os.environ["MY_API_KEY"]
    if number % 5 == 0:
        sys.exit(f"refused: {key}")
    answer = {"error": f"wrong key {key}"} if number % 3 == 0 else {"text": f"the key is {key}", "served_model": key}
    print(json.dumps(answer))
"""


def test_a_script_that_repeats_its_key_leaves_it_nowhere(counting, world, folder, monkeypatch):
    counting()
    monkeypatch.setenv("MY_API_KEY", "s3cr3t-of-mine")
    (folder / "leaking.py").write_text(LEAKING)
    said, choices = list[str](), {"frames": "0", "key_env": "MY_API_KEY"}
    model = f"command:{sys.executable} -S leaking.py"
    harness.predict(model, folder / "entry", world=world, options=choices, say=said.append)
    words = {attempt["words"].rpartition(": ")[2] for attempt in attempts(folder / "entry")}
    assert len(words) == 2 and all("***" in text for text in words)
    files = b"".join(path.read_bytes() for path in (folder / "entry").iterdir())
    assert b"s3cr3t" not in files and b"the key is ***" in files and "s3cr3t" not in "".join(said)
