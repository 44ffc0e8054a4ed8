"""Ground truth: world files and OpenPack annotations -> sessions -> clips -> DuckDB, and clips -> pictures.

Imports nothing of `harness` or `finetune`; README.md in this folder states the contract.
"""
