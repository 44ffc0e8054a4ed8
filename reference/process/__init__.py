"""The packing process: a world file -> sessions -> clips with their truth, and what can be known of each.

world and grammar say what can happen, sessions simulates it, cutter cuts clips from it, visible says what a clip shows,
ceiling what can be known from that, priors what memory alone achieves, frame_limits what sampled frames allow; split
puts a whole split together.
"""
