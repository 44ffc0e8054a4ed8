#!/usr/bin/env bash
# Run the main job from start to end: truth, scores, a flawed file, a leaderboard. `make demo` calls it after the set-up.
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"

run() { printf '\n$ %s\n' "$*"; eval "$*"; }

run harness world build warehouse-v1 --split test
run harness score submissions/transition-prior/predictions.jsonl --name transition-prior
run harness compare submissions/constant/predictions.jsonl submissions/whole-clip/predictions.jsonl

printf '\nA flawed file is refused, with every problem named:\n'
run harness validate tests/gold/flawed.jsonl || test $? -eq 2
printf '\nIt can be scored all the same; each bad line then counts as a wrong answer:\n'
run "harness score tests/gold/flawed.jsonl --lenient | head -24"

run harness leaderboard submissions
run harness compare probe transition-prior

frames=$(mktemp -d)/frames
run harness world render warehouse-v1 -o "$frames" --limit 8
run harness world preview warehouse-v1 --count 3 -o "$frames/preview.png"

run harness leaderboard submissions -o reports/leaderboard.html

printf '\nNext: open reports/leaderboard.html in a browser, or score your own file, one JSON object a line:\n'
printf '  .venv/bin/harness report submission.jsonl -o submission.html\n'
