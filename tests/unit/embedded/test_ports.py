from __future__ import annotations

import os
import socket

import pytest

from rouse.embedded.ports import ensure_free, free_port, holder_of
from rouse.errors import PortInUseError


def test_a_free_port_is_free() -> None:
    port = free_port()
    ensure_free(port, purpose="a test", option="--port")
    assert holder_of(port) is None


def test_a_taken_port_names_itself_and_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError) as raised:
            ensure_free(port, purpose="the gateway", option="--gateway-port")
    told = str(raised.value)
    for word in (f"port {port}", "the gateway", f"pid {os.getpid()}", "--gateway-port"):
        assert word in told
