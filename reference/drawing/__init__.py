"""Pictures of a clip, drawn from its visible state and a seed alone.

scenery draws the parts of the station, scene composes the picture of a clip, films say what a camera does to it,
effects which domain has which film, frame gives pixels, contact_sheet shows several clips at once.
"""
