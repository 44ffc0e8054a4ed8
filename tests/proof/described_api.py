"""A server that keeps to its own description: schemathesis draws requests from its OpenAPI and checks the answers.

All checks are on, for every operation, without a token and with one (then requests without it must get 401):

    answers have the statuses, types and fields that are described; none of them is 500
    what does not fit the schema is refused; examples are answered, and what fits is answered or is no clip (422)
    methods that are not described are refused

It needs the command of `pip install schemathesis` on the PATH; where it is missing it says so and tries nothing:
`python -m tests.proof.described_api`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.proof.serving import FAST, started
from tests.proof.table import Row, main, report, tries
from tests.proof.tally import Tally

PART = "described_api"
COMMAND = "schemathesis"
EXAMPLES = 300
"""Drawn requests an operation."""
HERE = Path(__file__).parent
TOKEN = "a-token-of-this-proof"


def run(seed: int, scale: float) -> list[Row]:
    """Return a row without a token and one with it, or one that says that nothing was tried."""
    command = shutil.which(COMMAND)
    if command is None:
        report(PART, f"not run: {COMMAND} missing; pip install {COMMAND}")
        return [Tally(PART, f"{COMMAND} (not run: the package is missing)").row()]
    return [
        _drawn(Tally(PART, "requests drawn from the description"), command, "", seed, scale),
        _drawn(Tally(PART, "requests drawn from the description, with a token"), command, TOKEN, seed, scale),
    ]


def _drawn(tally: Tally, command: str, token: str, seed: int, scale: float) -> Row:
    """Count what schemathesis finds, each failure as a disagreement."""
    words = [command, "--config-file", str(HERE / "schemathesis.toml"), "run"]
    options = ["-c", "all", "--seed", str(seed), "-n", str(tries(EXAMPLES, scale)), "--continue-on-failure"]
    options += ["--no-color", "--max-failures", "1000"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)}
    served = ["--model", FAST]
    if token:
        options += ["-H", f"Authorization: Bearer {token}"]
        os.environ["PROOF_TOKEN"] = token
        served += ["--token-env", "PROOF_TOKEN"]
    with tempfile.TemporaryDirectory() as work, started(Path(work), *served) as server:
        ended = subprocess.run(
            [*words, f"{server.url}/openapi.json", *options],
            env=environment,
            capture_output=True,
            text=True,
            cwd=work,
        )
        if server.process.poll() is not None:
            tally.crashes += 1
            report(PART, f"the server ended with {server.process.returncode}: {server.said()}")
    drawn = re.search(r"([\d,]+) generated", ended.stdout)
    tally.tried = int(drawn[1].replace(",", "")) if drawn else 0
    if ended.returncode or not drawn:
        tally.differs("schemathesis", f"ended with {ended.returncode}: {(ended.stdout + ended.stderr)[-6000:]}")
    return tally.row()


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
