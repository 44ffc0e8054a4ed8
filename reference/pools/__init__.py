"""Tasks in order, computed by processes of this machine or by workers on Ray."""
