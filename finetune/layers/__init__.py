"""What this project computes in place of transformers and PEFT, because launching and waiting cost more than computing.

attention    vision attention in one call a layer; causal attention without a mask
geometry     positions and windows, computed on the host from a batch's shapes
projections  a projection with its adapter as one function
vision_cache the output of a frozen vision tower, kept from epoch to epoch

`plain = true` in a config computes everything as transformers and PEFT do: the reference of the tests' equalities.
"""
