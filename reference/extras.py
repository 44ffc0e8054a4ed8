"""Optional packages: what to say where one is missing, in one wording for commands, library and trainings."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
EXTRAS = {
    "video": ("PIL", "av", "sklearn", "threadpoolctl", "joblib", "thorvg_python"),
    "decoders": ("cv2", "decord"),
    "excel": ("openpyxl",),
    "ask": ("httpx", "httpcore"),
    "serve": ("fastapi", "starlette", "pydantic", "pydantic_core", "uvicorn", "python_multipart", "prometheus_client"),
    "ray": ("ray", "grpc", "msgpack"),
    "finetune": (
        "torch",
        "transformers",
        "tokenizers",
        "huggingface_hub",
        "accelerate",
        "bitsandbytes",
        "llguidance",
        "matplotlib",
        "peft",
        "safetensors",
    ),
}
"""Modules that each extra of setup.cfg brings, those of its packages' own dependencies included."""
TITLES = {"PIL": "Pillow", "av": "PyAV", "sklearn": "scikit-learn", "cv2": "OpenCV"}


def extra_of(error: ImportError) -> str | None:
    """Return the extra that brings the module of a failed import; None where none does."""
    return next((extra for extra, modules in EXTRAS.items() if _module(error) in modules), None)


def needs(what: str, error: ImportError) -> str:
    """Return the sentence that `what` needs a missing package, with the command that installs it."""
    module, extra = _module(error), extra_of(error)
    if not module:
        return f"{what} cannot work here: {error}"
    title = f"{TITLES[module]} ({module})" if module in TITLES else module
    if extra is None:
        return f"{what} needs {title}, which is not installed"
    why = "" if isinstance(error, ModuleNotFoundError) else f", which cannot be imported ({error})"
    return f"{what} needs {title}{why}: {install(extra)}"


def install(extra: str) -> str:
    """Return the command that installs an extra of this project, which lies on no package index."""
    command = f"pip install -e '.[{extra}]'"
    if not (CHECKOUT / "setup.cfg").is_file():
        return f"{command} in a checkout of the project"
    return command if Path(os.path.realpath(".")) == CHECKOUT else f"{command} in {CHECKOUT}"


def _module(error: ImportError) -> str:
    return (error.name or "").partition(".")[0]
