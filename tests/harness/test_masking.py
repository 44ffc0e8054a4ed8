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
        "--option 'api_key=***' -o x",
        "quoted as a whole",
    ),
    ("Model(api_key='a b', seed=3)", "Model(api_key=***, seed=3)", "a call"),
    ('{"password": "x", "seed": "3"}', '{"password": ***, "seed": "3"}', "JSON"),
    (r'{"password": "ab\"cdef-secret"}', '{"password": ***}', "an escaped quote inside"),
    (r'{"password": "abc\\", "seed": "3"}', '{"password": ***, "seed": "3"}', "an escaped backslash at the end"),
    (r'"{\"password\": \"a b\", \"x\": 1}" and', r'"{\"password\": ***, \"x\": 1}" and', "JSON inside JSON"),
    ('{"password":"x","seed":"3"}', '{"password":***,"seed":"3"}', "JSON without spaces"),
    ("{'X-Api-Key': b'a b', 'n': 1}", "{'X-Api-Key': ***, 'n': 1}", "a dict of bytes"),
    ("run 'api_key=a'\"'\"'b' -o x", "run 'api_key=***' -o x", "a quote as a shell writes it"),
    ("run --api-key 'a'\"'\"'b' -o x", "run --api-key *** -o x", "another"),
    ("M(password='a'}]rest', n=1)", "M(password=***, n=1)", "a quote and brackets inside"),
    ("Authorization: Bearer a,\"@rest'", "Authorization: Bearer ***'", "a bearer with signs"),
    ("password='it's-secret', seed=3", "password=***, seed=3", "a quote that ends nothing"),
    ('password: "abc def', "password: ***", "a quote that is cut off"),
    ("password=p,w;rest", "password=***", "signs inside"),
    ("password=p&w#rest(x)", "password=***", "signs of a URL outside one"),
    ("https://h/?token=abc'rest&c=2 x", "https://h/?token=***&c=2 x", "a quote in a URL"),
    ("GET 'https://h/?token=a b' failed", "GET 'https://h/?token=***' failed", "a URL in quotes"),
    ("X-Api-Key: abc", "X-Api-Key: ***", "a header"),
    ("curl -H 'X-Api-Key: a b' -o x", "curl -H 'X-Api-Key: ***' -o x", "a header in quotes"),
    ("[('X-Api-Key', 'abc'), ('n', '1')]", "[('X-Api-Key', ***), ('n', '1')]", "headers as pairs"),
    ("Authorization: Bearer abc", "Authorization: Bearer ***", "a short bearer"),
    ('Authorization: Digest user="b", r="x"\nnext', "Authorization: ***\nnext", "a header of many parts"),
    ("Cookie: a=b; c=d\nnext", "Cookie: ***\nnext", "a cookie of many parts"),
    ("token=Bearer abc", "token=Bearer ***", "a scheme before a key"),
    ("api_key: abc", "api_key: ***", "YAML"),
    ("PASSWORD:abc", "PASSWORD:***", "a colon without a space"),
    ("Incorrect API key provided: abc12", "Incorrect API key provided: ***", "a name of words"),
    ("run --api-key abc -o x", "run --api-key *** -o x", "a command line"),
    ("run --password 'a b' -o x", "run --password *** -o x", "a command line with quotes"),
    ("['run', '--api-key', 'a b'] failed", "['run', '--api-key', ***] failed", "a list of arguments"),
    ('env["HF_TOKEN"] = "a b"', 'env["HF_TOKEN"] = ***', "an item"),
    ("x=password=abc", "x=password=***", "a name behind another"),
    ("https://user:pa/ss@host/v1", "https://***@host/v1", "a password with a slash"),
    ("postgres://u:p#a?s@db/x", "postgres://***@db/x", "a password with other signs of a URL"),
    ("https://u:p@h/a,https://v:q@i/b", "https://***@h/a,https://***@i/b", "two URLs in one word"),
]
HARMLESS = [
    "AuthenticationError: no access (secrets.py:12)",
    "unknown key: dominant_operation",
    '["seed", "api_key", "model"]',
    "--use-auth-token --lr 3",
    "max_tokens=512,seed=3",
    "{'token': None}",
    "http://localhost:8000/v1?mail=a@b",
    "git+https://github.com/x/y@main",
]


def test_names_that_announce_a_secret():
    assert [name for name in NAMES if not is_secret_name(name)] == []
    assert [name for name in PLAIN if is_secret_name(name)] == []


@pytest.mark.parametrize(("name", "value", "expected", "why"), VALUES, ids=[case[3] for case in VALUES])
def test_values_that_are_secret(name, value, expected, why):
    assert is_secret(name, value) is expected


def test_the_name_of_a_variable_is_no_secret_and_a_key_in_its_place_is(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "s3cr3t-of-mine")
    assert not is_secret("key_env", "MY_API_KEY") and not is_secret("key-env", "MY_API_KEY, PATH")
    assert is_secret("key_env", "s3cr3t-of-mine") and is_secret("key_env", "MY_API_KEY,s3cr3t-of-mine")


@pytest.mark.parametrize(("text", "expected", "why"), TEXTS, ids=[case[2] for case in TEXTS])
def test_texts_without_secrets(text, expected, why):
    mask = Mask()
    assert mask.text(text) == expected == mask.message(text)
    assert mask.text(expected) == expected, "what is masked stays so"


@pytest.mark.parametrize(("text", "expected", "why"), MESSAGES, ids=[case[2] for case in MESSAGES])
def test_messages_without_secrets(text, expected, why):
    assert Mask().message(text) == expected
    assert "cdef" not in expected and "rest" not in expected


@pytest.mark.parametrize("text", HARMLESS)
def test_messages_that_stay_as_they_are(text):
    assert Mask().message(text) == text


@pytest.mark.parametrize("text", [case[0] for case in MESSAGES if "JSON inside" not in case[2]])
def test_what_is_masked_stays_so(text):
    masked = Mask().message(text)
    assert Mask().message(masked) == masked


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
    monkeypatch.setenv("SOME_SEED", "qwertyuiop")
    text = "zxcvbnmasdf qwertyuiop"
    assert Mask(environment=True).text(text) == "*** qwertyuiop"
    assert Mask().text(text) == text


@pytest.mark.parametrize(
    "secret", ["/aB3+xYz9=", ".hidden-one", "~tilde-one", "correct horse battery", "C:\\pass-word"]
)
def test_a_secret_of_the_environment_may_look_like_a_path(secret, monkeypatch):
    monkeypatch.setenv("SOME_PASSWORD", secret)
    assert Mask(environment=True).text(f"said {secret} twice") == "said *** twice"


def test_places_are_no_secrets_of_the_environment(monkeypatch, tmp_path):
    (tmp_path / "key.pem").touch()
    monkeypatch.setenv("SOME_API_KEY", str(tmp_path / "key.pem"))
    monkeypatch.setenv("SOME_AUTH", "unix:path=/run/bus")
    monkeypatch.setenv("PWD", "/a/folder/that/is/gone")
    text = f"{tmp_path / 'key.pem'} unix:path=/run/bus /a/folder/that/is/gone"
    assert Mask(environment=True).text(text) == text


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


LONG = [
    *[
        (part, None)
        for part in (
            "x",
            "a.",
            "hf_",
            "hf-",
            "://",
            "=",
            "='",
            "bearer ",
            "eyJ.",
            "a://",
            "a:b@",
            "\\",
            "'",
            "\\'",
            "password",
            "'\"'\"'",
            "'\\\"",
        )
    ],
    ("sk-", "***"),
    ('key="', "key=***"),
    ("token=", "token=***"),
    ("'password=", "'password=***"),
    ("--api-key x ", "--api-key *** "),
    ("http://a:b@c/ ", "http://***@c/ "),
    ("http://a:b/c ", None),
    ("Authorization: x\n", "Authorization: ***\n"),
    ('{"password": "x"}, ', '{"password": ***}, '),
]


@pytest.mark.parametrize(("part", "expected"), LONG, ids=[repr(case[0]) for case in LONG])
def test_long_texts_of_any_kind(part, expected):
    """No text makes the masks look at it again and again: each of these would take minutes.

    `expected`: what stands in place of each part, or of all where one secret goes on to the end, None for the text.
    """
    times = 200_000 // len(part)
    mask = Mask({"api_key": "known-secret"})
    masked = mask.message(mask.text(part * times))
    assert masked in ((part if expected is None else expected) * times, expected)
