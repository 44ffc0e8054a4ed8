#!/usr/bin/env bash
# Measure the effect of each choice on a trained twin: five seeds per arm, paired with the same seeds of the arm `base`,
# scored by the harness on the validation split as it is and redrawn in a domain that no training clip has. The twin is
# trained first, 21 minutes on one core; then two trainings at a time. Finished parts are kept when it is run again.
#
#   bash finetune/runs/ablations.sh                    all arms
#   bash finetune/runs/ablations.sh augment frames-16  these
#
# With the table of finetune/RESULTS.md goes what it is computed from: copy build/ablations/sums.json to
# finetune/runs/ablation-sums.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"
.venv/bin/python -c "import bitsandbytes, peft, torch" 2>/dev/null || make --silent .venv/.finetune-tools
WORK="${WORK:-build/ablations}"
export OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

python -m finetune.ablations "$WORK" "$@"
