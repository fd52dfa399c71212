"""HTTP/1.1 answers, however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.graph.upstream.parsing import MalformedError, Parser

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-A: 1\r\nx-a:2\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'2;ext="x"\r\nhe\r\n003\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n'
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED, INTERIM + WHOLE])
@given(places=st.lists(st.integers(0, 500), max_size=20))
def test_an_answer_in_any_pieces(answer: bytes, places: list[int]) -> None:
    parser = Parser()
    body = b""
    for piece in cut(answer, places):
        assert not parser.complete or not piece
        body += parser.feed(piece)
    assert body == b"hello"
    assert parser.complete
    assert not parser.excess
    assert parser.head is not None
    assert parser.head.status == 200
    assert parser.head.keeps


def test_headers_have_lower_case_names_and_are_joined() -> None:
    parser = Parser()
    parser.feed(WHOLE)
    assert parser.head is not None
    assert parser.head.headers == {"content-type": "a/b", "x-a": "1, 2", "content-length": "5"}


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive", True),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 200", True),
    ],
)
def test_whether_the_connection_is_kept(head: bytes, keeps: bool) -> None:
    parser = Parser()
    parser.feed(head + b"\r\nContent-Length: 0\r\n\r\n")
    assert parser.complete
    assert parser.head is not None
    assert parser.head.keeps is keeps


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(status: int) -> None:
    parser = Parser()
    parser.feed(b"HTTP/1.1 %d X\r\n\r\n" % status)
    assert parser.complete


def test_a_body_that_ends_with_its_connection() -> None:
    parser = Parser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n\r\nhe") + parser.feed(b"llo") == b"hello"
    assert not parser.complete
    assert parser.end()


def test_an_answer_that_ends_early() -> None:
    for part in (b"", WHOLE[:20], WHOLE[:-1], CHUNKED[:-2]):
        parser = Parser()
        parser.feed(part)
        assert not parser.end()


def test_what_comes_behind_an_answer_is_noticed() -> None:
    for answer in (WHOLE, CHUNKED):
        parser = Parser()
        assert parser.feed(answer + b"HTTP/1.1") == b"hello"
        assert parser.excess


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"SSH-2.0\r\n\r\n", "Expected HTTP/"),
        (b"HTTP/1.1 099 Early\r\n\r\n", "it has the status 99"),
        (b"HTTP/1.1 OK\r\n\r\n", "Invalid status code"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "it changes the protocol unasked"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "it changes the protocol unasked"),
        (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "Invalid header token"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "Invalid header token"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "Unexpected whitespace"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Invalid character in Content-Length"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "Duplicate Content-Length",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "it has the transfer encoding"),
        (CHUNKED.replace(b"003", b"xyz"), "Invalid character in chunk size"),
        (CHUNKED.replace(b"003", b"-3"), "Invalid character in chunk size"),
        (CHUNKED.replace(b"he\r\n", b"he!!"), "Expected LF after chunk data"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, "its headers or trailers are too large"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1" * 5000,
            "Chunk size overflow",
        ),
    ],
)
def test_what_is_malformed_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(MalformedError) as raised:
        Parser().feed(data)
    assert said in str(raised.value)


@pytest.mark.parametrize("begun", [CHUNKED[:-2] + b"A: ", CHUNKED.partition(b"003")[0] + b"3;"])
def test_what_is_no_body_ends(begun: bytes) -> None:
    parser = Parser()
    parser.feed(begun)
    for _ in range(65):
        assert not parser.feed(b"x" * 1000)
    with pytest.raises(MalformedError, match="too large"):
        parser.feed(b"x" * 1000)
