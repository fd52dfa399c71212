"""HTTPS as an API server uses it, and as nobody should."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from rouse.errors import ConfigError, EngineError
from rouse.webhook.certificates.rotation import Material, renewed
from rouse.webhook.reply import Reply
from rouse.webhook.server import Handler, HttpsServer, Limits
from rouse.webhook.tls import Pair, ServerCertificate

NAME = "rouse-webhook.rouse-system.svc"
NOW = datetime.now(UTC)


def material() -> Material:
    return renewed(None, [NAME], NOW, is_published=True)


def pair(of: Material) -> Pair:
    return Pair(of.serving.certificate, of.serving.key)


def trusting(*bundles: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=b"".join(bundles).decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def echo(path: str, body: bytes) -> Reply:
    return Reply(path.encode() + b" " + body)


@asynccontextmanager
async def serving(
    handler: Handler = echo, limits: Limits | None = None
) -> AsyncIterator[tuple[HttpsServer, ServerCertificate, Material]]:
    made = material()
    certificate = ServerCertificate()
    certificate.load(pair(made))
    server = HttpsServer(handler, certificate.context, host="127.0.0.1", port=0, limits=limits)
    await server.start()
    try:
        yield server, certificate, made
    finally:
        await server.stop()


async def post(
    client: httpx.AsyncClient, server: HttpsServer, path: str = "/validate", body: bytes = b"{}"
) -> httpx.Response:
    return await client.post(
        f"https://127.0.0.1:{server.port}{path}",
        content=body,
        extensions={"sni_hostname": NAME},
    )


class Raw:
    """A connection on which anything can be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, server: HttpsServer, made: Material) -> Raw:
        opened = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=trusting(made.bundle), server_hostname=NAME
        )
        return cls(*opened)

    async def say(self, data: bytes) -> bytes:
        self.writer.write(data)
        await self.writer.drain()
        async with asyncio.timeout(10):
            return await self.reader.read(65536)

    async def serial(self) -> int:
        found = self.writer.get_extra_info("ssl_object").getpeercert()
        return int(found["serialNumber"], 16)


async def test_calls_over_one_connection() -> None:
    async with (
        serving() as (server, _, made),
        httpx.AsyncClient(verify=trusting(made.bundle)) as client,
    ):
        first = await post(client, server, "/validate?timeout=10s", b"one")
        second = await post(client, server, "/mutate", b"x" * 1_000_000)
    assert (first.status_code, first.content) == (200, b"/validate one")
    assert first.http_version == "HTTP/1.1"
    assert second.content == b"/mutate " + b"x" * 1_000_000


async def test_another_certificate_while_connections_are_open() -> None:
    async with serving() as (server, certificate, first):
        old = await Raw.to(server, first)
        second = renewed(None, [NAME], NOW, is_published=True)
        certificate.load(pair(second))
        assert certificate.loads == 2
        call = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        assert b"200 OK" in await old.say(call)
        new = await Raw.to(server, second)
        assert b"200 OK" in await new.say(call)
        assert await old.serial() != await new.serial()
        with pytest.raises(ssl.SSLCertVerificationError):
            await Raw.to(server, first)
        assert b"200 OK" in await old.say(call)
        for each in (old, new):
            each.writer.close()


async def test_a_pair_that_is_none_leaves_the_one_before() -> None:
    async with serving() as (server, certificate, made):
        other = material()
        for bad in (
            Pair(b"", b""),
            Pair(made.serving.certificate, b"no key"),
            Pair(other.serving.certificate, made.serving.key),
        ):
            with pytest.raises(ConfigError, match="PEM"):
                certificate.load(bad)
        connection = await Raw.to(server, made)
        connection.writer.close()
    assert certificate.lacks(NOW) == []


def test_a_certificate_at_other_times() -> None:
    certificate = ServerCertificate()
    assert certificate.lacks(NOW) == ["no certificate yet"]
    certificate.load(pair(material()))
    assert "not valid before" in certificate.lacks(NOW - timedelta(days=2))[0]
    assert "expired" in certificate.lacks(NOW + timedelta(days=366))[0]


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (b"GET /validate HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, b"413"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n"
            + b"x" * 2000,
            b"413",
        ),
    ],
)
async def test_what_is_no_call(call: bytes, status: bytes) -> None:
    async with serving(limits=Limits(body=1000)) as (server, _, made):
        connection = await Raw.to(server, made)
        answer = await connection.say(call)
        assert answer.startswith(b"HTTP/1.1 " + status)
        connection.writer.close()


async def test_expect_continue_and_pipelining() -> None:
    async with serving() as (server, _, made):
        connection = await Raw.to(server, made)
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        assert b"100" in await connection.say(head + b"Expect: 100-continue\r\n\r\n")
        assert b"/a {}" in await connection.say(b"{}")
        both = await connection.say((head + b"\r\n{}") * 2)
        while both.count(b"/a {}") < 2:
            both += await connection.say(b"")
        connection.writer.close()


async def test_who_says_nothing_is_not_waited_for() -> None:
    limits = Limits(request=0.05, idle=0.05)
    async with serving(limits=limits) as (server, _, made):
        for said in (b"", b"POST / HTTP/1.1\r\n"):
            connection = await Raw.to(server, made)
            assert await connection.say(said) == b""
            connection.writer.close()


async def test_no_more_connections_than_allowed() -> None:
    async with serving(limits=Limits(connections=1)) as (server, _, made):
        first = await Raw.to(server, made)
        call = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        assert b"200" in await first.say(call)
        second = await Raw.to(server, made)
        try:
            assert await second.say(call) == b""
        except OSError:
            pass
        assert b"200" in await first.say(call)
        for each in (first, second):
            each.writer.close()


async def test_the_end_waits_for_the_call_under_way() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(_path: str, _body: bytes) -> Reply:
        begun.set()
        await go.wait()
        return Reply(b"done")

    async with (
        serving(slow) as (server, _, made),
        httpx.AsyncClient(verify=trusting(made.bundle)) as client,
    ):
        idle = await Raw.to(server, made)
        call = asyncio.create_task(post(client, server))
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        async with asyncio.timeout(5):
            assert await idle.reader.read() == b""
        assert not server.is_serving
        go.set()
        answer = await call
        await stopping
        idle.writer.close()
    assert answer.content == b"done"
    assert answer.headers["connection"] == "close"


async def test_a_port_that_is_taken_is_said() -> None:
    async with serving() as (server, certificate, _):
        second = HttpsServer(echo, certificate.context, host="127.0.0.1", port=server.port)
        with pytest.raises(EngineError, match=str(server.port)):
            await second.start()
