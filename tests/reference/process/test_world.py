"""World files: what ships, what the definitions demand of it, and what a broken file is told."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib import resources

import pytest

from reference.errors import WorldError
from reference.process import sessions
from reference.process.sessions import quantile
from reference.process.split import build_split
from reference.process.world import load_world, parse_world, world_names
from reference.task import OPERATIONS

MINIMAL = """
format = 1
name = "tiny"
seed = "tiny"
[attributes]
fragile = { per_mille = 500, shown_by = "items" }
[workers.ana]
tempo_percent = 100
habit = "plain"
[idle]
per_mille = 100
[randomised]
one_in = 0
[start]
next = [{ to = { load = 1 } }]
[steps.load]
operation = "Put Items"
next = [{ when = ["fragile"], to = { wrap = 3, seal = 1 } }, { to = { seal = 1 } }]
[steps.wrap]
operation = "Wrap"
next = [{ to = { seal = 1 } }]
[steps.seal]
operation = "Tape"
next = [{ to = { done = 1 } }]
[cutting]
mid = 1
boundary = 1
dense = 1
offset_ms = [0, 2000]
lead_ms = [1000, 4000]
[splits.train]
sessions = 2
clips = 3
domains = ["clean"]
[domains.clean]
strength = 0
[durations]
"Put Items" = [1000, 9000]
Wrap = [1000, 9000]
Tape = [500, 3000]
Idle = [1000, 5000]
"""


def test_minimal_world_is_good():
    world = parse_world(MINIMAL.encode(), "tiny")
    assert world.digest == hashlib.sha256(MINIMAL.encode()).hexdigest()
    assert (world.key, world.operations, world.digests) == (b"tiny", OPERATIONS, {})


BROKEN = [
    ("TOML", "format = 1", "format = ", "not a TOML file"),
    ("format", "format = 1", "format = 2", "this version reads 1"),
    ("section", "[randomised]\none_in = 0", "", "randomised is missing"),
    ("field", "sessions = 2\n", "", "sessions is missing"),
    ("field name", "dense = 1\n", "dens = 1\n", "dens"),
    ("target", "{ wrap = 3, seal = 1 }", "{ warp = 3, seal = 1 }", "steps.load: rule 1: there is no step 'warp'"),
    ("attribute", '["fragile"]', '["fragil"]', "steps.load: rule 1: there is no attribute 'fragil'"),
    ("habit", '["fragile"]', '["habit odd"]', "no worker has the habit 'odd'"),
    ("weight 0", "wrap = 3", "wrap = 0", "the weight of wrap is 0, expected a positive integer"),
    ("weight 1.5", "wrap = 3", "wrap = 1.5", "the weight of wrap is 1.5"),
    ("weight true", "wrap = 3", "wrap = true", "the weight of wrap is True"),
    ("conditional last rule", ", { to = { seal = 1 } }]", "]", "steps.load: the last rule must hold always"),
    ("no rule", "next = [{ to = { done = 1 } }]", "next = []", "steps.seal: no successor"),
    ("same operation", 'operation = "Wrap"', 'operation = "Tape"', "seal follows with the same operation, Tape"),
    ("same across orders", 'operation = "Tape"', 'operation = "Put Items"', "with the same operation, Put Items"),
    ("dead end", "{ to = { done = 1 } }", "{ to = { wrap = 1 } }", "no way leads from here to 'done'"),
    ("orphan", "wrap = 3, ", "", "steps.wrap: no way leads here"),
    ("unknown operation", 'operation = "Wrap"', 'operation = "Wrapp"', "'Wrapp' is no operation"),
    ("Idle as a step", 'operation = "Wrap"', 'operation = "Idle"', "'Idle' is no operation a step can emit"),
    ("empty order", "{ load = 1 }", "{ load = 1, done = 1 }", "cannot be done before it starts"),
    ("durations", "Wrap = [1000, 9000]\n", "", "durations: Wrap is missing"),
    ("falling quantiles", "[500, 3000]", "[3000, 500]", "durations.Tape: quantiles must not fall"),
    ("zero duration", "[500, 3000]", "[0, 3000]", "the lowest quantile is 0"),
    ("per mille", "per_mille = 500", "per_mille = 1001", "attributes.fragile.per_mille is 1001"),
    ("surface", 'shown_by = "items"', 'shown_by = "lid"', "attributes.fragile.shown_by"),
    ("domain", 'domains = ["clean"]', 'domains = ["dirty"]', "there is no domain 'dirty'"),
    ("train", "[splits.train]", "[splits.test]", "train is missing"),
    ("lead", "lead_ms = [1000, 4000]", "lead_ms = [1000, 6000]", "cutting.lead_ms"),
]


@pytest.mark.parametrize(("why", "old", "new", "message"), BROKEN, ids=[case[0] for case in BROKEN])
def test_broken_world(why, old, new, message):
    assert old in MINIMAL
    with pytest.raises(WorldError) as caught:
        parse_world(MINIMAL.replace(old, new, 1).encode(), "tiny.toml")
    assert str(caught.value).startswith("tiny.toml: ")
    assert message in str(caught.value), why


def test_unknown_world_and_split():
    with pytest.raises(WorldError, match="there are canonical-v1, warehouse-v2, or"):
        load_world("warehouse-v0")
    with pytest.raises(WorldError, match="no split 'tset'; it has train, validation, test, test-large"):
        load_world("warehouse-v2").split("tset")


def test_world_from_a_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    assert load_world(path).name == load_world(str(path)).name == "tiny"


SEEN = {"clean", "light", "clutter", "occlusion", "sensor"}
UNSEEN = {"second-worker", "lens", "glare", "stutter"}
SPLITS = [
    ("train", 288, 20, SEEN),
    ("validation", 24, 20, SEEN),
    ("test", 144, 20, SEEN | UNSEEN),
    ("test-large", 288, 20, SEEN | UNSEEN),
]


@pytest.mark.parametrize("name", world_names())
@pytest.mark.parametrize(("split", "sessions", "clips", "domains"), SPLITS)
def test_splits_of_the_worlds_that_ship(name, split, sessions, clips, domains):
    world = load_world(name)
    found = world.split(split)
    if (name, split) == ("canonical-v1", "test"):
        sessions = 72
    assert (found.sessions, found.clips, set(found.domains)) == (sessions, clips, domains)
    assert {domain for domain in domains if world.domain_seen(domain)} == SEEN


def test_names_and_digest():
    assert world_names() == ("canonical-v1", "warehouse-v2")
    content = resources.files("reference").joinpath("worlds", "warehouse-v2.toml").read_bytes()
    assert load_world("warehouse-v2").digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("operation", ["Label", "Final Check", "Tape"])
def test_short_operations(operation):
    """Medians of 1 to 2 s with a log standard deviation of at least 0.8, of the durations drawn."""
    import numpy as np

    table = load_world("warehouse-v2").durations[operation]
    drawn = np.log([quantile(table, (place + 0.5) / 2000) for place in range(2000)])
    assert 1000 <= quantile(table, 0.5) <= 2000
    assert drawn.std() >= 0.8


def test_secret_key_changes_the_key_alone():
    world = load_world("canonical-v1")
    assert replace(world, key=b"secret").seed == world.seed


HUGE = [
    ('name = "tiny"', 'name = "../../x"', "name is", "a path as a name"),
    ('name = "tiny"', 'name = ["tiny"]', "name is an array", "a list as a name"),
    ('seed = "tiny"', 'seed = ""', "seed is", "an empty seed"),
    ('seed = "tiny"', "seed = 2031-05-06", "seed is date", "a date as a seed"),
    ("sessions = 2", "sessions = 1000000000", "splits.train has more than 1,000,000 clips", "a billion sessions"),
    ("clips = 3", "clips = 1000000", "splits.train has more", "a million clips a session"),
    ("sessions = 2\nclips = 3", "sessions = 9000\nclips = 900", "more than 1,000,000 clips", "many clips in all"),
    ("[splits.train]", '[splits."a/b"]', "the name of a split is", "a path as a split"),
    ("wrap = 3", "wrap = 99999999999999999999", "an integer is outside 64 bits", "a huge weight"),
    ("one_in = 0", "one_in = 1e300", "randomised.one_in is 1e+300, expected at most", "a huge share"),
    ("tempo_percent = 100", "tempo_percent = 1000000", "workers.ana.tempo_percent is", "a huge tempo"),
    ("Wrap = [1000, 9000]", "Wrap = [1000, 1e308]", "durations.Wrap[1] is 1e+308", "a duration that is no integer"),
    ("Wrap = [1000, 9000]", "Wrap = [1000, 10000000000]", "durations.Wrap[1] is", "a duration of months"),
    ("Wrap = [1000, 9000]", 'Wrap = "x"', "durations.Wrap is", "a text as durations"),
    ('domains = ["clean"]', "domains = [1]", "splits.train.domains[0] is 1", "a number as a domain"),
    ('domains = ["clean"]', 'domains = "clean"', "splits.train.domains is", "a text as domains"),
    ("offset_ms = [0, 2000]", "offset_ms = [0, 1, 2]", "cutting.offset_ms is an array of 3", "three ends of a span"),
    ("next = [{ to = { load = 1 } }]", "next = [1]", "start.next[0] is 1", "a number as a rule"),
    ("next = [{ to = { load = 1 } }]", 'next = [{ to = { load = 1 }, when = [" "] }]', ".when[0] is", "no words"),
    ("format = 1", "format = 1\nx = " + "[" * 5000 + "]" * 5000, "nested too deep", "deep nesting"),
    ("format = 1", "format = 1\ndigests = { train = 7 }", "digests.train is 7", "a number as a digest"),
]


@pytest.mark.parametrize(("old", "new", "message", "why"), HUGE, ids=[case[-1] for case in HUGE])
def test_a_world_from_elsewhere_has_types_names_and_limits(old, new, message, why):
    assert old in MINIMAL
    with pytest.raises(WorldError) as caught:
        parse_world(MINIMAL.replace(old, new, 1).encode(), "tiny.toml")
    assert str(caught.value).startswith("tiny.toml: ") and message in str(caught.value), why


def test_a_grammar_that_gives_no_clip_ends(monkeypatch):
    """A timeline is drawn until a session has its clips: where none can be cut, it would have no end."""
    monkeypatch.setattr(sessions, "MAX_RUNS", 2000)
    world = parse_world(MINIMAL.replace("clips = 3", "clips = 9999").encode(), "tiny.toml")
    with pytest.raises(WorldError, match="session train-0000: too few clips can be cut from 2,000 runs"):
        list(build_split(world, "train"))


def test_a_file_that_is_no_world_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "x.toml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(WorldError, match="has more than 4,194,304 bytes"):
        load_world(tmp_path / "x.toml")
