"""Pictures of a clip, drawn from what it shows and a seed alone.

scenery holds what can be drawn, scene puts a clip's picture together, effects add the domain, frame gives pixels,
contact_sheet shows several clips at once.
"""
