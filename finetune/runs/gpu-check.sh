#!/usr/bin/env bash
# Check training and answering on this machine's GPU: 8 minutes at most, no network, every step with a limit of its own.
#
#   make gpu-check                                in a checkout, with a network: gathers build/gpu-check
#   bash gpu-check/gpu-check.sh                   on the machine, with that folder copied to it
#   bash finetune/runs/gpu-check.sh --rehearse    in a checkout: all of it with a tiny model on the CPU
#
# The machine has x86-64, Python 3.12 with torch for CUDA, numpy, scipy, pandas, pillow, matplotlib, and 18 GB of disk at
# $WORK. Results are in $OUT: table.md to read, results.jsonl with a line for each number as soon as it is known, and
# steps.log with what the steps said besides.
set -euo pipefail
BEGUN="$(date +%s)"
HERE="$(cd "$(dirname "$0")" && pwd)"
OUT="$(realpath -m "${OUT:-gpu-check-results}")"
if [ -n "${WORK:-}" ]; then
  WORK="$(realpath -m "$WORK")"
else
  WORK="$(mktemp -d)"
  trap 'rm -rf "$WORK"' EXIT
fi
if [ -f "$HERE/packages.zip" ]; then
  python3 -m zipfile -e "$HERE/packages.zip" "$WORK/site"
  export PYTHONPATH="$WORK/site"
  cd "$WORK"
else
  cd "$HERE/../.."
  PATH="$PWD/.venv/bin:$PATH"
fi
# Two busy-waiting threads beside another process are 15 times slower than one: it matters where the CPU rehearses.
export OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONWARNINGS=ignore HARNESS_HOME="$WORK/home"
python3 -m finetune.gpu_check "$WORK" --results "$OUT" --begun "$BEGUN" "$@"
