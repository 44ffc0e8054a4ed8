"""`harness predict --model finetune:RUN`: the best model of a run answers.

Options (`--option key=value`): `constrain` (yes; no lets it say anything), `segment` and `next` (text; head takes them
from the run's heads), `weights` (folder of the base model, where it is not where the run had it), `threads` (of the
CPU), `batch` (clips at once; half of them, again, where a GPU's memory does not suffice).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from finetune import config as configs
from finetune.constrained import Grammar
from finetune.data import Collator, Example
from finetune.evaluate import BATCH
from finetune.generate import Said, ask
from finetune.model import FACTS, ensure_base, load_model, operations_of
from harness.errors import UsageError
from harness.ingestion.line_checker import read_answer
from harness.ingestion.vocabulary import Vocabulary
from harness.prediction.predictor import Question, Reply, Wants

OPTIONS = {"constrain": ("yes", "no"), "segment": ("text", "head"), "next": ("text", "head")}


class Finetuned:
    """A run's best model as a predictor of the harness."""

    def __init__(self, run: Path, options: Mapping[str, str]):
        self.options = _checked(options)
        if "threads" in self.options:
            torch.set_num_threads(int(self.options["threads"]))
        self.run, self.best = run, run / "best"
        if not (self.best / FACTS).is_file():
            raise UsageError(f"{run}: no trained model (best/ is written at a run's first evaluation)")
        self.config = configs.read(run / configs.NAME)
        if "weights" in self.options:
            self.config = replace(self.config, weights=self.options["weights"])
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.labels = operations_of(self.best)
        base = ensure_base(self.config, run / "base", self.labels)
        self.answerer, tokenizer = load_model(self.config, base, self.labels, self.device)
        self.answerer.restore(self.best)
        self.answerer.eval()
        self.collator, self.words = Collator(self.config, tokenizer, self.labels), Vocabulary(self.labels)
        for head in ("segment", "next"):
            if self.options[head] == "head" and {"next": "following"}.get(head, head) not in self.answerer.heads:
                raise UsageError(f"{run}: has no head for {head}; it was trained without")

    @property
    def wants(self) -> Wants:
        return Wants(self.config.frames, self.config.size, self.config.sampler)

    @property
    def batch_size(self) -> int:
        return int(self.options.get("batch", BATCH[self.device]))

    @cached_property
    def card(self) -> dict[str, Any]:
        """All that decides the answers."""
        parameters = sum(one.numel() for one in self.answerer.parameters())
        tuned = "QLoRA" if self.config.quantise else {"lora": "LoRA", "full": "trained whole"}[self.config.adapter]
        shape = "" if self.config.weights else f" shape of {parameters / 1e6:.1f} M random parameters"
        return {
            "kind": "model",
            "model": f"{self.config.base}{shape}",
            "description": f"{tuned}, {self.config.frames} frames of {self.config.size} px",
            "run": {
                "options": self.options,
                "trained_sha256": digest(self.best),
                "base_sha256": digest(self._base),
                "parameters": parameters,
                "config": asdict(self.config),
                "training": self._trained,
            },
        }

    @property
    def _base(self) -> Path:
        return Path(self.config.weights) if self.config.weights else self.run / "base"

    @property
    def training(self) -> dict[str, Any] | None:
        path = self.run / "training.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @property
    def _trained(self) -> dict[str, Any]:
        """How long training took, and memory planned against measured; all of it is in training.json."""
        record = self.training or {}
        names = ("device", "steps", "best_update", "wall_s", "predicted_peak_gib", "measured_peak_gib", "oom_events")
        return {name: record[name] for name in names if record.get(name) is not None}

    @cached_property
    def grammar(self) -> Grammar | None:
        if self.options["constrain"] == "no":
            return None
        width = self.answerer.inner.lm_head.weight.shape[0]
        return Grammar(self.collator.tokenizer, self.collator.labels, width)

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> list[Reply]:
        if unknown := set(self.labels) - set(operations):
            raise UsageError(f"{self.run}: says {', '.join(sorted(unknown))}, which this world does not know")
        return self.reply([Example(one.clip_id, one.frames, one.indices, one.prompt) for one in questions])

    def reply(self, examples: Sequence[Example]) -> list[Reply]:
        """The same for examples."""
        try:
            return [self._reply(said) for said in ask(self.answerer, self.collator, examples, self.grammar)]
        except torch.OutOfMemoryError:
            if len(examples) == 1:
                raise
        half = len(examples) // 2  # once the error, and with it what it holds, is gone
        return self.reply(examples[:half]) + self.reply(examples[half:])

    def _reply(self, said: Said) -> Reply:
        answer = self._with_heads(said)
        sure = (None if value is None else round(value, 4) for value in (said.confidence, said.next_confidence))
        return Reply(said.text, answer, *sure)

    def _with_heads(self, said: Said) -> dict[str, Any] | None:
        """The answer with what the heads say in place of the text's; None where the text counts as it is: it was not
        to be changed, or holds no whole answer."""
        if "head" not in (self.options["segment"], self.options["next"]):
            return None
        answer, _ = read_answer(self.words, said.text)
        if answer is None:
            return None
        if self.options["segment"] == "head" and said.segment:
            answer["temporal_segment"] = dict(zip(("start_frame", "end_frame"), said.segment, strict=True))
        if self.options["next"] == "head" and said.following:
            answer["next_operation"] = said.following
        return answer


def load(rest: str, options: Mapping[str, str]) -> Finetuned:
    """The entry point of `harness.predictors`."""
    return Finetuned(Path(rest), options)


def digest(folder: Path) -> str:
    """SHA-256 over the safetensors of a folder, in the order of their paths."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def _checked(options: Mapping[str, str]) -> dict[str, str]:
    known = {*OPTIONS, "weights", "threads", "batch"}
    if unknown := sorted(set(options) - known):
        raise UsageError(f"--option {', '.join(unknown)}: unknown; there are {', '.join(sorted(known))}")
    for name, allowed in OPTIONS.items():
        if options.get(name, allowed[0]) not in allowed:
            raise UsageError(f"--option {name}={options[name]}: expected one of {', '.join(allowed)}")
    for name in ("threads", "batch"):
        if not options.get(name, "1").isdecimal():
            raise UsageError(f"--option {name}={options[name]}: expected a number")
    return {name: allowed[0] for name, allowed in OPTIONS.items()} | dict(options)
