"""One HTML file that answers who leads, is that certain, why do they fail, show me. Opened from disk, asks nobody.

gather.py    submissions -> everyone who takes part, scored and paired
clips.py     their answers clip by clip, as columns
panels/      one panel a module: numbers in, a dataclass out; no HTML
data.py      the panels of a page, in reading order
render.py    templates/ and static/ -> the file
pictures.py  contact sheets of chosen clips, under a budget
verify.py    a page against the submissions it claims to show
exports.py   the same numbers for other readers
watch.py     the page of a file that is still growing
"""
