"""Worlds for the command line and `import harness`: describe, render, seal them, and write their data cards."""
