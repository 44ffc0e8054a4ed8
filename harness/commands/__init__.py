"""Commands, one a module: parse the options, make one library call, print. `harness.cli` loads a module on use."""
