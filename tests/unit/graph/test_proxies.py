"""The environment's proxy: which hosts it serves, and how they are asked through it."""

from __future__ import annotations

import pytest

from predictors.graph.proxies import Proxy, proxy_of
from predictors.graph.targets import parse_target
from predictors.serving.errors import StartupError


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({}, None),
        ({"http_proxy": ""}, None),
        ({"https_proxy": "http://p:1"}, None),
        ({"http_proxy": "http://p:3128/"}, Proxy("p", 3128)),
        ({"HTTP_PROXY": "p:3128", "NO_PROXY": " a.b, .c ,"}, Proxy("p", 3128, ("a.b", ".c"))),
        ({"http_proxy": "http://[::2]"}, Proxy("::2", 80)),
    ],
)
def test_the_environment(env: dict[str, str], proxy: Proxy | None) -> None:
    assert proxy_of(env) == proxy


@pytest.mark.parametrize("told", ["socks5://p:1", "http://", "http://p:port", "http://u:p@p:1"])
def test_no_proxy_at_all(told: str) -> None:
    with pytest.raises(StartupError, match="http_proxy"):
        proxy_of({"http_proxy": told})


@pytest.mark.parametrize(
    ("exception", "host", "served"),
    [
        ("", "iris.default", True),
        ("*", "iris.default", False),
        ("default", "iris.default", False),
        (".default", "iris.default", False),
        ("*.default", "iris.default", False),
        ("fault", "iris.default", True),
        ("iris.default", "iris.default", False),
        ("10.0.0.1", "10.0.0.1", False),
        ("", "127.0.0.5", False),
        ("", "localhost", False),
        ("", "::1", False),
    ],
)
def test_exceptions(exception: str, host: str, served: bool) -> None:
    assert Proxy("p", 1, (exception,)).serves(host) is served


def test_a_target_through_a_proxy_is_asked_by_its_whole_url() -> None:
    target = parse_target("http://iris.default/v1/models/iris:predict?a=b", Proxy("p", 3128))
    assert target.origin.proxy == ("p", 3128)
    assert target.head == (
        b"POST http://iris.default/v1/models/iris:predict?a=b HTTP/1.1\r\nhost: iris.default\r\n"
    )


@pytest.mark.parametrize("url", ["https://iris.default/x", "http://127.0.0.1:8080/x"])
def test_a_target_past_the_proxy(url: str) -> None:
    target = parse_target(url, Proxy("p", 3128))
    assert target.origin.proxy is None
    assert target.head.startswith(b"POST /x HTTP/1.1\r\n")
