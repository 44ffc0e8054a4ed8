"""A world is one readable TOML file: grammar, durations, workers, domains, splits, seed, pinned digests.

Probabilities are integer weights or per-mille, durations integer milliseconds, so that every processor draws the same
session. An order has attributes (drawn independently); a step of the grammar emits one operation; its successor is
drawn from the first rule whose conditions all hold. `done` ends the order, and the next one begins with `start`. At
each boundary between steps the worker may be interrupted (Idle); afterwards the order continues with the next step.

The appearance of a step is data too: `look` tells how box, table and screen stand when the step begins, `mark` which
sign an attribute is drawn as. All of it is optional. Steps of one operation and one look cannot be told apart in a
picture; `shown_step` names the first of them, and no picture and no ceiling knows more. Signs change no truth.

A surface shows its signs all the time, unless it has a `window`: so many frames at a time (least and most), as a slip
does that is glanced at and laid down. With `next_beside` the next order's surface lies beside that of the order at
hand; the tote's plate, drawn for each session, says which of the two counts.

The world key is the public seed (UTF-8), or the secret of a sealed split: `dataclasses.replace(world, key=secret)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from reference.errors import WorldError
from reference.files import sha256
from reference.outside_files import read_bytes
from reference.process.appearance import MARKS, Look, look_faults, read_look
from reference.process.cutter import CutPlan
from reference.process.world_shape import check_shape
from reference.task import CLIP_MS, OPERATIONS, UNKNOWN
from reference.toml import parse_toml

FORMAT = 1
MAX_BYTES = 1 << 22
"""Bytes of a world file that are read."""
DONE = "done"
START = "start"
IDLE = "Idle"
SURFACES = ("slip", "items", "screen")
"""Surfaces that can show an attribute: the order slip, the items, the screen."""
HIDEABLE, PASSING, IN_PAIRS = ("slip", "items"), ("slip", "screen"), ("slip",)
"""Surfaces that an occluder can be drawn before, that can show their signs for a moment, that can lie side by side."""


@dataclass(frozen=True)
class Surface:
    """Thing that shows attributes: for how many frames at a time, and whether the next order's lies beside it."""

    name: str
    window: tuple[int, int] | None = None  # frames, least and most; None: all the time
    next_beside: bool = False


@dataclass(frozen=True)
class Attribute:
    """Property that an order has or lacks, such as a gift wrap."""

    name: str
    per_mille: int
    shown_by: str  # one of SURFACES
    mark: str = ""  # one of MARKS; left out: the first of them that no attribute before it has


@dataclass(frozen=True)
class Rule:
    """Successors of a step under a condition.

    All `required` attributes, no `excluded` one, just one of each `differing` pair, the habit (if named).
    """

    required: frozenset[str]
    excluded: frozenset[str]
    differing: tuple[tuple[str, str], ...]
    habit: str | None
    to: tuple[tuple[str, int], ...]  # step or `done`, weight; in the file's order

    @property
    def attributes(self) -> frozenset[str]:
        """Return all attributes that the condition asks about."""
        return self.required | self.excluded | {name for pair in self.differing for name in pair}

    def holds(self, attributes: Iterable[str], habit: str) -> bool:
        """Return whether the condition is met by an order with these attributes and a worker of this habit."""
        present = set(attributes)
        differ = all((one in present) != (other in present) for one, other in self.differing)
        return differ and self.required <= present and not self.excluded & present and self.habit in (None, habit)


@dataclass(frozen=True)
class Step:
    """State of the grammar: it emits one operation, and its first rule that holds gives the successors."""

    name: str
    operation: str
    rules: tuple[Rule, ...]
    look: Look = field(default_factory=Look)


@dataclass(frozen=True)
class Worker:
    """Person at the station: tempo and habit (which rules apply). The place in the list is drawn on the sleeve."""

    name: str
    tempo_percent: int  # of the table's durations
    habit: str


@dataclass(frozen=True)
class Occluder:
    """Object that hides surfaces, drawn among a domain's occluders by weight."""

    hides: tuple[str, ...]  # of HIDEABLE, for all frames of a clip
    weight: int


@dataclass(frozen=True)
class Domain:
    """Condition under which sessions are recorded: clean, clutter, glare, ..."""

    name: str
    strength: int  # per mille of what the renderer can do
    occluders: tuple[Occluder, ...]


@dataclass(frozen=True)
class Split:
    """Part of a world's data: so many sessions of so many clips, in these domains."""

    name: str
    sessions: int
    clips: int  # a session
    domains: tuple[str, ...]  # in rotation


@dataclass(frozen=True, eq=False)
class World:
    """A checked world. Equality and hash are those of the object, so that functions of a world can be cached."""

    name: str
    seed: str
    key: bytes
    digest: str  # SHA-256 of the file's bytes
    attributes: tuple[Attribute, ...]
    surfaces: Mapping[str, Surface]
    start: tuple[Rule, ...]
    steps: Mapping[str, Step]
    idle_per_mille: int
    durations: Mapping[str, tuple[int, ...]]  # operation -> equally spaced quantiles in ms, from 0 to 1
    workers: tuple[Worker, ...]
    randomised_one_in: int  # sessions; 0 for none
    domains: Mapping[str, Domain]
    splits: Mapping[str, Split]
    plan: CutPlan
    digests: Mapping[str, str]  # split -> pinned digest of its truth

    @property
    def operations(self) -> tuple[str, ...]:
        """Return the labels in canonical order; truth stores positions in it."""
        return OPERATIONS

    def split(self, name: str) -> Split:
        """Return the split of that name. Raises WorldError where there is none."""
        if name not in self.splits:
            raise WorldError(f"world {self.name} has no split {name!r}; it has {', '.join(self.splits)}")
        return self.splits[name]

    @cached_property
    def shown_step(self) -> Mapping[str, str]:
        """Return, for each step, the first step of its operation and look, which is all that a picture tells of it."""
        first: dict[tuple[str, Look], str] = {}
        for step in self.steps.values():
            first.setdefault((step.operation, step.look), step.name)
        return {step.name: first[step.operation, step.look] for step in self.steps.values()}

    @cached_property
    def alike(self) -> Mapping[str, tuple[str, ...]]:
        """Return, for each shown step, all steps that look like it."""
        found: dict[str, tuple[str, ...]] = {}
        for name, shown in self.shown_step.items():
            found[shown] = (*found.get(shown, ()), name)
        return found

    def domain_seen(self, domain: str) -> bool:
        """Return whether the train split has this domain."""
        return domain in self.splits["train"].domains


def world_names() -> tuple[str, ...]:
    """Return the names of the worlds that ship with the package, sorted."""
    folder = resources.files("reference").joinpath("worlds")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def scaled_name(name: str, scale: int) -> str:
    """Return the name of a world with `scale` times its sessions, such as warehouse-v2-x4."""
    return name if scale == 1 else f"{name}-x{scale}"


def load_world(name_or_path: str | Path) -> World:
    """Return the checked world of that name, or of the TOML file at that path. Raises WorldError with the place."""
    return parse_world(world_file(name_or_path), str(name_or_path))


def world_file(name_or_path: str | Path) -> bytes:
    """Return the bytes of the world file of that name, or at that path. Raises WorldError where there is none."""
    name = str(name_or_path)
    if name in world_names():
        return resources.files("reference").joinpath("worlds", f"{name}.toml").read_bytes()
    path = Path(name_or_path)
    if not path.exists() or path.is_dir():
        raise WorldError(f"no world {name!r}; there are {', '.join(world_names())}, or give the path of a .toml file")
    return read_bytes(path, WorldError, MAX_BYTES)


@lru_cache(maxsize=8)  # a command asks for its world several times
def parse_world(content: bytes, place: str) -> World:
    """Return the checked world in `content`. Raises WorldError; `place` names the file in its message."""
    table = parse_toml(content, place, WorldError)
    try:
        world = _read(table, sha256(content))
        _check(world)
    except KeyError as error:
        raise WorldError(f"{place}: {error.args[0]} is missing") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise WorldError(f"{place}: {error}") from error
    except WorldError as error:
        raise WorldError(f"{place}: {error}") from None
    return world


def _read(table: dict[str, Any], digest: str) -> World:
    if table.get("format") != FORMAT:
        raise WorldError(f"format is {table.get('format')!r}, this version reads {FORMAT}")
    check_shape(table)
    cutting = table["cutting"]
    return World(
        name=table["name"],
        seed=table["seed"],
        key=table["seed"].encode(),
        digest=digest,
        attributes=_attributes(table["attributes"]),
        surfaces=_surfaces(table.get("surfaces", {})),
        start=_rules(table["start"]["next"]),
        steps={name: _step(name, fields) for name, fields in table["steps"].items()},
        idle_per_mille=table["idle"]["per_mille"],
        durations={operation: tuple(quantiles) for operation, quantiles in table["durations"].items()},
        workers=tuple(Worker(name, **fields) for name, fields in table["workers"].items()),
        randomised_one_in=table["randomised"]["one_in"],
        domains={name: _domain(name, fields) for name, fields in table["domains"].items()},
        splits={name: _split(name, fields) for name, fields in table["splits"].items()},
        plan=CutPlan(**{**cutting, "offset_ms": tuple(cutting["offset_ms"]), "lead_ms": tuple(cutting["lead_ms"])}),
        digests=table.get("digests", {}),
    )


def _attributes(table: dict[str, dict[str, Any]]) -> tuple[Attribute, ...]:
    """Return the attributes; those without a mark get the unused marks, in order."""
    named = [fields["mark"] for fields in table.values() if "mark" in fields]
    free = iter([mark for mark in MARKS if mark not in named])
    return tuple(
        Attribute(name, **(fields if "mark" in fields else {**fields, "mark": next(free, "")}))
        for name, fields in table.items()
    )


def _surfaces(table: dict[str, dict[str, Any]]) -> dict[str, Surface]:
    for name in table:
        _demand(name in SURFACES, f"surfaces.{name} is none of {SURFACES}")
    return {name: _surface(name, table.get(name, {})) for name in SURFACES}


def _surface(name: str, fields: dict[str, Any]) -> Surface:
    window = fields.get("window")
    return Surface(name, window and (window[0], window[1]), fields.get("next_beside", False))


def _step(name: str, fields: dict[str, Any]) -> Step:
    return Step(name, fields["operation"], _rules(fields["next"]), read_look(fields.get("look", {})))


def _rules(entries: list[dict[str, Any]]) -> tuple[Rule, ...]:
    return tuple(_rule(entry.get("when", []), entry["to"]) for entry in entries)


def _rule(when: list[str], to: dict[str, int]) -> Rule:
    """Return a rule; `when` lists conditions `name`, `not name`, `name xor name` and `habit name`."""
    words = [condition.split() for condition in when]
    for condition, parts in zip(when, words, strict=True):
        known = len(parts) == 1 or (len(parts) == 2 and parts[0] == "not") or (len(parts) == 3 and parts[1] == "xor")
        _demand(known or (len(parts) > 1 and parts[0] == "habit"), f"{condition!r} is no condition")
    habits = [" ".join(word[1:]) for word in words if word[0] == "habit"]
    return Rule(
        required=frozenset(word[0] for word in words if len(word) == 1),
        excluded=frozenset(word[1] for word in words if word[0] == "not"),
        differing=tuple((word[0], word[2]) for word in words if len(word) == 3 and word[1] == "xor"),
        habit=habits[0] if habits else None,
        to=tuple(to.items()),
    )


def _domain(name: str, fields: dict[str, Any]) -> Domain:
    occluders = tuple(Occluder(tuple(entry["hides"]), entry["weight"]) for entry in fields.get("occluders", ()))
    return Domain(name, fields["strength"], occluders)


def _split(name: str, fields: dict[str, Any]) -> Split:
    return Split(name, fields["sessions"], fields["clips"], tuple(fields["domains"]))


def _check(world: World) -> None:
    _check_attributes(world)
    _check_rules(world, START, world.start)
    for step in world.steps.values():
        _check_rules(world, f"steps.{step.name}", step.rules)
        for fault in look_faults(step.look):
            raise WorldError(f"steps.{step.name}.look.{fault}")
    _check_repeats(world)
    _check_reachability(world)
    _check_durations(world)
    _check_sessions(world)


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise WorldError(message)


def _positive(value: object, place: str) -> None:
    _demand(type(value) is int and value > 0, f"{place} is {value!r}, expected a positive integer")


def _per_mille(value: object, place: str) -> None:
    _demand(type(value) is int and 0 <= value <= 1000, f"{place} is {value!r}, expected an integer from 0 to 1000")


def _check_attributes(world: World) -> None:
    for attribute in world.attributes:
        _per_mille(attribute.per_mille, f"attributes.{attribute.name}.per_mille")
        _demand(attribute.shown_by in SURFACES, f"attributes.{attribute.name}.shown_by is none of {SURFACES}")
    for surface in world.surfaces.values():
        least, most = surface.window or (1, 1)
        where = f"surfaces.{surface.name}"
        _demand(least <= most, f"{where}.window must rise")
        _demand(surface.name in PASSING or not surface.window, f"{where} cannot have a window; {PASSING} can")
        fits = surface.name in IN_PAIRS or not surface.next_beside
        _demand(fits, f"{where} cannot lie beside the next order's; {IN_PAIRS} can")
    _per_mille(world.idle_per_mille, "idle.per_mille")
    marks = [attribute.mark for attribute in world.attributes]
    for attribute in world.attributes:
        where = f"attributes.{attribute.name}.mark"
        _demand(attribute.mark in MARKS, f"{where} is {attribute.mark!r}, expected one of {', '.join(MARKS)}")
        _demand(marks.count(attribute.mark) == 1, f"{where}: another attribute is drawn as {attribute.mark!r} too")


def _check_rules(world: World, place: str, rules: tuple[Rule, ...]) -> None:
    attributes = {attribute.name for attribute in world.attributes}
    habits = {worker.habit for worker in world.workers}
    _demand(bool(rules), f"{place}: no successor")
    for number, rule in enumerate(rules, 1):
        where = f"{place}: rule {number}"
        for name in sorted(rule.attributes - attributes):
            raise WorldError(f"{where}: there is no attribute {name!r}")
        _demand(rule.habit is None or rule.habit in habits, f"{where}: no worker has the habit {rule.habit!r}")
        _demand(bool(rule.to), f"{where}: no successor")
        for target, weight in rule.to:
            _demand(target == DONE or target in world.steps, f"{where}: there is no step {target!r}")
            _positive(weight, f"{where}: the weight of {target}")
        _demand(place != START or DONE not in dict(rule.to), f"{where}: an order cannot be done before it starts")
    last = rules[-1]
    _demand(not (last.attributes or last.habit), f"{place}: the last rule must hold always")


def _targets(rules: tuple[Rule, ...]) -> set[str]:
    return {target for rule in rules for target, _ in rule.to}


def _check_repeats(world: World) -> None:
    """Raise WorldError where a step can be followed by one of the same operation.

    The cutter merges equal neighbours into one run, so such a step would not be a run.
    """
    first = _targets(world.start)
    for step in world.steps.values():
        targets = _targets(step.rules)
        for target in sorted(targets - {DONE} | (first if DONE in targets else set())):
            same = world.steps[target].operation == step.operation
            _demand(not same, f"steps.{step.name}: {target} follows with the same operation, {step.operation}")


def _check_reachability(world: World) -> None:
    """Raise WorldError unless every step can be reached, and every step can lead to the end of its order."""
    reached = _closure(_targets(world.start), {name: _targets(step.rules) for name, step in world.steps.items()})
    for name in world.steps:
        _demand(name in reached, f"steps.{name}: no way leads here")
        onward = _closure({name}, {other: _targets(step.rules) for other, step in world.steps.items()})
        _demand(DONE in onward, f"steps.{name}: no way leads from here to {DONE!r}")


def _closure(names: set[str], successors: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    while names:
        reached |= names
        names = {target for name in names for target in successors.get(name, ())} - reached
    return reached


def _check_durations(world: World) -> None:
    for step in world.steps.values():
        known = step.operation in OPERATIONS and step.operation not in (IDLE, UNKNOWN)
        _demand(known, f"steps.{step.name}: {step.operation!r} is no operation a step can emit")
    used = {step.operation for step in world.steps.values()} | ({IDLE} if world.idle_per_mille else set())
    for operation in sorted(used):
        _demand(operation in world.durations, f"durations: {operation} is missing")
    for operation, quantiles in world.durations.items():
        _demand(len(quantiles) >= 2, f"durations.{operation}: at least two quantiles are needed")
        _demand(list(quantiles) == sorted(quantiles), f"durations.{operation}: quantiles must not fall")
        _positive(quantiles[0], f"durations.{operation}: the lowest quantile")


def _check_sessions(world: World) -> None:
    _demand(bool(world.workers), "workers: at least one is needed")
    for worker in world.workers:
        _positive(worker.tempo_percent, f"workers.{worker.name}.tempo_percent")
    one_in = world.randomised_one_in
    _demand(type(one_in) is int and one_in >= 0, f"randomised.one_in is {one_in!r}, expected an integer from 0")
    _demand("train" in world.splits, "splits: train is missing")
    for split in world.splits.values():
        _positive(split.sessions, f"splits.{split.name}.sessions")
        _positive(split.clips, f"splits.{split.name}.clips")
        _demand(bool(split.domains), f"splits.{split.name}: no domain")
        for name in split.domains:
            _demand(name in world.domains, f"splits.{split.name}: there is no domain {name!r}")
    for domain in world.domains.values():
        _per_mille(domain.strength, f"domains.{domain.name}.strength")
        for occluder in domain.occluders:
            _positive(occluder.weight, f"domains.{domain.name}: an occluder's weight")
            _demand(set(occluder.hides) <= set(HIDEABLE), f"domains.{domain.name}: occluders hide only {HIDEABLE}")
    for kind, weight in (("mid", world.plan.mid), ("boundary", world.plan.boundary), ("dense", world.plan.dense)):
        _positive(weight, f"cutting.{kind}")
    for name, (low, high) in (("offset_ms", world.plan.offset_ms), ("lead_ms", world.plan.lead_ms)):
        _demand(0 <= low <= high < CLIP_MS, f"cutting.{name} must rise and lie within a clip")
