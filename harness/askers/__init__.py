"""Models outside this process, as Askers: an endpoint of the OpenAI protocol, a script, a function of a module."""
