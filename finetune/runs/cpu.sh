#!/usr/bin/env bash
# The twin: from nothing to a scored entry on two CPU cores, by the lines that train the 3B on a GPU. Under 8 minutes
# once the frames are there (they take 1 to 3 more, once).
#
#   bash finetune/runs/cpu.sh           the short run, entry in $WORK/qwen-tiny
#   bash finetune/runs/cpu.sh --long    the run behind submissions/qwen-tiny
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"
.venv/bin/python -c "import bitsandbytes, peft, torch" 2>/dev/null || make --silent .venv/.finetune-tools
WORK="${WORK:-build/twin}"
ENTRY="$WORK/qwen-tiny"
CONFIG=finetune/runs/cpu.toml
if [ "${1:-}" = --long ]; then
  CONFIG=finetune/runs/cpu-long.toml ENTRY=submissions/qwen-tiny
fi
RUN="$WORK/$(basename "$CONFIG" .toml)"
SIZE=$(sed -n 's/^size = //p' "$CONFIG")
# A core that waits must not spin: two busy-waiting threads beside another process are 15 times slower than one.
export OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

# Frames as a model sees them: 8 of 125. What is there already is not drawn again.
for split in train validation test; do
  harness world render warehouse-v1 --split "$split" --size "$SIZE" -o "$WORK/frames-$SIZE/$split"
done

# Train; the same command goes on where a killed run stopped.
python -m finetune.train "$CONFIG" --run "$RUN" --frames "$WORK/frames-$SIZE"

# Answer the test split and judge the answers. Constrained decoding: every answer is valid.
harness predict --model "finetune:$RUN" --frames "$WORK/frames-$SIZE/test" -o "$ENTRY" --fresh

# Is its anticipation better than having memorised the order of operations?
harness compare "$ENTRY" transition-prior
