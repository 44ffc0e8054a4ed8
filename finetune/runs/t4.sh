#!/usr/bin/env bash
# # Qwen2.5-VL 3B learns to watch packing
#
# This notebook tunes a vision-language model on drawn clips of a packing station, lets it answer the test split, and
# scores the answers against floors and ceilings. It runs on Kaggle's two T4s, without the internet, in one session of
# 12 hours or in several: a later session resumes from an earlier one's checkpoint.
#
# **Attach before you run** (File > Add input): the dataset *warehouse-harness-wheels*, the model *Qwen2.5-VL,
# Transformers, 3b-instruct*, and, to resume a run, the output of this notebook's earlier version. Choose the
# accelerator *GPU T4 x2*.
#
# **The output** holds `run/` with the adapter (`run/best`, 120 MB) and two checkpoints (180 MB each), `submissions/`,
# `score.json`, `report.html`; under 1 GB of the 20 that are allowed.
#
# `python -m finetune.kaggle.notebook` generates the notebook from `finetune/runs/t4.sh`. Run as a script, that file does
# the same: on Kaggle, or in a checkout on any machine with a GPU, with the model's folder in `HARNESS_WEIGHTS`.

# %% Settings
# The defaults are Kaggle's folders and the whole run. The script reads others from its environment; on Kaggle, change
# them here. For a short trial of all steps with six minutes of training: `LIMIT=64` and `HOURS=0.1`.
set -euo pipefail
INPUT="${HARNESS_INPUT:-/kaggle/input}"        # read only: wheels, model, an earlier output
PLACE=/kaggle; [ -d "$INPUT" ] || PLACE="$PWD/build/t4"
WORK="${HARNESS_WORK:-$PLACE/working}"         # the output, which Kaggle saves
SCRATCH="${HARNESS_SCRATCH:-$PLACE/temp}"      # deleted after the session: GB of frames 2, packages 0.5, kept features 14
WORLD="${HARNESS_WORLD:-warehouse-v2}"
SIZE="${HARNESS_SIZE:-336}"                    # side of a frame; train and predict refuse other sizes
LIMIT="${HARNESS_LIMIT:-}"                     # clips of each split; empty is all
HOURS="${HARNESS_HOURS:-10}"                   # of training; the answers may take one of the other 2
DEVICE="${HARNESS_DEVICE:-t4}"                 # of the plan
RUN="$WORK/run"
ENTRY="$WORK/submissions/qwen2.5-vl-3b"
SITE="$SCRATCH/site"
FRAMES="$SCRATCH/frames"
[ -d "$INPUT" ] || PATH="$PWD/.venv/bin:$PATH"
export PYTHONPATH="$SITE${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export HF_HUB_OFFLINE=1
mkdir -p "$WORK" "$SCRATCH"

# Find an input by its content, because the paths at which Kaggle mounts inputs have changed over the years.
find_input() { { find -L "$INPUT" -path "$1" 2>/dev/null || true; } | sort | tail -n 1; }

# Print the folder of the 3B's weights; nothing if another config is given, which names its own.
weights() {
    if [ -n "${HARNESS_TRAIN_CONFIG:-}" ]; then return; fi
    local found="${HARNESS_WEIGHTS:+$HARNESS_WEIGHTS/config.json}"
    found="${found:-$(find_input '*qwen2.5-vl/transformers/3b-instruct/*/config.json')}"
    if [ -z "$found" ]; then
        echo "no weights under $INPUT: attach the model Qwen2.5-VL, 3b-instruct, or set HARNESS_WEIGHTS" >&2
        return 1
    fi
    dirname "$found"
}

# Print the config of the run: the installed package's unless another is given.
config() {
    echo "${HARNESS_TRAIN_CONFIG:-$(python -c 'from importlib.resources import files; print(files("finetune"))')/runs/t4.toml}"
}

# %% Install, offline
# 18 wheels, 142 MB, half a minute. They are installed into a folder of their own, which precedes the image's packages on
# the path: the image's torch, built for CUDA, stays. transformers is included because the image's may be older than
# 5.18. The project's wheel holds the code and the config of the run: after a change the dataset needs a new version.
#
# The image's torchao 0.10 is removed for this session: nothing here uses it, and peft refuses a version below 0.16 as
# soon as it adapts a layer that is not in 4 bits (`quantise = false`).
#
# On other machines the packages are those of the checkout's environment (`pip install '.[video,finetune]'`, with a torch
# built for CUDA).
if [ -d "$INPUT" ]; then
    WHEEL="$(find_input '*/warehouse_harness-*.whl')"
    [ -n "$WHEEL" ] || { echo "no wheels under $INPUT: attach the dataset warehouse-harness-wheels"; exit 1; }
    pip install --quiet --no-index --no-deps --upgrade --target "$SITE" "$(dirname "$WHEEL")"/*.whl
fi
if [ "$INPUT" = /kaggle/input ] && [ -d "$INPUT" ]; then pip uninstall --quiet --yes torchao; fi
python -c '
from importlib.metadata import version
import bitsandbytes, torch
print(*(f"{name} {version(name)}" for name in ("torch", "transformers", "peft", "bitsandbytes")), sep="\n")
for number in range(torch.cuda.device_count()):
    gpu = torch.cuda.get_device_properties(number)
    print(f"GPU {number}: {gpu.name}, {gpu.total_memory / 2**30:.1f} GiB")
'
df -h "$WORK" "$SCRATCH"

# %% Draw the clips
# 8 evenly spaced frames per clip, 336 pixels wide: as video they take 576 tokens, half of what single images take. Every
# session draws them again, in a few minutes on Kaggle's four cores and byte for byte the same. At 0.25 MB per clip they
# belong in the scratch folder, not in the output. Test clips are rendered without their truth.
for split in train validation test; do
    python -m harness world render "$WORLD" --split "$split" --frames 8 --size "$SIZE" ${LIMIT:+--limit "$LIMIT"} \
        --workers "$(nproc)" -o "$FRAMES/$split"
done

# %% Plan memory and time
# The plan is made before any weights are loaded. A T4 has 14.7 GiB of usable memory and no bf16. Language layers in nf4
# (0.516 bytes per parameter), vision tower and embedding in fp16 take 3.2 GiB. Adapters of rank 16 on all linear layers of
# the language model are 30 million parameters: 0.3 GiB with gradients and 8-bit Adam. Activations, recomputed in the
# backward pass, take the rest. Logits are computed for answer tokens only; those of all tokens would take 3 GiB more.
WEIGHTS="$(weights)"
python -m finetune.plan "$(config)" --device "$DEVICE" --set scratch="$SCRATCH" ${WEIGHTS:+--set weights="$WEIGHTS"}

# %% Train
# 540 updates of 32 clips: three times the training split. Training stops in time, with a checkpoint and an evaluated
# model. To resume, save this version and attach its output to the next: its run is copied here first (0.5 GB). Of two
# attached outputs the one with more updates counts.
#
# Two T4s compute half of every update and answer half of an evaluation's clips each: the run takes half the time. If
# memory runs out nevertheless, the batch is halved, the number of passes doubled, and the log says so and on which GPU.
#
# The vision tower is frozen: what it says of a clip is kept in the scratch folder, 13.6 GB for all of them, and read in the
# second and third epoch.
EARLIER="$({ find -L "$INPUT" -path '*/run/checkpoints/*/state.json' -printf '%h\n' 2>/dev/null || true; } |
    sed -E 's:(.*)/:\1 :' | sort -k 2 | tail -n 1)"   # folder and number of the newest checkpoint
if [ -n "$EARLIER" ] && [ ! -e "$RUN" ]; then
    echo "resuming from update ${EARLIER##* } in $INPUT"
    cp -r --no-preserve=mode "${EARLIER%/checkpoints *}" "$RUN"
elif [ ! -e "$RUN" ]; then
    echo "no earlier run attached: starting from the beginning"
fi

WEIGHTS="$(weights)"
GPUS="$({ nvidia-smi --list-gpus || true; } 2>/dev/null | wc -l)"
LAUNCH=(python -m)
if [ "$GPUS" -gt 1 ]; then LAUNCH=(python -m torch.distributed.run --standalone --nproc_per_node "$GPUS" -m --); fi
"${LAUNCH[@]}" finetune.train "$(config)" --set scratch="$SCRATCH" --run "$RUN" --frames "$FRAMES" --max-hours "$HOURS" \
    ${WEIGHTS:+--set weights="$WEIGHTS"}

# %% Answer the test split
# The adapter that was best on validation answers. Decoding is constrained to the grammar of an answer, start before end.
# Every answer is on disk before the next question: run again in the same session, this cell resumes.
if [ -e "$ENTRY/predictions.jsonl" ]; then rm -r "$ENTRY"; fi   # answers of an earlier model
python -m harness predict --model "finetune:$RUN" --world "$WORLD" --split test --frames "$FRAMES" \
    ${LIMIT:+--limit "$LIMIT"} --no-score -o "$ENTRY"

# %% Score
# `score.json` is the score record, `report.html` the page to read: how good the model is, how certain that is, and where
# and why it fails. Open the page from the output; it needs no server.
python -m harness score "$ENTRY/predictions.jsonl" --world "$WORLD" --split test --output "$WORK"
python -m harness report "$ENTRY/predictions.jsonl" --world "$WORLD" --split test -o "$WORK/report.html"
du -sh "$RUN"/* "$ENTRY"/* "$WORK"/score.json "$WORK"/report.html
