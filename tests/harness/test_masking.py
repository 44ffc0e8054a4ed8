"""Masking of secrets: which names announce one, which texts are one, and what stays as it is."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from harness.cards import read_card
from harness.masking import HIDDEN, Mask, is_secret, is_secret_name
from tests.support import ROOT

NAMES = [
    *("key", "api_key", "apikey", "apiKey", "APIKey", "x-api-key", "OPENAI_API_KEY", "openai.api.key", "accesskey"),
    *(
        "token",
        "hf_token",
        "authToken",
        "HF_HUB_TOKEN",
        "secret",
        "client_secret",
        "clientSecret",
        "password",
        "passwd",
    ),
    *("dbPassword", "passphrase", "pwd", "auth", "authorization", "Authorization", "credential", "credentials"),
    *("bearer", "bearer_token", "cookie", "private_key", "aws_secret_access_key", "accessToken", "mytoken"),
]
PLAIN = [
    *("seed", "model", "tokenizer", "tokenizer_path", "keyframes", "keyword", "monkey", "author", "authors", "path"),
    *("compass", "passes", "bypass", "temperature", "base_url", "weights", "batch", "clip_frames", "patience"),
]
VALUES = [
    ("max_tokens", "512", False, "a number of tokens"),
    ("max_new_tokens", "100000000", False, "a large number of tokens"),
    ("max_tokens", 4096, False, "a number"),
    ("pad_token", "<pad>", False, "a word of a tokenizer"),
    ("mask_token", "[MASK]", False, "another"),
    ("use_auth_token", "true", False, "a switch"),
    ("use_auth_token", True, False, "a switch of Python"),
    ("token", "abc", True, "a short one"),
    ("password", "1234", True, "a password of digits"),
    ("password", 1234, True, "as a number"),
    ("secret", "no", True, "whatever it says"),
    ("api_key", "EMPTY", True, "in doubt it is hidden"),
    ("seed", "sk-abcdefgh", False, "the name says nothing; the form does"),
]
TEXTS = [
    ("Incorrect key sk-proj-abcdEFGH1234.", "Incorrect key ***.", "a key"),
    ("hf_abcdefghijklmnopqrstuv", "***", "of Hugging Face"),
    ("ghp_abcdefghijkl12345 github_pat_11ABCDEFG_xyz", "*** ***", "of GitHub"),
    ("AKIAIOSFODNN7EXAMPLE", "***", "of AWS"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstu", "***", "of Google"),
    ("xoxb-1234567890-abcdef", "***", "of Slack"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "***", "a JSON Web Token"),
    ("Authorization: Bearer abcdefghijk", "Authorization: Bearer ***", "a header"),
    ("http://bob:hunter2@host:8000/v1", "http://***@host:8000/v1", "a user in a URL"),
    ("postgres://u:p%40ss@db/x", "postgres://***@db/x", "of any scheme"),
    ("https://token@host/x", "https://***@host/x", "a user alone"),
    ("https://h/v1?b=1&api_key=abc&c=2", "https://h/v1?b=1&api_key=***&c=2", "a parameter"),
    ("https://h/v1#access_token=abc", "https://h/v1#access_token=***", "behind a hash"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "***", "a private key"),
    ("http://localhost:8000/v1?page=2", "http://localhost:8000/v1?page=2", "no secret"),
    ("task-based-learning of desk-abcdefghijk", "task-based-learning of desk-abcdefghijk", "words with sk-"),
    ("write to user@example.com", "write to user@example.com", "an address"),
    ("the key: open the box, then tape it", "the key: open the box, then tape it", "a model's words"),
]
MESSAGES = [
    ("api_key=abc, max_tokens=512", "api_key=***, max_tokens=512", "options"),
    (
        "--option 'api_key=a b' -o x",
        "--option 'api_key=*** b' -o x",
        "quoted as a whole",
    ),
    ("Model(api_key='a b', seed=3)", "Model(api_key=***, seed=3)", "a call"),
    ('{"password": "x", "seed": "3"}', '{"password": ***, "seed": "3"}', "JSON"),
]


def test_names_that_announce_a_secret():
    assert [name for name in NAMES if not is_secret_name(name)] == []
    assert [name for name in PLAIN if is_secret_name(name)] == []


@pytest.mark.parametrize(("name", "value", "expected", "why"), VALUES, ids=[case[3] for case in VALUES])
def test_values_that_are_secret(name, value, expected, why):
    assert is_secret(name, value) is expected


@pytest.mark.parametrize(("text", "expected", "why"), TEXTS, ids=[case[2] for case in TEXTS])
def test_texts_without_secrets(text, expected, why):
    mask = Mask()
    assert mask.text(text) == expected == mask.message(text)
    assert mask.text(expected) == expected, "what is masked stays so"


@pytest.mark.parametrize(("text", "expected", "why"), MESSAGES, ids=[case[2] for case in MESSAGES])
def test_messages_without_secrets(text, expected, why):
    assert Mask().message(text) == expected


KNOWN = [
    ("my-secret-value", "said my-secret-value!", "said ***!", "as it is"),
    ("my/secret value", "GET /?q=my%2Fsecret%20value my%2Fsecret+value", "GET /?q=*** ***", "in a URL"),
    ('quo"ted\\value', json.dumps({"x": 'quo"ted\\value'}), '{"x": "***"}', "in JSON"),
    ("abcd", "abcd or abcdef", "*** or abcdef", "a short one where it stands alone"),
    ("abc", "abc", "abc", "too short to be told from a word"),
]


@pytest.mark.parametrize(("secret", "text", "expected", "why"), KNOWN, ids=[case[3] for case in KNOWN])
def test_known_secrets_are_masked_wherever_they_stand(secret, text, expected, why):
    assert Mask({"api_key": secret}).text(text) == expected
    assert Mask({"seed": secret}).text(text) == text


def test_passwords_in_urls_are_known_too():
    mask = Mask({"url": "http://bob:hunter%40two@host/?api_key=abcdefgh"})
    assert mask.text("login as bob with hunter@two and abcdefgh") == "login as bob with *** and ***"


def test_secrets_of_the_environment(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "zxcvbnmasdf")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent/socket")
    monkeypatch.setenv("SOME_SEED", "qwertyuiop")
    text = "zxcvbnmasdf /run/agent/socket qwertyuiop"
    assert Mask(environment=True).text(text) == "*** /run/agent/socket qwertyuiop"
    assert Mask().text(text) == text


def test_values_of_every_shape():
    value = {
        "options": {"api_key": "abc", "seed": 3, "max_tokens": 512, "list": ["sk-abcdefgh1", None, 2.5]},
        "credentials": {"user": "bob", "port": 5},
        "api_keys": ["a", "b"],
    }
    assert Mask().value(value) == {
        "options": {"api_key": HIDDEN, "seed": 3, "max_tokens": 512, "list": [HIDDEN, None, 2.5]},
        "credentials": {"user": HIDDEN, "port": HIDDEN},
        "api_keys": [HIDDEN, HIDDEN],
    }


def test_committed_entries_are_as_they_are():
    """Nothing that they say of models and training is taken for a secret."""
    for folder in sorted(path.parent for path in ROOT.glob("submissions/*/card.toml")):
        card = json.loads(json.dumps(asdict(read_card(folder))))
        assert Mask().value(card) == card
        record = folder / "training.json"
        training = json.loads(record.read_text()) if record.exists() else None
        assert Mask().value(training) == training


@pytest.mark.parametrize("part", ["x", "a.", "hf_", "hf-", "sk-", "://", "=", "='", 'key="', "bearer ", "eyJ.", "a://"])
def test_long_texts_of_any_kind(part):
    """No text makes the masks look at it again and again: each of these would take minutes."""
    text = part * (200_000 // len(part))
    mask = Mask({"api_key": "known-secret"})
    assert mask.message(mask.text(text)) is not None
