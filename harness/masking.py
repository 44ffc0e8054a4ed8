"""Masking of secrets: what the harness writes about a run holds no key, token or password.

A text is masked where it is the value of a name that says so (`api_key`, `HF_TOKEN`, `password`), where it has the form
of a known kind of key (`sk-...`, `hf_...`, `ghp_...`, `AKIA...`, a JSON Web Token), where it is the user or a parameter
of a URL, and where a `Mask` was given it as an option or found it in the environment. `***` stands in its place. A mask
that is in doubt hides: what it takes from a card is a value that nobody needs to repeat a run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

DEFAULT_KEY = "OPENAI_API_KEY"
"""Variable with the key that an endpoint gets, where the user names no other."""
HIDDEN = "***"
WHOLE, APART = 8, 4
"""Known secrets of 8 characters or more are masked inside words; shorter ones, from 4 on, where they stand alone."""

# Patterns are texts: `re` compiles and keeps those that are used, so that a command which masks nothing pays nothing.

_ALWAYS = r"secret|passw|passphrase|passcode|credential|private_?key"
"""Names whose value is a secret whatever it looks like."""
_SECRET = (
    rf"{_ALWAYS}|bearer|authori[sz]|authentic|cookie|signature|"
    r"(?:api|access|auth|account|subscription|license|service|master|shared|signing|encryption|hf|openai)_?(?:key|token)"
)
_PART = r"(?<![a-z0-9])(?:(?:api|my)?keys?|tokens?|o?auth2?|pwd|pw|pass|pat|creds?|jwt|sig)(?![a-z0-9])"
_PLAIN = r"(?i)\s*(?:[+-]?\d{1,6}(?:\.\d*)?|true|false|yes|no|on|off|auto|none|null|<[^<>]{1,20}>|\[[A-Z]{1,8}\])?\s*"
"""Values that a name such as `pad_token` or `key` has where it is about no secret."""

_FORM = "(?s)" + "|".join(
    (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        r"\bsk[-_][A-Za-z0-9_-]{8,}",
        r"\b(?:pk|rk)_(?:live|test)_[A-Za-z0-9]{8,}",
        r"\bgh[opsur]_[A-Za-z0-9]{8,}",
        r"\bgithub_pat_[A-Za-z0-9_]{8,}",
        r"\bhf_[A-Za-z]{10,}",
        r"\b(?:hf|npm|r8|tgp|dop|api_org|dckr_pat|lin_api)_(?=[A-Za-z_]{0,40}\d)[A-Za-z0-9_]{10,}",
        r"\b(?:gsk|xai|pplx|nvapi|glpat|csk)[-_][A-Za-z0-9_-]{12,}",
        r"\bpypi-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}",
        r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}",
        r"\bAIza[A-Za-z0-9_-]{20,}",
        r"\bya29\.[A-Za-z0-9_-]{10,}",
        r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}",
    )
)
_HEADER = r"(?i)\b(bearer|basic|authorization)(\s+)[A-Za-z0-9+/_=.~-]{8,}"
_AUTHORIZATION = (
    r"(?i)\b(authorization:[ \t]*(?:(?:bearer|basic|token|digest|apikey|negotiate)[ \t]+)?)"
    r"\S+?(?=[\"'\\]{0,2}[,;:.)\]}]{0,3}(?:\s|\Z))"
)
_SCHEME = r"(?:(?i:bearer|basic|token|apikey|negotiate)[ \t]+)?"

_URL = r"(?<=\w)://((?:(?!://)\S)*)"
"""What follows the scheme of a URL, up to the next URL or white space."""
_PLAIN_USER = r"[^\s/?#\"'<>]*@"
_PORT = r"(?:localhost|\[[^\]\s]*\]|[\w-]+(?:\.[\w-]+)+):\d{1,5}(?![^/?#\"',;)\]}>\s])"
_ODD_USER = rf"(?!{_PORT})[^\s/?#:@\"'<>]*:[^\s\"<>]*@"
"""A user whose password holds `/`, `?` or `#`, which should be escaped there; a host and its port are none."""

_ASSIGNED = (
    r"(?<![\w.%-])"
    r"(?P<name>(?i:api|access|secret|auth|private|account)[ ](?i:key|token)s?(?:[ ](?:provided|given|used))?"
    r"|(?=(?P<dash>-)?)[\w.%-]+)"
    r"(?P<quote>\\*[\"']\]?)?(?:(?P<equals>[ \t]{0,3}(?:={1,3}>?|:=|->)[ \t]{0,3})|(?P<colon>[ \t]{0,3}:\s{0,3})"
    r"|(?(quote)(?P<comma>,\s{0,3})|(?!))|(?(dash)(?P<space>[ \t]{1,3}(?!-))|(?!)))(?=\S)"
)
"""A name and what stands between it and its value. Whether the name is one of a secret is looked at afterwards."""
_END = (
    r"(?=[)\]}>\"'\\.,;:&|]{0,8}(?:\s|\Z|[{\[(])"
    r"|\\?[)\]}]{0,8}[,;:&|](?:[{\[]*\\*[\"']|[\w.-]{1,40}[=:]))"
)
"""What follows a closing quote; a quote before anything else belongs to the text that it stands in."""
_SHELL = r"\\{0,4}'(?:\"'\"|\\')'"
"""How shells write a single quote inside single quotes."""
_OPENS = r"(?P<prefix>[bBrRuUfF]{0,2})(?P<delimiter>\\*[\"'])"
_MASKED = r"\*{3}(?:[)\]},;:.>\"'\\]*|,[\"'].*)"
"""A value that is masked already, with what ends it."""
_PROSE = r"(?i)(?:error|exception|warning|unauthori[sz]ed|unauthenticated|\.py)"
"""Ends of names that a colon follows in messages: `AuthenticationError: no access`, `secrets.py:12`."""


def is_secret_name(name: str) -> bool:
    """Return True where a name says that its value is a secret: OPENAI_API_KEY, hf-token, dbPassword."""
    snake = _snake(name)
    return bool(re.search(_SECRET, snake) or re.search(_PART, snake)) or snake.endswith(("token", "apikey"))


def is_secret(name: str, value: Any) -> bool:
    """Return True where `value` is the secret that `name` announces; `max_tokens=512` is none."""
    if not isinstance(value, str | int) or isinstance(value, bool) or not is_secret_name(name):
        return False
    if _snake(name).endswith("_env") and isinstance(value, str) and _are_variables(value):
        return False  # `key_env` names where the secret is
    if re.search(_ALWAYS, _snake(name)):
        return True
    if isinstance(value, int) or (value.strip().isdigit() and "tokens" in name.lower()):
        return False  # a number of tokens
    return not re.fullmatch(_PLAIN, value)


def _are_variables(text: str) -> bool:
    """Return True for names of variables, with commas: those that are set, and capitals that are none.

    Any other text there may be a key itself.
    """
    names = [name.strip() for name in text.split(",")]
    return all(name in os.environ or re.fullmatch(r"[A-Z][A-Z_]{1,40}", name) for name in names)


def _snake(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


class Mask:
    """Mask that also knows these secrets by their text.

    `names`: values by name, such as the options of a command; those whose name announces a secret are known from then
    on, wherever they stand. `environment`: also those of environment variables.
    """

    def __init__(self, names: Mapping[str, str] | None = None, *, environment: bool = False):
        known = {value for name, value in (names or {}).items() if is_secret(name, value)}
        known |= {secret for value in (names or {}).values() for secret in _in_urls(value)}
        known |= set(_of_environment()) if environment else set()
        forms = sorted({form for value in known for form in _spellings(value)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(_literal, forms))) if forms else None

    def text(self, text: str) -> str:
        """Return a text without known secrets, keys of a known form, and users and secret parameters of URLs.

        For the words of a model: what merely follows a name such as `token` stays.
        """
        return _mask_values(self._mask_forms(text), in_urls=True)

    def message(self, text: str) -> str:
        """Return an error, or a command line, without secrets: as `text`, and without values of secret names."""
        return _mask_values(self._mask_forms(text), in_urls=False)

    def _mask_forms(self, text: str) -> str:
        if self._known:
            text = self._known.sub(HIDDEN, text)
        text = re.sub(_FORM, HIDDEN, text)
        text = re.sub(_HEADER, rf"\1\2{HIDDEN}", text)
        text = re.sub(_AUTHORIZATION, rf"\1{HIDDEN}", text)
        return re.sub(_URL, _mask_user, text) if "://" in text else text

    def value(self, value: Any, name: str = "") -> Any:
        """Return a value of texts, numbers, lists and mappings without secrets; other objects as they are."""
        if isinstance(value, Mapping):
            secret = name if name and is_secret_name(name) else ""  # what stands inside is as secret
            return {self._key(key): self.value(part, secret or str(key)) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(part, name) for part in value]
        if name and is_secret(name, value):
            return HIDDEN
        return self.message(value) if isinstance(value, str) else value

    def _key(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) else key


def mask_of_model(model: Any, options: Mapping[str, str]) -> Mask:
    """Return the mask of all secrets that asking a model may meet: of name, options, environment, and the keys that
    are sent, whatever the variables with them are called."""
    keys = [DEFAULT_KEY, *(name.strip() for name in options.get("key_env", "").split(","))]
    sent = {f"{name} api_key": os.environ[name] for name in keys if os.environ.get(name)}
    return Mask({**options, **sent, **({"model": model} if isinstance(model, str) else {})}, environment=True)


def _of_environment() -> Iterator[str]:
    """Yield the secrets of the environment: long enough to be one, and neither a file that exists nor a socket."""
    for name, value in os.environ.items():
        if len(value) >= WHOLE and is_secret(name, value) and not _is_place(name, value):
            yield value


def _is_place(name: str, value: str) -> bool:
    exists = os.sep in value and os.path.exists(value)  # noqa: PTH110 - Path.exists raises for what is too long
    return exists or value.startswith("unix:") or (name == "PWD" and value.startswith(os.sep))


def _in_urls(text: str) -> Iterator[str]:
    """Yield the passwords, or users without one, and the secret parameters of the URLs in a text."""
    for found in re.finditer(_URL, text):
        user, _, password = found[1][: max(_user_length(found[1]) - 1, 0)].partition(":")
        yield from {password or user, unquote(password or user)}
    for found in re.finditer(r"[?&;#]([^=&#\s]{1,100})=([^&#\s]+)", text if "://" in text else ""):
        if is_secret_name(found[1]):
            yield from {found[2], unquote(found[2])}


def _spellings(value: str) -> Iterable[str]:
    """Return the forms in which programs write a text: as it is, in a URL, in JSON, as Python."""
    quoted = {quote(value, safe=""), quote_plus(value), shlex.quote(value).strip("'")}
    return {value, value.strip(), json.dumps(value)[1:-1], repr(value)[1:-1]} | quoted


def _literal(form: str) -> str:
    if len(form) >= WHOLE:
        return re.escape(form)
    return rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) >= APART else "(?!)"


def _user_length(rest: str) -> int:
    """Return the length of user, password and `@` in what follows the scheme of a URL, 0 for none."""
    found = (re.match(_PLAIN_USER, rest), re.match(_ODD_USER, rest))
    return max(match.end() if match else 0 for match in found)


def _mask_user(url: re.Match[str]) -> str:
    length = _user_length(url[1])
    return f"://{HIDDEN}@{url[1][length:]}" if length else url[0]


def _mask_values(text: str, *, in_urls: bool) -> str:
    """Mask the values of secret names. `in_urls`: of the parameters of URLs alone.

    A value in quotes ends with them, one inside open quotes where those close, in a URL before the next parameter,
    any other at white space. It is read once from left to right: time is in proportion to the text.
    """
    if in_urls and "://" not in text:
        return text
    find, parts, at, kept = re.compile(_ASSIGNED).search, list[str](), 0, 0
    urls, quotes = _Spans(_url_spans(text)), _Spans(_quoted_spans(text))
    while found := find(text, at):
        at, url = found.end(), urls.around(found.start())
        if (in_urls and not (url and found["equals"])) or not _announces(found, text):
            continue
        start, end = _value_span(text, at, found, url is not None, quotes)
        value = text[start:end].strip("\\\"'").rstrip(")]},;")
        first = re.split(r"[,;&](?=[\w.-]{1,40}[=:])", value, maxsplit=1)[0]  # max_tokens=512,seed=3
        secret = is_secret(found["name"], first) and not (found["colon"] and _is_prose(found, value))
        if secret and end > start and not re.fullmatch(_MASKED, text[start:end]):
            parts += [text[kept:start], HIDDEN]
            at = kept = end
    return "".join(parts) + text[kept:]


def _announces(found: re.Match[str], text: str) -> bool:
    """Return True where a name, with the sign behind it, may say that a secret follows."""
    if not is_secret_name(found["name"]):
        return False
    if found["comma"]:  # ['--api-key', 'abc'], ('X-Api-Key', 'abc'); else it is a list of names
        before = text[max(found.start() - 3, 0) : found.start()]
        return bool(found["dash"] or re.search(r"\(b?[\"']\Z", before))
    return not (found["colon"] and not found["quote"] and re.search(rf"{_PROSE}\Z", found["name"]))


def _is_prose(found: re.Match[str], value: str) -> bool:
    """Return True for `the key: open the box`: a bare `key` is an ordinary word, and so is what follows it."""
    ordinary = len(value) < WHOLE or not (re.search(r"\d", value) and re.search("[A-Za-z]", value))
    return not found["quote"] and found["name"].lower() in ("key", "keys", "pass") and ordinary


def _value_span(text: str, at: int, found: re.Match[str], in_url: bool, quotes: _Spans) -> tuple[int, int]:
    """Return begin and end of the value that begins at `at`."""
    if opens := re.compile(_OPENS).match(text, at):
        delimiter = opens["delimiter"]
        return at, _closing(text, opens.end(), delimiter)
    scheme = re.compile(_SCHEME).match(text, at)
    start = scheme.end() if scheme else at
    quote = quotes.around(at)
    if in_url:
        stop = re.compile(r"[&#]|\Z" if quote else r"[&#\s]|\Z").search(text, start)
        return start, min(stop.start() if stop else len(text), quote[1] if quote else len(text))
    if quote:
        return start, quote[1]
    if re.search(r"(?i)cookie|authorization", found["name"]) and not found["space"]:  # all of the line is one value
        line = text.find("\n", start)
        end = line if line >= 0 else len(text)
        if start == at:
            return start, end
    stop = re.compile(r"\s|\Z").search(text, start)
    end = stop.start() if stop else len(text)
    return start, start + (len(text[start:end].rstrip(",;:")) or end - start)


def _closing(text: str, at: int, delimiter: str) -> int:
    """Return the end of a text in quotes, behind the closing one; the end of all where it is cut off."""
    if len(delimiter) == 1:
        shell = f"{_SHELL}|" if delimiter == "'" else ""
        # What ends the text always follows, so that nothing is tried twice. Possessive repeats err in Python 3.11.2.
        inside = rf"(?:{shell}[^{delimiter}\\]|\\.|{delimiter}(?!{_END}))*(?:{delimiter}|\Z|\\\Z)"
        found = re.compile(inside, re.DOTALL).match(text, at)
    else:
        found = re.compile(rf"(?<!\\){re.escape(delimiter)}{_END}").search(text, at)
    return found.end() if found else len(text)


class _Spans:
    """Spans that hold each other or stand apart, asked for by positions that only grow."""

    def __init__(self, spans: Iterable[tuple[int, int]]):
        self._coming = sorted(spans, key=lambda span: (-span[0], span[1]))
        self._open: list[tuple[int, int]] = []

    def around(self, position: int) -> tuple[int, int] | None:
        """Return the innermost span that holds a position, None for none."""
        while self._coming and self._coming[-1][0] <= position:
            span = self._coming.pop()
            while self._open and self._open[-1][1] <= span[0]:
                self._open.pop()
            self._open.append(span)
        while self._open and self._open[-1][1] <= position:
            self._open.pop()
        return self._open[-1] if self._open else None


def _url_spans(text: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in re.finditer(r"://\S*", text))


def _quoted_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of what stands in quotes, without them; to the end of the line where nothing closes them.

    An apostrophe inside a word opens and closes nothing. Quotes of different kinds, `"`, `'` and those with a
    backslash, may stand in each other.
    """
    opened: dict[str, int] = {}  # by kind of quote, outermost first
    for found in re.finditer(rf"{_SHELL}|(?<!\\)\\*[\"']", text):
        if len(found[0].strip("\\")) > 1:
            continue
        start, end = found.span()
        kind = found[0] if (end - start) % 2 == 0 else found[0][-1]  # two backslashes are one of the text's own
        if kind in opened:
            if end == len(text) or not text[end].isalnum():
                while True:
                    inner, begin = opened.popitem()
                    yield begin, start
                    if inner == kind:
                        break
        elif re.search(r"(?:\A|\W|(?:\A|\W)[bBrRuUfF]{1,2})\Z", text[max(start - 3, 0) : start]):
            opened[kind] = end
    for begin in opened.values():
        line = text.find("\n", begin)
        yield begin, line if line >= 0 else len(text)
