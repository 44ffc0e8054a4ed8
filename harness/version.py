"""The version of the harness: a part of every signature and of every stored score's key."""

__version__ = "0.1.0"
