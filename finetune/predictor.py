"""Predictor of the harness: `harness predict --model finetune:RUN` asks the best model of a run.

Options (`--option key=value`): `constrain` (yes; no allows any text), `segment` and `next` (text; head takes them from
the run's heads), `weights` (folder of the base model, if it is not where the run had it), `threads` (of the CPU),
`batch` (clips per batch; out of memory, a batch is asked again in halves), `hold` (of a run on 4-bit weights: fp16
unpacks them into its compute type and adds the adapters, 4bit asks the trained form; by default what memory allows).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from finetune import config as configs
from finetune.data import Collator, Example
from finetune.evaluate import BATCH
from finetune.generate import Generation, answer_grammar, generate_in_halves
from finetune.merge import fold_adapters, fuse_norms
from finetune.model import DTYPES, FACTS, Answerer, ensure_base, load_model, read_operations
from harness.cards import TRAINING
from harness.errors import UsageError
from harness.ingestion.lines.model_text import read_answer
from harness.ingestion.vocabulary import Vocabulary
from harness.prediction.predictor import Question, Reply, Wants
from reference.outside_files import read_object

OPTIONS = {"constrain": ("yes", "no"), "segment": ("text", "head"), "next": ("text", "head")}
HOLD = ("fp16", "4bit")
ASKING_BYTES = 3 << 30
"""Memory for asking the 3B about 16 clips, most of it in the vision tower: reasoned, not measured."""


class Finetuned:
    """A run's best model as a predictor of the harness."""

    def __init__(self, run: Path, options: Mapping[str, str]):
        self.options = _validate_options(options)
        if "threads" in self.options:
            torch.set_num_threads(int(self.options["threads"]))
        self.run, self.best = run, run / "best"
        if not (self.best / FACTS).is_file():
            raise UsageError(f"{run}: no trained model (a run's first evaluation writes best/)")
        self.config = configs.read(run / configs.NAME)
        if "weights" in self.options:
            self.config = replace(self.config, weights=self.options["weights"])
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.labels = read_operations(self.best)
        base = ensure_base(self.config, run / "base", self.labels)
        self.answerer, tokenizer = load_model(self.config, base, self.labels, self.device)
        self.answerer.restore(self.best)
        self.parameters = sum(_count(one) for one in self.answerer.parameters())
        self._hold()
        self.answerer.eval()
        self.collator, self.words = Collator(self.config, tokenizer, self.labels), Vocabulary(self.labels)
        held = self.options["constrain"] == "yes"
        self.grammar = answer_grammar(self.answerer, self.collator) if held else None
        for head in ("segment", "next"):
            if self.options[head] == "head" and {"next": "following"}.get(head, head) not in self.answerer.heads:
                raise UsageError(f"{run}: has no head for {head}; it was trained without one")

    def _hold(self) -> None:
        """Fold the adapters into the weights, unless those are to stay in 4 bits; put the choice on the card."""
        if self.config.quantise:
            self.options.setdefault("hold", "fp16" if _unpacked_fits(self.answerer) else "4bit")
        elif "hold" in self.options:
            raise UsageError(f"--option hold={self.options['hold']}: {self.run} was not trained on 4-bit weights")
        if self.config.adapter == "lora" and self.options.get("hold") != "4bit":
            dtype = DTYPES[self.config.compute]
            fold_adapters(self.answerer, dtype)
            fuse_norms(self.answerer, dtype)

    @property
    def wants(self) -> Wants:
        """Frames as in training."""
        return Wants(self.config.frames, self.config.size, self.config.sampler)

    @property
    def batch_size(self) -> int:
        """Clips per batch, unless the user says otherwise."""
        return int(self.options.get("batch", BATCH[self.device]))

    @cached_property
    def card(self) -> dict[str, Any]:
        """Facts that decide the answers, for the entry's card."""
        tuned = "QLoRA" if self.config.quantise else {"lora": "LoRA", "full": "trained whole"}[self.config.adapter]
        shape = "" if self.config.weights else f" shape of {self.parameters / 1e6:.1f} M random parameters"
        return {
            "kind": "model",
            "model": f"{self.config.base}{shape}",
            "description": f"{tuned}, {self.config.frames} frames of {self.config.size} px",
            "run": {
                "options": self.options,
                "trained_sha256": weights_sha256(self.best),
                "base_sha256": weights_sha256(self._base),
                "parameters": self.parameters,
                "config": asdict(self.config),
                "training": self._training_summary,
            },
        }

    @property
    def _base(self) -> Path:
        return Path(self.config.weights) if self.config.weights else self.run / "base"

    @property
    def training(self) -> dict[str, Any] | None:
        """Training record of the run, if it has one."""
        path = self.run / TRAINING
        return read_object(path, UsageError) if path.is_file() else None

    @property
    def _training_summary(self) -> dict[str, Any]:
        """Training's length and its planned and measured memory; training.json has the rest."""
        record = self.training or {}
        names = ("device", "steps", "best_update", "wall_s", "predicted_peak_gib", "measured_peak_gib", "oom_events")
        return {name: record[name] for name in names if record.get(name) is not None}

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> list[Reply]:
        """Answer questions. Raises UsageError if the model knows labels that the world does not."""
        if unknown := set(self.labels) - set(operations):
            raise UsageError(f"{self.run}: was trained on {', '.join(sorted(unknown))}, which this world does not have")
        return self.reply([Example(one.clip_id, one.frames, one.indices, one.prompt) for one in questions])

    def reply(self, examples: Sequence[Example]) -> list[Reply]:
        """Answer examples."""
        generations = generate_in_halves(self.answerer, self.collator, examples, self.grammar)
        return [self._to_reply(one) for one in generations]

    def _to_reply(self, generation: Generation) -> Reply:
        confidence, next_confidence = (
            None if value is None else round(value, 4) for value in (generation.confidence, generation.next_confidence)
        )
        return Reply(generation.text, self._head_answer(generation), confidence, next_confidence)

    def _head_answer(self, generation: Generation) -> dict[str, Any] | None:
        """Return the text's answer with the parts that options take from the heads.

        None if the text counts as it is: no option asks for a head, or the text holds no whole answer. A head changes
        whole answers only, because it knows nothing of the parts that are missing.
        """
        if "head" not in (self.options["segment"], self.options["next"]):
            return None
        answer, _ = read_answer(self.words, generation.text)
        if answer is None:
            return None
        if self.options["segment"] == "head" and generation.segment:
            answer["temporal_segment"] = dict(zip(("start_frame", "end_frame"), generation.segment, strict=True))
        if self.options["next"] == "head" and generation.following:
            answer["next_operation"] = generation.following
        return answer


def load(rest: str, options: Mapping[str, str]) -> Finetuned:
    """Load the predictor of a run; the entry point in `harness.predictors`."""
    return Finetuned(Path(rest), options)


def _count(parameter: torch.Tensor) -> int:
    """Return the number of weights; a byte of a quantised matrix holds two."""
    return parameter.numel() * (2 if parameter.dtype == torch.uint8 else 1)


def _unpacked_fits(answerer: Answerer) -> bool:
    """Return True if a model's 4-bit weights can be unpacked, and memory for asking is left."""
    size = DTYPES[answerer.config.compute].itemsize
    packed = sum(one.numel() for one in answerer.parameters() if one.dtype == torch.uint8)
    return packed * (2 * size - 1) + ASKING_BYTES <= _free_bytes(answerer.device)


def _free_bytes(device: torch.device) -> int:
    """Return the free memory of a device; of the host, what it could free at once counts."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    table = Path("/proc/meminfo")
    if not table.is_file():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    rows = dict(line.split(":") for line in table.read_text(encoding="ascii").splitlines())
    return int(rows["MemAvailable"].split()[0]) << 10


def weights_sha256(folder: Path) -> str:
    """Return the SHA-256 of a folder's safetensors, in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _validate_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options with their defaults. Raises UsageError for unknown ones and values out of range."""
    known = {*OPTIONS, "hold", "weights", "threads", "batch"}
    if unknown := sorted(set(options) - known):
        raise UsageError(f"no --option {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    for name, allowed in (OPTIONS | {"hold": HOLD}).items():
        if options.get(name, allowed[0]) not in allowed:
            raise UsageError(f"--option {name}={options[name]}: expected one of {', '.join(allowed)}")
    for name in ("threads", "batch"):
        if not options.get(name, "1").isdecimal():
            raise UsageError(f"--option {name}={options[name]}: expected a number")
    return {name: allowed[0] for name, allowed in OPTIONS.items()} | dict(options)
