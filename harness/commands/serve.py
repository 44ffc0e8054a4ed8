"""`harness serve`: a model's answers over HTTP."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say
from harness.errors import UsageError
from harness.masking import Mask
from reference.task import DEFAULT_WORLD

ACCESS, LIMITS = "Who may ask", "Limits"


@click.command("serve", cls=options.Command)
@options.option(
    "--model",
    required=True,
    metavar="NAME:REST",
    help="Serve this model: finetune:RUN_DIR, python:MODULE:FUNCTION, baseline:NAME; or ask the one of openai:NAME or "
    "command:LINE.",
)
@options.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Listen at this address.")
@options.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    metavar="N",
    help="Listen at this port; 0 takes a free one.",
)
@options.option(
    "--world",
    default=DEFAULT_WORLD,
    show_default=True,
    metavar="NAME",
    help="Let the model choose among the operations of this world; where a text holds no answer, the constant answer "
    "of its training split stands in.",
)
@options.path_option(
    "--labels",
    help="Let the model choose among the operations in FILE, one a line, a description behind a tab or a colon.",
)
@options.model_options
@options.option(
    "--token-env",
    metavar="NAME",
    title=ACCESS,
    help="Answer only who sends the token in this environment variable (Authorization: Bearer TOKEN).",
)
@options.option(
    "--insecure",
    is_flag=True,
    title=ACCESS,
    help="Listen beyond this machine without a token: whoever reaches it asks.",
)
@options.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    title=ACCESS,
    help="Answer as this host, too (may be repeated); by default as localhost and by address.",
)
@options.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    title=LIMITS,
    help="Ask about N clips at once at most; by default the model says how many.",
)
@options.option(
    "--requests",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    metavar="N",
    title=LIMITS,
    help="Accept N requests at once; further ones are told to come again (429).",
)
@options.option(
    "--max-mib",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    metavar="N",
    title=LIMITS,
    help="Accept requests of at most N MiB (413).",
)
@options.option(
    "--deadline",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    show_default=True,
    metavar="S",
    title=LIMITS,
    help="Answer within S seconds, or say that it took too long (504).",
)
@options.option(
    "--drain",
    type=click.FloatRange(0, 3600),
    default=30.0,
    show_default=True,
    metavar="S",
    title=LIMITS,
    help="After SIGTERM, answer what was accepted for at most S seconds.",
)
def command(model: str, model_options: dict[str, str], world: str, labels: Path | None, **choices: Any) -> None:
    """Load a model once, and answer about clips over HTTP.

    POST /predict takes a clip (an mp4, or 2 to 32 pictures with their times) and returns a prediction line;
    /batch_predict takes a list, /v1/chat/completions what OpenAI's clients send. GET /readyz says when the model is
    loaded. SIGTERM or Ctrl-C answers what was accepted and ends; a second one ends at once.

    \b
    Example:
      harness serve --model baseline:constant
      curl -F video=@clip.mp4 http://127.0.0.1:8000/predict
    """
    from harness.serving.guard import Access
    from harness.serving.lifecycle import listen, serve, url_of
    from harness.serving.limits import MIB, Limits
    from harness.serving.service import Settings

    loopback = _is_loopback(choices["host"])
    token = _token(choices["token_env"])
    if not loopback and token is None and not choices["insecure"]:
        raise UsageError(
            f"--host {choices['host']}: other machines could ask: --token-env NAME lets those in that know a token, "
            "--insecure everybody"
        )
    limits = Limits(
        requests=choices["requests"],
        body_bytes=choices["max_mib"] * MIB,
        bytes_at_once=max(256, 2 * choices["max_mib"]) * MIB,
        deadline_s=choices["deadline"],
        drain_s=choices["drain"],
    )
    settings = Settings(
        model=model,
        options=model_options,
        world=world,
        labels=labels.absolute() if labels else None,
        batch_size=choices["batch_size"],
        limits=limits,
    )
    listening = listen(choices["host"], choices["port"])
    access = Access.of(token, choices["allow_host"], loopback=loopback)
    tell = partial(say, err=True)
    say(f"serving {Mask({'model': model}, environment=True).message(model)} at {url_of(listening)}")
    if code := serve(settings, access, listening, tell, tell):
        raise SystemExit(code)


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(name: str | None) -> str | None:
    """Return the token that the environment holds. Raises UsageError where it is none."""
    if name is None:
        return None
    token = os.environ.get(name, "").strip()
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"--token-env {name}: expected 16 or more printable ASCII characters without spaces there")
    return token
