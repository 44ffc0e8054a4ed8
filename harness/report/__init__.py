"""Report page: one HTML file that says who leads, how certain that is and why models fail, and shows the clips.

gather.py     the entries of a page, scored and paired
clips.py      their answers clip by clip, as columns
panels/       one panel a module: numbers in, a dataclass out; no HTML
data.py       the panels of a page, in reading order
columns.py    the data of the page's script, packed
typography.py numbers as the page sets them
render.py     templates/ and static/ -> the file
write.py      all of it, for commands and `import harness`
public.py     the page of a sealed split's board
pictures.py   contact sheets of chosen clips, under a budget
verify.py     a page against the submissions it claims to show
exports/      the same numbers for other programs
watch.py      the page of a file that is still growing
"""
