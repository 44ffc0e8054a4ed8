"""Planning of a run before it starts: memory part by part, the devices that it fits, how long it takes.

memory_plan    parts of the peak on a device: weights, gradients, optimizer state, activations
dry_run        what is counted: the model on the meta device, and the peak of an update without data
tensor_memory  the tracker of live tensors
operators      what a pass launches: operations and bytes of each operator
devices        usable memory and speed of T4, P100, L4, A100, H100, CPU
fit            largest batch and frames that fit, changes that make a run fit
hours          duration of updates and evaluations
correction     what a run measures, beside its plan
report         all of it as text, what `python -m finetune.plan` prints
"""
