#!/usr/bin/env bash
# Run the main job from start to end: one model's score, the board, the page. `make demo` calls it after the set-up.
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"

run() { printf '\n$ %s\n' "$*"; eval "$*"; }

printf 'How good is a model?\n'
run harness score submissions/qwen-tiny/predictions.jsonl

printf '\nWho leads, and is that certain?\n'
run harness leaderboard submissions
run harness leaderboard submissions -o reports/leaderboard.html

printf '\nNext: open reports/leaderboard.html in a browser, or enter your own file, one JSON object a line:\n'
printf '  .venv/bin/harness submit submission.jsonl --name my-vlm\n'
