"""Pictures of a clip, drawn from its visible state and a seed alone.

scenery draws the parts of the station, scene composes the picture of a clip, effects add the domain, frame gives
pixels, contact_sheet shows several clips at once.
"""
