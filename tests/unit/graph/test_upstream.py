"""The client of services: what becomes of connections."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from predictors.graph.errors import UnreachableError
from predictors.graph.messages import Answer, Message
from predictors.graph.targets import parse_target
from predictors.graph.upstream import Client, ClientSettings
from predictors.graph.upstream.pool import Pool, RefusedError
from predictors.serving.errors import DeadlineError
from tests.unit.graph.doubles import Reply, Request, Service

Start = Callable[..., Awaitable[Service]]


def ask(client: Client, service: Service) -> asyncio.Task[Answer]:
    return asyncio.create_task(client.post(parse_target(service.url), Message(b"{}")))


async def test_who_gives_up_waiting_keeps_nobody_from_a_connection(service: Start) -> None:
    gate = asyncio.Event()

    async def waiting(request: Request) -> Reply:
        await gate.wait()
        return 200, {}, b"{}"

    asked = await service(waiting)
    client = Client(ClientSettings(connections=1))
    first = ask(client, asked)
    await asked.asked.wait()
    second, third = ask(client, asked), ask(client, asked)
    await asyncio.sleep(0)
    second.cancel()
    gate.set()
    async with asyncio.timeout(10):
        assert (await first).status == (await third).status == 200
    assert second.cancelled()
    assert len({request.port for request in asked.requests}) == 1


async def test_whose_call_is_given_up_leaves_its_place_to_others(service: Start) -> None:
    async def slow_once(request: Request) -> Reply:
        if len(asked.requests) == 1:
            await asyncio.Event().wait()
        return 200, {}, b"{}"

    asked = await service(slow_once)
    client = Client(ClientSettings(connections=1))
    loop = asyncio.get_running_loop()
    target = parse_target(asked.url)
    with pytest.raises(DeadlineError):
        await client.post(target, Message(b"{}"), deadline=loop.time() + 0.2)
    async with asyncio.timeout(10):
        await asked.left.wait()
        assert (await ask(client, asked)).status == 200


async def test_connections_that_fail_take_no_place(service: Start) -> None:
    client = Client(ClientSettings(connections=1, retries=0))
    target = parse_target("http://127.0.0.1:1/")
    for _ in range(3):
        with pytest.raises(UnreachableError, match="no connection: connection refused"):
            await client.post(target, Message(b"{}"))


async def test_idle_connections_are_closed_in_time(service: Start) -> None:
    asked = await service()
    client = Client(ClientSettings(keep_s=0.0))
    await ask(client, asked)
    client.sweep()
    await ask(client, asked)
    assert len({request.port for request in asked.requests}) == 2


async def test_a_connection_that_its_service_closed_is_not_used_again(service: Start) -> None:
    async def closing(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    asked = await service()
    asked.raw = closing
    client = Client(ClientSettings())
    for _ in range(20):
        assert (await ask(client, asked)).status == 200
    assert len({request.port for request in asked.requests}) == 20


class Fickle:
    """Closes connections at the second request, as a server does whose patience ends just then."""

    def __init__(self, service: Service, after: float = 0.0, says: bytes = b"") -> None:
        self._service = service
        self._after = after
        self._says = says

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        ports = [each.port for each in self._service.requests]
        if ports.count(request.port) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            return
        await asyncio.sleep(self._after)
        writer.write(self._says)
        writer.close()


async def test_a_request_that_crosses_the_end_of_its_connection_is_sent_once_more(
    service: Start,
) -> None:
    asked = await service()
    asked.raw = Fickle(asked)
    client = Client(ClientSettings(connections=3))
    for _ in range(4):
        answers = await asyncio.gather(*(ask(client, asked) for _ in range(3)))
        assert [answer.status for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize(
    ("after", "says", "error"),
    [(0.3, b"", "without an answer"), (0.0, b"HTTP/1.1 2", "before its answer was whole")],
)
async def test_a_request_that_a_service_may_have_died_of_is_not_repeated(
    service: Start, after: float, says: bytes, error: str
) -> None:
    asked = await service()
    asked.raw = Fickle(asked, after, says)
    client = Client(ClientSettings())
    await ask(client, asked)
    with pytest.raises(UnreachableError, match=error):
        await ask(client, asked)
    assert len(asked.requests) == 2


async def test_the_first_request_of_a_connection_is_not_repeated(service: Start) -> None:
    async def closing(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.close()

    asked = await service()
    asked.raw = closing
    with pytest.raises(UnreachableError, match="it closed the connection without an answer"):
        await ask(Client(ClientSettings()), asked)
    assert len(asked.requests) == 1


async def test_an_answer_that_is_announced_as_too_large_is_not_waited_for(service: Start) -> None:
    async def announcing(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n")
        await asyncio.Event().wait()

    asked = await service()
    asked.raw = announcing
    async with asyncio.timeout(10):
        with pytest.raises(UnreachableError, match="its answer is larger than 100 bytes"):
            await ask(Client(ClientSettings(body_bytes=100)), asked)


async def test_a_connection_whose_request_was_not_read_is_not_used_again() -> None:
    ends = []

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.Event()
        ends.append(ended.wait())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    async with await asyncio.start_server(hasty, "127.0.0.1", 0, limit=1024) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        client, large = Client(ClientSettings()), Message(bytes(16 * 1024 * 1024))
        async with asyncio.timeout(10):
            for _ in range(2):
                assert (await client.post(parse_target(url), large)).status == 413
            await asyncio.gather(*ends)
    assert len(ends) == 2


async def test_a_body_that_ends_with_its_connection(service: Start) -> None:
    async def closing(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello")
        writer.close()

    asked = await service()
    asked.raw = closing
    assert (await ask(Client(ClientSettings()), asked)).body == b"hello"


PACKED = gzip.compress(b'{"predictions":[1]}')


@pytest.mark.parametrize(
    ("coding", "sent"),
    [("gzip", PACKED), ("GZIP", PACKED), ("deflate", zlib.compress(b'{"predictions":[1]}'))],
)
async def test_an_answer_that_is_packed_unasked_is_unpacked(
    service: Start, coding: str, sent: bytes
) -> None:
    asked = await service((200, {"content-encoding": coding}, sent))
    answer = await ask(Client(ClientSettings()), asked)
    assert (answer.body, answer.content_type) == (b'{"predictions":[1]}', "application/json")
    assert answer.further == []


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"{}", "no valid gzip: Error -3"),
        (PACKED[:-4], "no valid gzip: it ends early"),
        (gzip.compress(b"x" * 101), "larger than 100 bytes, unpacked"),
    ],
)
async def test_an_answer_that_cannot_be_unpacked(service: Start, sent: bytes, error: str) -> None:
    asked = await service((200, {"content-encoding": "gzip"}, sent))
    with pytest.raises(UnreachableError, match=error):
        await ask(Client(ClientSettings(body_bytes=100)), asked)


async def test_what_is_packed_in_another_way_is_passed_on(service: Start) -> None:
    asked = await service((200, {"content-encoding": "br"}, b"\x0b"))
    answer = await ask(Client(ClientSettings()), asked)
    assert (answer.body, answer.further) == (b"\x0b", [("content-encoding", "br")])


@pytest.mark.parametrize(
    ("host", "connect_s", "error"),
    [
        ("a" * 64, 10.0, "no connection: the host is no name of DNS"),
        ("a..b", 10.0, "no connection: the host is no name of DNS"),
        ("127.0.0.1:9", 0.0, "no connection within 0 s"),
    ],
)
async def test_what_will_not_be_otherwise_is_not_tried_again(
    host: str, connect_s: float, error: str
) -> None:
    origin = parse_target(f"http://{host}/").origin
    with pytest.raises(UnreachableError, match=error) as raised:
        await Pool(origin, most=1, connect_s=connect_s, body_bytes=1).take()
    assert not isinstance(raised.value, RefusedError)


async def test_nobody_is_asked_who_is_too_late_already(service: Start) -> None:
    asked = await service()
    now = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineError):
        await Client(ClientSettings()).post(parse_target(asked.url), Message(b""), deadline=now)
    assert asked.requests == []


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    none = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    return paths


@pytest.mark.parametrize("trusted", [True, False])
async def test_services_by_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    asked = Service()
    async with await asyncio.start_server(asked.serve, "localhost", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(ClientSettings(retries=0))
        asking = client.post(parse_target(f"https://localhost:{port}/"), Message(b"{}"))
        if trusted:
            assert (await asking).status == 200
        else:
            with pytest.raises(UnreachableError, match="certificate verify failed"):
                await asking
        client.close()
        await asyncio.sleep(0)
