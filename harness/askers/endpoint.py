"""Where an endpoint is, and which key it gets.

The key comes from the environment alone. The default one, OPENAI_API_KEY, goes to https or to this machine only;
another server gets the key that `--key-env NAME` names. A URL holds no secret.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit, urlunsplit

from harness.errors import UsageError
from harness.masking import DEFAULT_KEY as KEY
from harness.masking import is_secret_name

BASE_URL, HOSTED = "OPENAI_BASE_URL", "https://api.openai.com/v1"


@dataclass(frozen=True)
class Endpoint:
    """Address of an endpoint, without a slash at its end, and the key that it gets; None for none."""

    url: str
    key: str | None = field(repr=False)
    why_no_key: str = ""  # as a sentence, where none is sent

    @classmethod
    def of(cls, url: str | None, key_env: str | None) -> Endpoint:
        """Return the endpoint at a URL, else at that of the environment, else OpenAI's own. Raises UsageError."""
        where = "--url" if url else BASE_URL
        parts = _checked((url or os.environ.get(BASE_URL) or HOSTED).strip(), where)
        key = _key(parts, key_env)
        return cls(urlunsplit(parts).rstrip("/"), key, "" if key else _why_no_key(parts))

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a request."""
        known = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {"Accept": "application/json", "Accept-Encoding": "identity", **known}


def _checked(url: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{where}: expected a URL such as http://localhost:8000/v1") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise UsageError(f"{where}: expected a URL such as http://localhost:8000/v1")
    if parts.username or parts.password:
        raise UsageError(f"{where} holds a user or password: put the key into the environment, as {KEY} or --key-env")
    if parts.query or parts.fragment:
        named = " that may be a secret" if any(map(is_secret_name, parts.query.replace("=", "&").split("&"))) else ""
        raise UsageError(f"{where} has a query{named}: expected the base of the endpoint, such as https://HOST/v1")
    return parts._replace(path=parts.path.removesuffix("/").removesuffix("/chat/completions"))


def _key(parts: SplitResult, key_env: str | None) -> str | None:
    """Return the key for a server. Raises UsageError where it is named and not set, or no key of a header."""
    name = key_env or KEY
    key = os.environ.get(name, "").strip()
    if key_env and not key:
        raise UsageError(f"--key-env {key_env}: the environment has no such variable, or it is empty")
    if not key or not (key_env or parts.scheme == "https" or is_this_machine(parts.hostname or "")):
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(f"{name} holds no key: expected printable ASCII without spaces")
    return key


def _why_no_key(parts: SplitResult) -> str:
    if not os.environ.get(KEY, "").strip():
        return f"no key was sent: {KEY} is not set"
    return f"{KEY} was not sent to {parts.scheme}://{parts.hostname}: --key-env {KEY} sends it"


def is_this_machine(host: str) -> bool:
    """Return True for a loopback address or localhost."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
