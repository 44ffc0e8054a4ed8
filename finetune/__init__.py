"""The primary submission: Qwen2.5-VL tuned on rendered clips, and a tiny twin running the same lines on two CPU cores.

`python -m finetune.plan | train | merge`; `harness predict --model finetune:RUN_DIR` plugs in through
`finetune.predictor`. Needs the extra `finetune`.
"""
