"""A model behind HTTP: `harness serve` loads it once and answers about clips, one process, one model.

`lifecycle` runs the server, `app` has its routes, `guard` lets requests in, `intake` reads them and makes pictures of
them in child processes, `service` and `batching` ask the model.
"""
