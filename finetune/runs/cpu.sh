#!/usr/bin/env bash
# Train the twin and score its entry on two CPU cores, with the code that trains the 3B on a GPU. Under 8 minutes once the
# frames are drawn, which takes 1 to 3 minutes more, once.
#
#   bash finetune/runs/cpu.sh           the short run, entry in $WORK/qwen-tiny
#   bash finetune/runs/cpu.sh --long    the run behind submissions/qwen-tiny
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"
.venv/bin/python -c "import bitsandbytes, peft, torch" 2>/dev/null || make --silent .venv/.finetune-tools
WORK="${WORK:-build/twin}"
ENTRY="$WORK/qwen-tiny"
CONFIG=finetune/runs/cpu.toml NEXT=text
if [ "${1:-}" = --long ]; then
  CONFIG=finetune/runs/cpu-long.toml ENTRY=submissions/qwen-tiny NEXT=head
fi
RUN="$WORK/$(basename "$CONFIG" .toml)"
SIZE=$(sed -n 's/^size = //p' "$CONFIG") COUNT=$(sed -n 's/^frames = //p' "$CONFIG")
FRAMES="$WORK/frames-${COUNT}x$SIZE"
# A core that waits must not spin: two busy-waiting threads beside another process are 15 times slower than one.
export OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

# Draw the frames that a model sees, 8 or 16 of 125. Existing ones are kept.
for split in train validation test; do
  harness world render warehouse-v2 --split "$split" --size "$SIZE" --frames "$COUNT" -o "$FRAMES/$split"
done

# Train; the same command resumes a killed run.
python -m finetune.train "$CONFIG" --run "$RUN" --frames "$FRAMES"

# Answer the test split and score the answers. Constrained decoding makes every answer valid; the long run's next
# operation comes from its head, which scored higher on validation (.608 against .599).
harness predict --model "finetune:$RUN" --option "next=$NEXT" --frames "$FRAMES/test" -o "$ENTRY" --fresh

# Compare it with a model that has memorised the order of operations: is its anticipation better?
harness compare "$ENTRY" transition-prior
