"""One module a command: parse, one library call, print. Loaded by `harness.cli` when the command is used."""
