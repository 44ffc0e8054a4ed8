"""Check of training and answering on a GPU: runs/gpu-check.sh runs it, `make gpu-check` gathers what it needs.

archive       the packages that a machine with torch lacks, in one file
steps         table of the steps: what each runs, its limit of time, what it needs; the aims
runner        each step in a process of its own, ended at its limit
table         the results: a line on disk as soon as it is known, and all of them as a table
step          `python -m finetune.gpu_check.step NAME`: one step
setup         sizes of the true check and of its rehearsal; configs
random_base   checkpoints of a published shape with random weights
plans passes training asking    what the steps measure
"""
