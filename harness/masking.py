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
_HEADER = r"(?i)\b(bearer|basic|authorization:?(?:\s*(?:bearer|basic|token))?)(\s+)[A-Za-z0-9+/_=.~-]{8,}"
_USER = r"\b([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/?#\"'<>]*@"
_ASSIGNED = r"""(?<![\w.-])(?P<name>[\w.-]+)(?P<sign>["']?\s?=\s?|["']\s?:\s?)(?P<value>"[^"]*"|'[^']*'|[^\s&#,;'"]+)"""


def is_secret_name(name: str) -> bool:
    """Return True where a name says that its value is a secret: OPENAI_API_KEY, hf-token, dbPassword."""
    snake = _snake(name)
    return bool(re.search(_SECRET, snake) or re.search(_PART, snake)) or snake.endswith(("token", "apikey"))


def is_secret(name: str, value: Any) -> bool:
    """Return True where `value` is the secret that `name` announces; `max_tokens=512` is none."""
    if not isinstance(value, str | int) or isinstance(value, bool) or not is_secret_name(name):
        return False
    if re.search(_ALWAYS, _snake(name)):
        return True
    if isinstance(value, int) or (value.strip().isdigit() and "tokens" in name.lower()):
        return False  # a number of tokens
    return not re.fullmatch(_PLAIN, value)


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
        if self._known:
            text = self._known.sub(HIDDEN, text)
        text = re.sub(_FORM, HIDDEN, text)
        text = re.sub(_HEADER, rf"\1\2{HIDDEN}", text)
        if "://" in text:
            text = re.sub(_USER, rf"\1{HIDDEN}@", text)
            text = re.sub(r"://\S+", lambda url: _mask_parameters(url[0]), text)
        return text

    def message(self, text: str) -> str:
        """Return an error, or a command line, without secrets: as `text`, and without values of secret names."""
        return self.text(re.sub(_ASSIGNED, _mask_value, text))

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


def _of_environment() -> Iterator[str]:
    """Yield the secrets of the environment: long enough to be one, and no path."""
    for name, value in os.environ.items():
        if len(value) >= WHOLE and not re.search(r"^[/.~]|\s|^[A-Za-z]:\\|^unix:", value) and is_secret(name, value):
            yield value


def _in_urls(text: str) -> Iterator[str]:
    """Yield the passwords, or users without one, and the secret parameters of the URLs in a text."""
    for found in re.finditer(_USER, text):
        user, _, password = found[0][len(found[1]) : -1].partition(":")
        yield from {password or user, unquote(password or user)}
    for found in re.finditer(r"[?&;#]([^=&#\s]{1,100})=([^&#\s\"'<>]+)", text if "://" in text else ""):
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


def _mask_value(found: re.Match[str]) -> str:
    value = found["value"].strip("\"'")
    return f"{found['name']}{found['sign']}{HIDDEN}" if is_secret(found["name"], value) else found[0]


def _mask_parameters(url: str) -> str:
    return re.sub(
        r"([?&;#])([^=&#\s]{1,100})=([^&#\s\"'<>]*)",
        lambda part: f"{part[1]}{part[2]}={HIDDEN}" if is_secret_name(part[2]) else part[0],
        url,
    )
