"""Where an endpoint is, and which key it gets.

The key comes from the environment alone. The default one, OPENAI_API_KEY or ANTHROPIC_API_KEY, goes to https or to
this machine only; another server gets the key that `--key-env NAME` names. A URL holds no secret.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from harness.errors import UsageError
from harness.masking import DEFAULT_KEY as KEY
from harness.masking import is_secret_name

ANTHROPIC_VERSION = "2023-06-01"


class Api(NamedTuple):
    """Interface of a provider: the variables with URL and key, where it is by default, and what its URLs end with."""

    base_url: str
    key: str
    hosted: str
    asking: str

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers that name the user."""
        if self is ANTHROPIC:
            return {"anthropic-version": ANTHROPIC_VERSION, **({"x-api-key": key} if key else {})}
        return {"Authorization": f"Bearer {key}"} if key else {}


OPENAI = Api("OPENAI_BASE_URL", KEY, "https://api.openai.com/v1", "/chat/completions")
ANTHROPIC = Api("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1", "/messages")


@dataclass(frozen=True)
class Endpoint:
    """Address of an endpoint, without a slash at its end, and the key that it gets; None for none."""

    url: str
    key: str | None = field(repr=False)
    why_no_key: str = ""  # as a sentence, where none is sent
    api: Api = OPENAI

    @classmethod
    def of(cls, url: str | None, key_env: str | None, api: Api = OPENAI) -> Endpoint:
        """Return the endpoint at a URL, else that of the environment, else the provider's own. Raises UsageError."""
        where = "--url" if url else api.base_url
        parts = _checked((url or os.environ.get(api.base_url) or api.hosted).strip(), where, api)
        key = _key(parts, key_env, api)
        return cls(urlunsplit(parts).rstrip("/"), key, "" if key else _why_no_key(parts, api), api)

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a request."""
        return {"Accept": "application/json", "Accept-Encoding": "identity", **self.api.headers(self.key)}


def _checked(url: str, where: str, api: Api) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{where}: expected a URL such as http://localhost:8000/v1") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise UsageError(f"{where}: expected a URL such as http://localhost:8000/v1")
    if parts.username or parts.password:
        raise UsageError(
            f"{where} holds a user or password; the environment is the place of a key, as {api.key} or --key-env"
        )
    if parts.query or parts.fragment:
        named = " that may be a secret" if any(map(is_secret_name, parts.query.replace("=", "&").split("&"))) else ""
        raise UsageError(f"{where} has a query{named}: expected the base of the endpoint, such as https://HOST/v1")
    path = parts.path.removesuffix("/").removesuffix(api.asking)
    # other programs read ANTHROPIC_BASE_URL without the version
    return parts._replace(path="/v1" if api is ANTHROPIC and not path else path)


def _key(parts: SplitResult, key_env: str | None, api: Api) -> str | None:
    """Return the key for a server. Raises UsageError where it is named and not set, or no key of a header."""
    name = key_env or api.key
    key = os.environ.get(name, "").strip()
    if key_env and not key:
        raise UsageError(f"--key-env {key_env}: the environment has no such variable, or it is empty")
    if not key or not (key_env or parts.scheme == "https" or is_this_machine(parts.hostname or "")):
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(f"{name} holds no key: expected printable ASCII without spaces")
    return key


def _why_no_key(parts: SplitResult, api: Api) -> str:
    if not os.environ.get(api.key, "").strip():
        return f"no key was sent: {api.key} is not set"
    return f"{api.key} was not sent to {parts.scheme}://{parts.hostname}: --key-env {api.key} sends it"


def is_this_machine(host: str) -> bool:
    """Return True for a loopback address or localhost."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
