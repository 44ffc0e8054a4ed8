"""Processes that train one run together, one for each GPU: what they tell one another, and how they end together.

`accelerate launch` and torchrun start them, and end all of them within seconds when one is killed.
"""
