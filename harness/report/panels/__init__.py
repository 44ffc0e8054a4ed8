"""Panels of the page, one a module: each takes scored entries and returns dataclasses, without HTML."""
