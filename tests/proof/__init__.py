"""Proof of hardness: what strangers send, kill and edit, tried at full size by `make proof`, in some 20 minutes.

    python -m tests.proof                            # every part, two at a time; writes RESULTS.md beside this file
    python -m tests.proof.lines --scale 0.01 --seed 7

A part is a module here with `run(seed, scale) -> list[row]`, named in `PARTS` of __main__.py. At scale 1 it makes the
number of tries that is demanded; in proportion at another (`table.tries`). Equal seeds make equal tries. It is given
nothing else and needs nothing: it makes its own folder and its own HARNESS_HOME, and removes both. It never stops at a
finding but goes on and counts it; for each it prints one line to standard error with all that repeats it.

A row is a dict, one for each kind of thing that was tried (tests/proof/table.py has `row`, which fills in zeros):

    what           the kind, a few words in lower case: "mutated lines", "kills of score"
    tried          how many
    crashes        exceptions other than HarnessError, tracebacks, exit codes that are not documented
    disagreements  results that are not the right one
    torn           files that were left half-written, stale or out of step
    slow           tries of more than 2 s (of more than 10 s where one try is a whole command)
    peak_mb        most memory of one try or of the part, MiB

`crashes`, `disagreements` and `torn` must be 0 in every row: the proof fails otherwise. A small seeded version of each
part runs in the tests: `run(seed=1, scale=...)`, a few seconds.
"""
