"""One panel of the page a module. Each takes scored entries and returns dataclasses; none knows HTML."""
