"""Options of asking: of a model behind an endpoint, and of many questions at once."""

from __future__ import annotations

import click

from harness.commands import options


def _price(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """Return `IN,OUT` as two amounts."""
    if value is None:
        return None
    try:
        given, answered = map(float, value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r}: expected IN,OUT in dollars per million tokens, such as 2.5,10") from None
    return given, answered


MODEL, ASKING = "Model behind an endpoint (--model openai:NAME, anthropic:NAME)", "Many questions at once"

endpoint = options.apply(
    options.option(
        "--url",
        metavar="URL",
        title=MODEL,
        help="Ask the endpoint here, such as http://localhost:8000/v1; by default OPENAI_BASE_URL "
        "or ANTHROPIC_BASE_URL.",
    ),
    options.option(
        "--key-env",
        metavar="NAME",
        title=MODEL,
        help="Send the key in this environment variable; by default OPENAI_API_KEY or ANTHROPIC_API_KEY, to https and "
        "this machine only.",
    ),
    options.option(
        "--show",
        type=click.Choice(["timed-frames", "frames", "video"]),
        title=MODEL,
        help="Show frames with a time before each (default), frames alone, or one mp4.",
    ),
    options.path_option("--prompt", title=MODEL, help="Ask with this Jinja2 template instead of the published prompt."),
    options.option("--temperature", metavar="T", title=MODEL, help="Sample at this temperature; by default 0."),
    options.option("--seed", metavar="N", title=MODEL, help="Sample with this seed."),
    options.option("--max-tokens", metavar="N", title=MODEL, help="Allow this many tokens an answer; by default 1024."),
    options.option(
        "--json",
        type=click.Choice(["schema", "object", "none", "auto"]),
        title=MODEL,
        help="Hold the answer to this form; by default the strictest that the endpoint takes.",
    ),
)
"""Options of a model behind an endpoint, each the same as `--option NAME=VALUE`."""

at_once = options.apply(
    options.option(
        "--connections",
        type=click.IntRange(min=1),
        metavar="N",
        title=ASKING,
        help="Ask about N clips at once at most; fewer where the model refuses so many.",
    ),
    options.option(
        "--deadline",
        type=float,
        default=600.0,
        show_default=True,
        metavar="S",
        title=ASKING,
        help="Try for so many seconds to get an answer about a clip.",
    ),
    options.option(
        "--max-failures",
        type=click.IntRange(min=1),
        default=50,
        show_default=True,
        metavar="N",
        title=ASKING,
        help="Stop when N clips got no answer.",
    ),
    options.option(
        "--price",
        metavar="IN,OUT",
        callback=_price,
        title=ASKING,
        help="Count the price, in dollars per million tokens read and written.",
    ),
    options.option(
        "--max-cost", type=float, metavar="DOLLARS", title=ASKING, help="Stop when the answers kept have cost so much."
    ),
    options.option(
        "--give-up",
        is_flag=True,
        title=ASKING,
        help="Make an entry although clips got no answer; they count as wrong.",
    ),
    options.option(
        "--dry-run",
        is_flag=True,
        title=ASKING,
        help="Ask the few questions that come before a run, say what it will take, and end.",
    ),
)
