"""What compiling refuses, what a result tells, and what counts as a document."""

from __future__ import annotations

import math

import pytest

from predictors.graph.gjson import Document, Kind, PathError, compile_path
from rouse.api.inferencegraph.gjson import explain_path

MISTAKES = [
    ("", 0, "is empty"),
    (" ", 0, "is empty"),
    ("a.", 1, "ends with a separator"),
    ("a|", 1, "ends with a separator"),
    (".a", 0, "has a separator"),
    ("a..b", 2, "has a separator"),
    ("..", 0, "has a separator"),
    ("é.#(a>1", 3, 'has a "(" that is never closed'),
    ("#[a", 1, 'has a "[" that is never closed'),
    ('a.#(b=="c)', 3, 'has a "(" that is never closed'),
    ("a.[b,c", 2, 'has a "[" that is never closed'),
    ("{a", 0, 'has a "{" that is never closed'),
    ("[a]b", 3, "has something behind a multipath"),
    ("!{}b", 3, "has something behind a literal"),
    ('@flatten:{"deep":true}b', 22, "has something behind an argument"),
    ("a\\", 1, "ends with a lone backslash"),
    ("a" * 5000, 4096, "is longer than 4096 bytes"),
    ("a." * 200 + "a", 0, "has more than 128 separators"),
    ("#(" * 30 + "a" + ")" * 30, 49, "has more than 24 brackets"),
    ("@dig:" * 9 + "a", 40, "digs more than 8 times"),
]
SOUND = [
    "[@this].#(source==client)",
    "instances.#(strval%*red-server*)",
    'friends.#(last=="Mur)phy")#.first',
    "a.#(b]",
    "price (usd)",
    "a)",
    r"a\(b",
    "..0.name",
    "text|@fromstr|..#",
    "@type",
    '{a,"b":c.#(d>1)}.b',
    "@dig:#(a>1)",
    '!"a',
    "@pretty:{",
]


@pytest.mark.parametrize(("path", "place", "reason"), MISTAKES)
def test_a_mistake_is_named_with_its_place(path: str, place: int, reason: str) -> None:
    with pytest.raises(PathError, match="the gjson path") as caught:
        compile_path(path)
    assert (caught.value.place, caught.value.reason[: len(reason)]) == (place, reason)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(PathError, match=r"surrogate pair \(at character 2\)"):
        compile_path("a\ud800")


@pytest.mark.parametrize("path", SOUND)
def test_what_gjson_can_use_compiles(path: str) -> None:
    assert compile_path(path).text == path


@pytest.mark.parametrize("path", [path for path, _, _ in MISTAKES] + SOUND)
def test_the_platform_refuses_on_apply_what_the_router_refuses(path: str) -> None:
    try:
        compile_path(path)
    except PathError:
        refused = True
    else:
        refused = False
    assert (explain_path(path) is not None) is refused


def test_a_null_is_found_and_nothing_is_not() -> None:
    null = compile_path("a").get(b'{"a":null}')
    assert null is not None
    assert (null.kind, null.raw) == (Kind.NULL, b"null")
    assert compile_path("b").get(b'{"a":null}') is None
    assert compile_path("a").exists(b'{"a":null}')


def test_a_result_tells_what_the_text_means() -> None:
    body = rb'{"s":"\u00e9\n","n":-1.50e1,"t":true,"f":false,"o":{"k":1}}'

    def found(path: str) -> tuple[Kind, bytes, bytes, float]:
        result = compile_path(path).get(body)
        assert result is not None
        return result.kind, result.raw, result.as_text(), result.number

    assert found("s") == (Kind.STRING, rb'"\u00e9\n"', "é\n".encode(), 0.0)
    assert found("n") == (Kind.NUMBER, b"-1.50e1", b"-15", -15.0)
    assert found("t") == (Kind.TRUE, b"true", b"true", 0.0)
    assert found("f") == (Kind.FALSE, b"false", b"false", 0.0)
    assert found("o") == (Kind.JSON, b'{"k":1}', b'{"k":1}', 0.0)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b'{"a":1', b'{"a":1}x', b'{"a":1}\n{"a":2}', b"{a:1}", b'{"a":01}'),
        *(b'{"a":"\x01"}', b'\xef\xbb\xbf{"a":1}', b'{"a":NaN}', b'{"a":1,}', b'{"a" 1}', b"[1}"),
    ],
)
def test_nothing_is_found_where_there_is_no_json(body: bytes) -> None:
    for path in ("a", "@this", "!true", "..#", "0"):
        assert not compile_path(path).exists(body)
        assert compile_path(path).get(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\xff"}',
        rb'{"a":"\ud800"}',
        b'{"a":1e999}',
        b' {"a":' + b"[" * 5000 + b"]" * 5000 + b"}\r\n",
        b'{"a":' * 2000 + b"{}" + b"}" * 2000,
    ],
)
def test_json_is_what_gjson_takes_for_it(body: bytes) -> None:
    """Python's parsers refuse these for their spelling or depth, gjson does not."""
    assert compile_path("a").exists(body)
    assert not compile_path("b").exists(body)
    assert compile_path("a").get_in(Document(body))


def test_of_equal_keys_the_parser_keeps_the_last_and_the_text_has_the_first() -> None:
    body = b'{"a":1,"a":{"b":2}}'
    first = compile_path("a").get(body)
    assert first is not None
    assert first.raw == b"1"
    assert compile_path("a.b").exists(body)
    assert compile_path("[@this].#(a==1)").get(body) is not None
    assert not compile_path("[@this].#(a==1)").exists(body)


def test_numbers_compare_as_go_reads_them() -> None:
    body = b"[1e400,-0.0,9007199254740993,0.1]"
    assert compile_path("#(>1e308)").exists(body)
    assert compile_path("#(==0)").exists(body)
    assert compile_path("#(==9007199254740992)").exists(body)
    assert compile_path("#(==0x1p-1022)").get(b"[2.2250738585072014e-308]")
    assert compile_path("#(==1_0)").get(b"[0]"), "what is no number is 0"
    assert compile_path("#(<Inf)#|#").get(body)
    plain = compile_path("0").get(b"[1e21]")
    assert plain is not None
    assert plain.as_text() == b"1" + b"0" * 21
    assert math.isinf(compile_path("0").get(b"[1e400]").number)  # type: ignore[union-attr]
