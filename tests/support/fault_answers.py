"""Answers of the fault server: the honest one, which is made of the pictures, and what goes wrong by name (`FAULTS`).

Nothing here opens a connection. `Asked` is what a request said, `Sent` what goes back and how.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, NamedTuple

from reference.task import CLIP_FRAMES, OPERATIONS

LABELS = OPERATIONS[:-1]
PICTURE_TOKENS, BYTES_A_TOKEN = 85, 64
"""Tokens of any picture, and the characters of its data URL that make one more."""
OTHER_MODEL = "another-vlm"
LONG_TEXT = 3_000_000
BILLING = (
    "Rate limit reached on requests per min. Limit: 3 / min. Please try again in 20s. Please add a payment method to "
    "your account to increase your rate limit. Visit https://example.org/account/billing to add a payment method."
)
"""A plain rate limit, in words that name what a used-up quota names, too."""
NO_PICTURES = hashlib.sha256().hexdigest()


class Asked(NamedTuple):
    """One request for an answer, as the faults see it."""

    digest: str  # of the picture parts, in order
    texts: str  # of the messages
    pictures: tuple[str, ...]  # URLs
    model: str
    body: Mapping[str, Any]
    authorization: str
    url: str  # of this server, under another name
    before: Asked | None  # another question that was asked before


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What goes back. `then`: `reset`, `half`, `hang`, `drip` or `close` instead of a whole reply.

    `late`: makes the reply a little later, of the last question with pictures by then.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    then: str = ""
    late: Callable[[Asked], Sent] | None = None


def digest_of(pictures: Sequence[str]) -> str:
    """Return the SHA-256 of picture URLs in their order, in hexadecimal digits."""
    digest = hashlib.sha256()
    for url in pictures:
        digest.update(url.encode() + b"\n")
    return digest.hexdigest()


def data_url(content: bytes, kind: str = "image/jpeg") -> str:
    """Return a picture as a URL that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def answer_of(digest: str) -> dict[str, Any]:
    """Return the three fields that a digest stands for; two digests agree once in 500,000 times."""
    number = int(digest[:16], 16)
    number, operation = divmod(number, len(LABELS))
    number, step = divmod(number, len(LABELS) - 1)
    number, start = divmod(number, CLIP_FRAMES)
    segment = {"start_frame": start, "end_frame": start + 1 + number % (CLIP_FRAMES - start)}
    following = LABELS[(operation + 1 + step) % len(LABELS)]
    return {"dominant_operation": LABELS[operation], "temporal_segment": segment, "next_operation": following}


def text_of(digest: str) -> str:
    """Return the text of the honest answer about pictures."""
    return json.dumps(answer_of(digest))


def answer_to(asked: Asked) -> str:
    """Return the text of the honest answer; without pictures it repeats the last word that was said."""
    return text_of(asked.digest) if asked.pictures else asked.texts.rpartition(" ")[2]


def usage_of(asked: Asked, text: str) -> dict[str, Any]:
    """Return the tokens of a request and its answer; they grow with the pictures."""
    given = len(asked.texts) // 4 + 1
    given += sum(PICTURE_TOKENS + len(url) // BYTES_A_TOKEN for url in asked.pictures)
    said = len(text) // 4 + 1
    return {"prompt_tokens": given, "completion_tokens": said, "total_tokens": given + said}


def completion(asked: Asked, text: str | None, **changes: Any) -> dict[str, Any]:
    """Return a whole reply of the protocol. `changes`: of the choice (finish_reason), the message, or the reply."""
    message = {"role": "assistant", "content": text} | changes.pop("message", {})
    reply = {
        "id": f"chatcmpl-{asked.digest[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": changes.pop("finish_reason", "stop")}],
        "usage": usage_of(asked, text or ""),
    }
    return {name: value for name, value in {**reply, **changes}.items() if value is not None}


def to_sent(value: Any, status: int = 200, **headers: str) -> Sent:
    """Return a JSON value as a reply; underscores in names of headers stand for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Sent(status=status, body=json.dumps(value).encode(), headers={"content-type": "application/json"} | named)


def honest(asked: Asked) -> Sent:
    """Return the answer that the question stands for."""
    return to_sent(completion(asked, answer_to(asked)))


def refusal(status: int, words: str, kind: str = "server_error", **headers: str) -> Sent:
    """Return an error of the protocol."""
    return to_sent({"error": {"message": words, "type": kind, "code": kind}}, status, **headers)


Fault = Callable[[Asked], Sent]


def _limited(**headers: str) -> Fault:
    return lambda asked: refusal(429, "Rate limit reached for requests", "rate_limit_exceeded", **headers)


def _failing(status: int, words: str) -> Fault:
    return lambda asked: refusal(status, words)


def _saying(text: str | None, **changes: Any) -> Fault:
    return lambda asked: to_sent(completion(asked, text, **changes))


def _then(then: str) -> Fault:
    return lambda asked: Sent(body=honest(asked).body, headers={"content-type": "application/json"}, then=then)


def _limit(asked: Asked) -> int:
    return int(asked.body.get("max_tokens") or asked.body.get("max_completion_tokens") or 512)


def _until_date(asked: Asked) -> Sent:
    return _limited(retry_after=formatdate(time.time() + 1, usegmt=True))(asked)


def _whitespace(asked: Asked) -> Sent:
    usage = usage_of(asked, "") | {"completion_tokens": _limit(asked)}
    return to_sent(completion(asked, "{" + "\n " * _limit(asked), finish_reason="length", usage=usage))


def _cut_off(asked: Asked) -> Sent:
    return to_sent(completion(asked, text_of(asked.digest)[:40], finish_reason="length"))


def _no_format(asked: Asked) -> Sent:
    if "response_format" not in asked.body:
        return honest(asked)
    return refusal(400, "response_format is not supported by this model", "invalid_request_error")


def _no_schema(asked: Asked) -> Sent:
    if (asked.body.get("response_format") or {}).get("type") != "json_schema":
        return honest(asked)
    return refusal(400, "response_format of type json_schema is not supported", "invalid_request_error")


def _page(status: int) -> Fault:
    page = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
    return lambda asked: Sent(status=status, body=page, headers={"content-type": "text/html"})


def _bytes(asked: Asked) -> Sent:
    return Sent(body=b'{"choices": [{"message": {"content": "\xff\xfe\xc3\x28"}}]}\x00\x80', then="close")


def _cut_json(asked: Asked) -> Sent:
    whole = honest(asked)
    return Sent(body=whole.body[: len(whole.body) // 2], headers=whole.headers)


def _elsewhere(asked: Asked) -> Sent:
    return Sent(status=307, headers={"location": f"{asked.url}/v1/chat/completions"})


def _echo(status: int) -> Fault:
    return lambda asked: refusal(status, f"Incorrect API key provided: {asked.authorization}.", "invalid_api_key")


def _echo_in_answer(asked: Asked) -> Sent:
    answer = answer_of(asked.digest)
    return to_sent(completion(asked, f"You sent {asked.authorization}. {json.dumps(answer)}"))


def _echo_in_headers(asked: Asked) -> Sent:
    return refusal(503, "Overloaded", x_request_id=asked.authorization, server=asked.authorization)


def _swapped(asked: Asked) -> Sent:
    return honest(asked) if asked.before is None else to_sent(completion(asked, answer_to(asked.before)))


def _last_pictures(asked: Asked) -> Sent:
    """Answer about the pictures of the last question of those asked at once, as some servers did in batches."""

    def late(last: Asked) -> Sent:
        return honest(asked._replace(digest=last.digest) if asked.pictures else asked)

    return Sent(late=late) if asked.pictures else honest(asked)


def _blind(asked: Asked) -> Sent:
    return to_sent(completion(asked._replace(digest=NO_PICTURES, pictures=()), text_of(NO_PICTURES)))


def _unordered(asked: Asked) -> Sent:
    return to_sent(completion(asked, text_of(digest_of(sorted(asked.pictures)))))


def _reasoning(asked: Asked) -> Sent:
    text = f'<think>{{"dominant_operation": "Idle"}} would be wrong.</think>\n{text_of(asked.digest)}'
    usage = usage_of(asked, text) | {"completion_tokens_details": {"reasoning_tokens": 17}}
    return to_sent(completion(asked, text, usage=usage | {"prompt_tokens_details": {"cached_tokens": 5}}))


FAULTS: Mapping[str, Fault] = {
    # too many requests
    "429": _limited(),
    "429 in seconds": _limited(retry_after="1"),
    "429 until a date": _until_date,
    "429 in milliseconds": _limited(retry_after_ms="150"),
    "429 until a reset": _limited(x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="250ms"),
    "429 in nonsense": _limited(retry_after="soon", retry_after_ms="-1", x_ratelimit_reset_requests="?"),
    "429 for a day": _limited(retry_after="86400"),
    "429 that names billing": lambda asked: refusal(429, BILLING, "rate_limit_exceeded", retry_after_ms="100"),
    "no quota": lambda asked: refusal(429, "You exceeded your current quota", "insufficient_quota"),
    # errors of the server
    "408": _failing(408, "Request timeout"),
    "409": _failing(409, "Conflict"),
    "425": _failing(425, "Too early"),
    "500": _failing(500, "The server had an error while processing your request"),
    "502": _page(502),
    "503": _failing(503, "The model is overloaded"),
    "529": _failing(529, "Overloaded"),
    "long error": _failing(500, "error " * (LONG_TEXT // 6)),
    "error that is no object": lambda asked: to_sent([1, "error", None], 500),
    # connections
    "reset": _then("reset"),
    "half": _then("half"),
    "hang": _then("hang"),
    "drip": _then("drip"),
    "close": _then("close"),  # a whole answer, then the end of a connection that was to be kept
    # replies that are none
    "html": _page(200),
    "bytes": _bytes,
    "cut JSON": _cut_json,
    "no choices": lambda asked: to_sent(completion(asked, "", choices=[])),
    "error with 200": lambda asked: to_sent({"error": {"message": "upstream failed", "code": 502}}),
    # answers without an answer, or with one that stops early
    "garbage": _saying('\ud800\u202e\x00\x1b[31m{"dominant_operation": \ufffe "\U0001f4e6'),
    "prose": _saying("The worker seems to be busy at the table, but it is hard to say with what."),
    "empty": _saying(""),
    "null": _saying(None),
    "whitespace": _whitespace,
    "cut off": _cut_off,
    "filtered": _saying("", finish_reason="content_filter"),
    "declined": _saying(None, message={"refusal": "I'm sorry, I can't help with that."}),
    # other forms of a right answer
    "fence": lambda asked: to_sent(completion(asked, f"```json\n{text_of(asked.digest)}\n```")),
    "reasoning": _reasoning,
    "no usage": lambda asked: to_sent(completion(asked, text_of(asked.digest), usage=None)),
    # requests that cannot be answered
    "400": _failing(400, "Invalid value for 'messages'"),
    "400 for a format": _no_format,
    "400 for a schema": _no_schema,
    "413": _failing(413, "Request entity too large"),
    "422": lambda asked: to_sent({"detail": "Unexpected fields in the request: {'seed'}"}, 422),
    "401": _failing(401, "Incorrect API key provided"),
    "403": _failing(403, "Country, region, or territory not supported"),
    "404": _failing(404, "The model does not exist"),
    # a server that cannot be trusted
    "redirect": _elsewhere,
    "another model": lambda asked: to_sent(completion(asked, text_of(asked.digest), model=OTHER_MODEL)),
    "echo": _echo(500),
    "echo with 401": _echo(401),
    "echo with 400": _echo(400),
    "echo in an answer": _echo_in_answer,
    "echo in headers": _echo_in_headers,
    "swapped": _swapped,
    "last pictures": _last_pictures,
    "blind": _blind,
    "unordered": _unordered,
}
"""What goes wrong with a request, by name."""
