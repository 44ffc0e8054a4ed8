"""What strangers and their pages try: names that are paths, headers in values, bombs, other hosts, origins, tokens."""

from __future__ import annotations

import base64
import gzip
import hmac
import io
import json
import socket
import struct
import zipfile
import zlib

import pytest

from harness.serving import guard
from harness.serving.guard import Access
from tests.support.serving import ByColour, form, picture, pictures, served

pytestmark = pytest.mark.heavy
TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def server():
    with served(ByColour(), body_bytes=2 << 20) as found:
        yield found


@pytest.fixture(scope="module")
def client(server):
    with server.client() as found:
        yield found


def raw(server, head: str, body: bytes = b"") -> bytes:
    """Send bytes as they are, and return all that comes."""
    with socket.create_connection(server.listening.getsockname(), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n" + body)
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\..\\x", "~root", "$HOME"])
def test_a_name_is_a_label_and_no_path(client, name):
    assert client.post("/predict", json=pictures(1) | {"clip_id": name}).json()["clip_id"] == name
    sent = form(1)
    sent["files"] = [("pictures", (name, picture(1))) for _ in range(2)]
    assert client.post("/predict", **sent).status_code == 200


@pytest.mark.parametrize(
    "path", ["/static/../info", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/a\x7f"]
)
def test_a_path_leads_to_no_file(server, path):
    found = raw(server, f"GET {path} HTTP/1.1\nHost: localhost\nConnection: close\n")
    assert found.split()[1] in (b"404", b"400") and b"root:" not in found


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "a\nb", "\x1b[31m", "\u202e", "", "x" * 129])
def test_a_name_that_could_be_a_header_or_a_command_is_refused(client, name):
    reply = client.post("/predict", json=pictures(1) | {"clip_id": name})
    assert reply.status_code == 422 and reply.json()["error"]["param"] == "clip_id"
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("given", ["a b", "<script>", "x" * 200, "é"])
def test_a_request_id_of_other_characters_is_replaced(server, given):
    found = raw(server, f"GET /livez HTTP/1.1\nHost: localhost\nX-Request-Id: {given}\nConnection: close\n")
    assert b" 200 " in found and given.encode("latin-1") not in found


def test_a_request_id_comes_back(client):
    assert client.get("/livez", headers={"X-Request-Id": "my-id.7"}).headers["x-request-id"] == "my-id.7"


def huge_png(side: int) -> bytes:
    """A PNG whose head announces more pixels than it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.png", bytes(50 << 20))
    return file.getvalue()


@pytest.mark.parametrize("content", [huge_png(60_000), huge_png(4_000), zip_bomb(), gzip.compress(picture(1))])
def test_bombs_are_refused(client, content):
    sent = form(1)
    sent["files"] = [("pictures", ("a.png", content)), ("pictures", ("b.png", picture(1)))]
    reply = client.post("/predict", **sent)
    assert reply.status_code == 422 and reply.json()["error"]["param"] == "pictures"
    assert client.post("/predict", files={"video": content}).status_code == 422


def test_packed_bodies_and_deep_ones_are_refused(client):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(pictures(1)).encode())
    assert client.post("/predict", content=body, headers=headers).status_code == 415
    deep = b"[" * 500_000
    for path in ("/predict", "/batch_predict", "/v1/chat/completions"):
        assert client.post(path, content=deep, headers={"Content-Type": "application/json"}).status_code == 422


def test_a_form_of_many_parts_is_refused(client):
    files = [("pictures", (f"{place}.png", b"x")) for place in range(200)]
    assert client.post("/predict", files=files).status_code == 422
    assert client.post("/predict", data={f"f{place}": "x" for place in range(200)}, files=files[:1]).status_code == 422
    assert client.post("/predict", data={"clip_id": "x" * (3 << 19)}, files=files[:1]).status_code == 422


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"]
)
def test_a_broken_form_is_refused(client, kind):
    assert client.post("/predict", content=b"--y\r\nnothing", headers={"Content-Type": kind}).status_code == 422


def test_no_address_is_followed(client):
    for address in ("http://127.0.0.1:1/x", "file:///etc/passwd", "https://example.com/x.mp4", "ftp://x/y"):
        reply = client.post("/predict", json={"video": address})
        assert reply.status_code == 422 and "no address is followed" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("10.0.0.1", 403),
        ("169.254.169.254", 403),
        ("user@localhost", 400),
        ("localhost:x", 400),
        ("", 400),
    ],
)
def test_only_this_machine_is_answered_as(client, host, status):
    """Another name may lead a browser here (DNS rebinding)."""
    assert client.get("/livez", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8000", 200),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://localhost:81", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_other_origins_may_not_ask(client, origin, status):
    """A form of any page can send multipart without being asked by the browser first."""
    headers = {"Origin": origin, "Host": "localhost:8000"}
    reply = client.post("/predict", **form(5), headers=headers)
    assert reply.status_code == status
    assert not [name for name in reply.headers if name.startswith("access-control")]
    asked = client.options("/predict", headers=headers | {"Access-Control-Request-Method": "POST"})
    assert asked.status_code in (403, 405) and "access-control-allow-origin" not in asked.headers
    cross = {"Sec-Fetch-Site": "cross-site", "Host": "localhost:8000"}
    assert client.post("/predict", **form(5), headers=cross).status_code == 403


def test_answers_forbid_a_browser_to_do_more_with_them(client):
    headers = client.get("/info").headers
    assert headers["x-content-type-options"] == "nosniff" and "'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"] and "server" not in headers


def test_a_token_is_asked_for_and_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append((given, right))
        return hmac.compare_digest(given, right)

    class Watched:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(guard, "hmac", Watched)
    with served(ByColour(), Access.of(TOKEN, ("serve",), loopback=False)) as server, server.client() as client:
        assert client.get("/livez").status_code == client.get("/readyz").status_code == 200
        assert not compared
        wrong = ["Bearer x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "", "Bearer é"]
        for given in wrong:
            reply = client.post("/predict", json=pictures(1), headers={"Authorization": given.encode("latin-1")})
            assert reply.status_code == 401 and reply.headers["www-authenticate"] == "Bearer"
        for path in ("/info", "/metrics", "/v1/models"):
            assert client.get(path).status_code == 401
        headers = {"Authorization": f"Bearer {TOKEN}", "Host": "any.example"}
        assert client.post("/predict", json=pictures(1), headers=headers).status_code == 200
    assert len(compared) >= len(wrong) and {len(part) for pair in compared for part in pair} == {32}
    assert TOKEN not in repr(server.log)


def test_nothing_of_the_machine_is_in_an_answer(server, client, monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_SECRET_KEY", "s3cr3t-value-of-the-environment")

    class Fails(ByColour):
        def ask(self, questions, operations):
            if questions[0].clip_id == "warm-up":
                return super().ask(questions, operations)
            raise RuntimeError(f"{tmp_path} s3cr3t-value-of-the-environment")

    with served(Fails()) as failing, failing.client() as asking:
        reply = asking.post("/predict", json=pictures(1))
        texts = [reply.text, asking.get("/info").text, asking.get("/metrics").text, asking.get("/nowhere").text]
    assert reply.status_code == 500 and reply.json()["error"]["type"] == "model failed"
    for text in [*texts, client.post("/predict", files={"video": b"\0\0\0\x18ftypisom" + bytes(99)}).text]:
        assert not [word for word in (str(tmp_path), "s3cr3t", "Traceback", "/tmp", ".py") if word in text], text
    assert any("failure" in line for line in failing.log) and "s3cr3t" not in json.dumps(failing.log)


def test_logs_hold_no_pictures(server, client):
    sent = pictures(3)
    client.post("/predict", json=sent)
    logged = json.dumps(server.log)
    assert sent["pictures"][0]["image"] not in logged and base64.b64encode(picture(3)).decode()[:40] not in logged


def test_two_lengths_are_no_way_to_hide_a_request(server):
    """A body that two readers would end at different places (request smuggling) is answered once, or refused."""
    head = "POST /predict HTTP/1.1\nHost: localhost\nContent-Length: 4\nTransfer-Encoding: chunked\nConnection: close\n"
    found = raw(server, head, b"0\r\n\r\nGET /info HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert found.count(b"HTTP/1.1 ") == 1 and b"card_sha256" not in found
