"""Ask in a provider's batches: the questions of a run go up in files, and their answers come back within a day.

submit writes files of requests and sends them, collect takes what has ended. provider is the contract of whoever
answers, book what is on disk about every batch, before it is sent; files are the requests and results; patience is how
long a provider is tried. A kill at any moment submits nothing twice: what was to be created is written down first, and
is looked for at the provider before it is created again.
"""
