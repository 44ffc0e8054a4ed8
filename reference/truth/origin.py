"""Origins and contents: an Origin is a resolved world, and gives the Content of a truth database for each split.

`reference.truth.catalog.locate` is the one place that turns a name into an Origin; code that needs the truth, the
process, the pictures or the seal of a world asks its Origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reference.errors import TruthError
from reference.process.priors import Fit
from reference.process.world import World
from reference.task import Clip


@dataclass(frozen=True)
class Content:
    """Rows of a truth database before they are written. `fits` has one row for all clips, or one for each session."""

    operations: Sequence[str]
    clips: Iterable[Clip]  # by session, sessions together, in time order
    expected: int  # clips, about
    fits: Sequence[Fit]
    script: Mapping[str, str] = field(default_factory=dict)
    in_sample: bool = False
    meanings: Mapping[str, str] = field(default_factory=dict)  # label -> description for a prompt, where one is known
    starts: Mapping[str, int] = field(default_factory=dict)  # session -> Unix ms from which start_ms counts, if known
    unanswered: Sequence[str] = ()  # in place of `clips`: ids of clips whose truth is not known here
    sessions: int | None = None  # of `unanswered`, whose clips name none


@dataclass(frozen=True)
class Seal:
    """Registration of a sealed split on the organiser's machine."""

    name: str
    split: str
    commitment: str
    secret_file: str
    folder: Path
    fingerprint: str = ""  # of the secret; older registrations have none

    @property
    def log(self) -> Path:
        """Return the path of the log of scorings, one JSON object a line."""
        return self.folder / "scorings.jsonl"


@dataclass(frozen=True)
class Published:
    """Published folder of a sealed split: clips, pictures and a commitment, and no truth until the reveal."""

    folder: Path
    commitment: str
    check: Callable[[str], None] | None = None  # of a revealed one: raises TruthError for a truth of another digest
    here: bool = False  # the split is registered on this machine, which is the organiser's


@dataclass(frozen=True)
class Origin:
    """A resolved world. `digest` pins all that its truth depends on."""

    name: str
    digest: str
    public: bool  # the truth follows from a public seed, or from a secret that was revealed
    splits: tuple[str, ...]
    content: Callable[[str], Content]
    pinned: Mapping[str, str] = field(default_factory=dict)  # split -> digest of its truth
    process: World | None = None  # what draws sessions and pictures; None for an imported world and a withheld truth
    scale: int = 1  # times as many sessions as the process's splits say
    seal: Seal | None = None  # on the organiser's machine
    published: Published | None = None  # on an entrant's, also after the reveal
    converted: bool = False  # its truth counts frames at another rate, which were rounded to 25 fps

    @property
    def imported(self) -> bool:
        """Return whether the world was imported: it has neither process nor pictures then."""
        return self.process is None and self.published is None

    @property
    def withheld(self) -> bool:
        """Return whether the truth is not here: the folder of a sealed split before the reveal."""
        return self.process is None and self.published is not None

    @property
    def kind(self) -> str:
        """Return "synthetic", "imported" or "published", as the truth database names it."""
        if self.withheld:
            return "published"
        return "imported" if self.imported else "synthetic"

    @property
    def commitment(self) -> str:
        """Return the commitment of a sealed split, else ""."""
        sealed = self.seal or self.published
        return sealed.commitment if sealed else ""

    def need_answers(self) -> None:
        """Raise TruthError for a published split, whose answers are not here."""
        if self.published is None or not self.withheld:
            return
        if self.published.here:
            raise TruthError(
                f"{self.published.folder}: is what was published of {self.name}, whose truth is on this machine: use "
                f"--world {self.name}"
            )
        raise TruthError(
            f"{self.published.folder}: the truth of the sealed split {self.name} is with its organiser; check "
            "predictions with harness validate, make an entry with harness submit, and send it in; after the reveal "
            "put its reveal.json into the folder"
        )

    def operations(self) -> tuple[str, ...]:
        """Return the labels of all splits, in canonical order."""
        return tuple(self.process.operations if self.process else self.content(self.splits[0]).operations)

    def check_split(self, split: str) -> None:
        """Raise TruthError for a split that the world does not have."""
        if split not in self.splits:
            raise TruthError(f"world {self.name} has no split {split!r}; it has {', '.join(self.splits)}")
