"""The parts of a packing station, drawn as pure data: no truth, no clock, no pixels."""
