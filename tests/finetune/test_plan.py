"""The plan: counts of real shapes, the peak against a tracked update and torch's own profile, refusals that help."""

from __future__ import annotations

import json
import resource
from dataclasses import fields, replace

import pytest

pytest.importorskip("torch", reason="the finetune extra is not installed")

import torch
from click.testing import CliRunner
from torch.profiler import ProfilerActivity, profile

from finetune.base_models import BASES
from finetune.config import Config
from finetune.data import Collator, Target
from finetune.model import ensure_base, load_model
from finetune.plan import main
from finetune.planning.devices import GIB, device_key
from finetune.planning.dry_run import activation_bytes, make_blueprint, model_weights
from finetune.planning.fit import largest_batch, ways_to_fit
from finetune.planning.memory_plan import plan_memory
from finetune.planning.report import duration_lines
from finetune.planning.tensor_memory import MemoryTracker
from finetune.train import make_optimizer, train
from reference.task import OPERATIONS
from tests.support.finetune_material import QLORA, ROOT, TWIN, example, placed, renderings

HUGE = replace(Config(), batch=16, size=672, as_video=False)
BF16 = replace(Config(), compute="bf16")
LORA = replace(QLORA, quantise=False, compute="fp32", optimizer="adamw", checkpointing=False, batch=4, accumulation=1)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_a_real_shape_has_its_published_number_of_parameters(base):
    what = make_blueprint(replace(Config(), base=base.id, adapter="full", quantise=False, size=448), tiny=False)
    assert sum(parameter.numel() for parameter in what.build(what.shape).parameters()) == base.parameters


def test_adapters_of_rank_16_on_the_3b():
    assert sum(model_weights(Config(), tiny=False).trainable) == 29_933_568


def test_planning_loads_no_weights():
    """7 GB in fp16 are planned in a few hundred megabytes, most of them the libraries'."""
    plan_memory(Config())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plan_memory(replace(Config(), rank=8, batch=4))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def update(config, folder):
    """Return a function that runs a real update as `train` does, the tensors that it holds from the beginning, and the
    base's folder."""
    base = ensure_base(config, folder, OPERATIONS)
    answerer, tokenizer = load_model(config, base, OPERATIONS, "cpu")
    collator, optimizer = Collator(config, tokenizer, OPERATIONS), make_optimizer(config, answerer)
    longest = Target(max(OPERATIONS, key=len), 100, 125, (OPERATIONS[1],))
    targets = [longest, *[Target(OPERATIONS[0], 3, 9, (OPERATIONS[1],))] * (config.batch - 1)]
    shown = [example(frames=config.frames, side=config.size)._replace(target=target) for target in targets]
    batch = collator(shown)
    answerer.train()

    def make():
        for _ in range(config.accumulation):
            answerer(batch).total.backward()
        torch.nn.utils.clip_grad_norm_(answerer.trainable().values(), config.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return make, [*answerer.parameters(), *answerer.buffers(), *batch.values()], base


SIZES = {
    "the twin as it is": TWIN,
    "large images, checkpointing": replace(TWIN, batch=4, size=168, as_video=False, checkpointing=True, prompt="full"),
    "four frames, two passes": replace(TWIN, frames=4, size=112, batch=8, accumulation=2),
    "adapters": LORA,
    "adapters on nf4 in fp16": QLORA,
    "Qwen3-VL": replace(TWIN, base="Qwen/Qwen3-VL-2B-Instruct", size=96, batch=4),
}


@pytest.mark.parametrize("config", SIZES.values(), ids=SIZES)
def test_the_plan_is_within_a_tenth_of_a_tracked_update(tmp_path, config):
    make, held, base = update(config, tmp_path)
    with MemoryTracker(*held) as tracked:
        make()
        make()
    planned = plan_memory(config, "cpu", folder=base)
    print(f"\nplanned {planned.peak_bytes / 2**20:.2f} MiB, tracked {tracked.peak_bytes / 2**20:.2f}")
    assert planned.peak_bytes == pytest.approx(tracked.peak_bytes, rel=0.1)


def test_the_tracker_agrees_with_the_allocator(tmp_path):
    make, held, _ = update(replace(TWIN, batch=4), tmp_path)
    make()
    with MemoryTracker(*held) as tracked:
        before = tracked.live_bytes
        make()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        make()
    live = peak = 0
    for size in allocations(profiled.profiler.kineto_results.experimental_event_tree()):
        live += size
        peak = max(peak, live)
    assert tracked.peak_bytes - before == pytest.approx(peak, rel=0.02)


def allocations(tree):
    """Bytes taken (or, negative, given back), in order of time."""
    found, open_ = [], list(tree)
    while open_:
        node = open_.pop()
        open_ += node.children
        if hasattr(node.extra_fields, "alloc_size"):
            found.append((node.start_time_ns, node.extra_fields.alloc_size))
    return [size for _, size in sorted(found)]


def test_views_count_once_and_freed_tensors_not_at_all():
    with MemoryTracker() as tracked:
        one = torch.ones(1000)
        rows = one.view(10, 100)[3:]
        assert tracked.live_bytes == 4000
        two = one + one
        del one, rows
        assert (tracked.live_bytes, tracked.peak_bytes) == (4000, 8000)
        del two
    assert tracked.live_bytes == 0


def test_few_layers_and_clips_predict_all():
    """The 3B with all its layers and six clips, run without data, against what two clips and few layers say."""
    config = replace(Config(), batch=6, size=112)
    whole = activation_bytes(config, tiny=False, whole=True)
    assert activation_bytes(config, tiny=False) == pytest.approx(whole, rel=0.01)


def test_the_default_run_fits_a_t4():
    """FINETUNE's sum for batch 2 as video was 6.0 GiB, from separately measured parts and a shorter prompt."""
    plan = plan_memory(replace(Config(), batch=2, accumulation=16))
    assert plan.fits
    assert 5 < plan.peak_gib < 8
    assert plan.parts["language layers, nf4"] == pytest.approx(0.515869 * 2_774_532_096, rel=1e-4)
    assert plan.parts["gradients, fp32"] == plan.parts["adapters, fp32"] == 4 * 29_933_568


def test_eight_bits_and_checkpointing_save_what_they_should():
    plan = plan_memory(Config())
    full = plan.replan(optimizer="adamw", checkpointing=False)
    saved = full.parts["optimizer state, adamw"] / plan.parts["optimizer state, paged_adamw_8bit"]
    assert saved == pytest.approx(4, rel=0.05)
    assert full.parts["activations"] > 10 * plan.parts["activations"]


def test_the_largest_batch_fits_and_one_more_does_not():
    plan = plan_memory(Config())
    most = largest_batch(plan)
    assert plan.replan(batch=most).fits
    assert not plan.replan(batch=most + 1).fits


def test_a_run_that_cannot_fit_is_refused_with_three_changes_that_help():
    plan = plan_memory(HUGE)
    assert not plan.fits
    ways = ways_to_fit(plan)
    assert len(ways) == 3
    for changes, _ in ways:
        assert plan_memory(replace(HUGE, **changes)).fits
        if "batch" in changes:
            assert changes["batch"] * changes["accumulation"] >= HUGE.clips_per_update


def test_the_readme_shows_what_the_command_prints():
    readme = (ROOT / "finetune" / "README.md").read_text(encoding="utf-8")
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 0 and f"```\n{done.stdout.strip()}\n```" in readme


def test_the_command_refuses_with_code_2_in_80_columns():
    words = [f"--set={name}={getattr(HUGE, name)}".lower() for name in ("batch", "size", "as_video")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "Refused" in done.output
    assert done.output.count("  --set") >= 3
    assert max(map(len, done.output.splitlines())) <= 80


def test_every_field_is_listed_with_its_default_and_reason():
    done = CliRunner().invoke(main, ["--fields"])
    assert done.exit_code == 0
    text = " ".join(done.output.split())
    for entry in fields(Config):
        assert f"{entry.name} = {entry.default!r} {entry.metadata['why']}" in text


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Tesla T4", "t4"),
        ("Tesla P100-PCIE-16GB", "p100"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "t4"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
    ],
)
def test_a_gpu_is_known_by_its_name(name, key):
    assert device_key(name) == key


def test_a_type_that_a_device_lacks_gets_no_duration():
    assert "does not compute in bf16" in " ".join(duration_lines(replace(plan_memory(Config()), config=BF16)))


def test_peak_is_the_sum_of_the_parts():
    plan = plan_memory(TWIN, "cpu")
    assert plan.peak_bytes == sum(plan.parts.values())
    assert plan.tiny
    assert plan.peak_bytes < GIB


def test_a_training_record_holds_what_was_predicted_and_what_was_counted(tmp_path):
    """On the CPU both numbers count the same things."""
    config = placed(TWIN, renderings(tmp_path / "frames", train=16, validation=2), steps=2)
    train(config, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "training.json").read_text(encoding="utf-8"))
    assert record["measured_peak_gib"] == pytest.approx(record["predicted_peak_gib"], rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("steps", "expected KEY=VALUE"),
        ("path=1", "unknown keys path"),
        ("=1", "unknown keys"),
        ("steps=x", "expected int"),
    ],
)
def test_a_change_that_is_none_is_named(change, message):
    done = CliRunner().invoke(main, ["--set", change])
    assert done.exit_code == 2 and message in done.output
