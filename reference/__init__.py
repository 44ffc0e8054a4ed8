"""Where truth is made: world files and OpenPack annotations -> sessions -> clips -> DuckDB.

Imports nothing of `harness` or `finetune`; see README.md in this folder for the contract.
"""
