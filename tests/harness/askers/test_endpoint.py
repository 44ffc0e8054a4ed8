"""Where requests go, and which key they carry."""

from __future__ import annotations

import pytest

from harness.askers.endpoint import Endpoint
from harness.errors import UsageError

DEFAULT, OTHER = "sk-default-0123456789", "other-key-0123456789"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", DEFAULT)
    monkeypatch.setenv("OTHER", OTHER)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.mark.parametrize(
    ("url", "key_env", "key"),
    [
        ("https://api.example.com/v1", None, DEFAULT),
        ("http://localhost:8000/v1", None, DEFAULT),
        ("http://127.0.0.2:8000/v1", None, DEFAULT),
        ("http://[::1]:8000/v1", None, DEFAULT),
        ("http://vllm.localhost/v1", None, DEFAULT),
        ("http://gpu-3.lab:8000/v1", None, None),
        ("http://10.0.0.7:8000/v1", None, None),
        ("http://localhost.example.com/v1", None, None),
        ("http://127.0.0.1.example.com/v1", None, None),
        ("http://gpu-3.lab:8000/v1", "OTHER", OTHER),
        ("https://api.example.com/v1", "OTHER", OTHER),
    ],
)
def test_the_default_key_goes_to_https_and_to_this_machine_alone(url, key_env, key):
    endpoint = Endpoint.of(url, key_env)
    assert endpoint.key == key
    assert endpoint.headers.get("Authorization") == (f"Bearer {key}" if key else None)
    assert (key or "sk-") not in repr(endpoint)


def test_the_address_comes_from_the_option_then_the_environment_then_the_protocols_owner(monkeypatch):
    assert Endpoint.of(None, None).url == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1/")
    assert Endpoint.of(None, None).url == "http://localhost:1/v1"
    assert Endpoint.of("http://localhost:2/v1/chat/completions", None).url == "http://localhost:2/v1"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000/v1",
        "ftp://localhost/v1",
        "http://",
        "http://local host/v1",
        "http://localhost:port/v1",
        "http://user:secret-word@localhost/v1",
        "http://sk-user@localhost/v1",
        "https://host/v1?api_key=secret-word",
        "https://host/v1?version=secret-word",
        "https://host/v1#secret-word",
        "http://[::1/v1",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_without_repeating_it(url):
    with pytest.raises(UsageError, match=r"--url") as refusal:
        Endpoint.of(url, None)
    assert "secret-word" not in str(refusal.value) and "sk-user" not in str(refusal.value)


def test_a_key_that_is_missing_or_no_header_is_refused(monkeypatch):
    with pytest.raises(UsageError, match="NOWHERE: the environment has no such variable"):
        Endpoint.of("http://localhost/v1", "NOWHERE")
    monkeypatch.setenv("OTHER", "two\nlines")
    with pytest.raises(UsageError, match="OTHER holds no key") as refusal:
        Endpoint.of("http://localhost/v1", "OTHER")
    assert "lines" not in str(refusal.value)
