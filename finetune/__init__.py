"""Training of the primary submission: Qwen2.5-VL tuned on rendered clips, and a tiny twin that runs on two CPU cores.

`python -m finetune.plan | train | merge | ablations`; `harness predict --model finetune:RUN_DIR` loads
`finetune.predictor`. Needs the extra `finetune`.
"""
