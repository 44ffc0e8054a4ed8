"""Packed files -> the bytes of their lines: compressed text, logs of Inspect, workbooks of Excel."""
