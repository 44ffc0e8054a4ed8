"""Training of the primary submission: Qwen2.5-VL tuned on rendered clips, and a tiny twin that runs on two CPU cores.

`python -m finetune.plan | train | merge | ablations`; `harness predict --model finetune:RUN_DIR` loads
`finetune.predictor`. Needs the extra `finetune`.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import NoReturn

from finetune.processes.launcher import watch_launcher
from harness.formatting import printable
from reference.errors import HarnessError
from reference.extras import extra_of, needs


def fail(error: HarnessError) -> NoReturn:
    """End a command with the error's message and exit code."""
    print(f"error: {printable(str(error))}", file=sys.stderr)
    raise SystemExit(error.exit_code)


def _answer_missing_package(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """End with a sentence and exit code 2 where an extra is missing, with a traceback for everything else."""
    if isinstance(error, ImportError) and extra_of(error):
        fail(HarnessError(needs("this", error)))
    sys.__excepthook__(kind, error, trace)


if sys.argv[:1] == ["-m"]:
    # Run as a command (-m stands there while Python looks for the module). The modules of this package import torch at
    # their top, before a command could answer for it.
    sys.excepthook = _answer_missing_package
    watch_launcher()

# On a CPU bitsandbytes warns at import that it did not find a kernel which would be faster; nothing here depends on it.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
