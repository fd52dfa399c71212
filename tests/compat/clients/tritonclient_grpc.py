"""Triton's client: unary, BYTES, errors, streams. The argument is the port."""

from __future__ import annotations

import queue
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as triton

client = triton.InferenceServerClient(f"127.0.0.1:{sys.argv[1]}")
assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready("echo")
assert client.get_model_metadata("echo").name == "echo"
assert client.get_model_repository_index().models[0].state == "READY"

row = np.array([[1.0, 2.0, 3.0, 4.0]])
given = triton.InferInput("x", [1, 4], "FP64")
given.set_data_from_numpy(row)
wanted = triton.InferRequestedOutput("x")
answer = client.infer("echo", [given], outputs=[wanted], request_id="7")
np.testing.assert_array_equal(answer.as_numpy("x"), row)
assert answer.get_response().id == "7"

words = triton.InferInput("x", [1, 2], "BYTES")
words.set_data_from_numpy(np.array([[b"hello", "ö".encode()]], dtype=object))
assert client.infer("echo", [words]).as_numpy("x").tolist() == [[b"hello", "ö".encode()]]

status = None
try:
    client.infer("nope", [given])
except triton.InferenceServerException as error:
    status = error.status()
assert status == "StatusCode.NOT_FOUND", status

answers: queue.Queue[Any] = queue.Queue()
client.start_stream(lambda result, error: answers.put((result, error)))
client.async_stream_infer("echo", [given], request_id="a")
client.async_stream_infer("nope", [given])
client.async_stream_infer("echo", [given], request_id="b")
first, failed, last = (answers.get(timeout=10) for _ in range(3))
client.stop_stream()
np.testing.assert_array_equal(first[0].as_numpy("x"), row)
assert "nope" in str(failed[1])
assert last[0].get_response().id == "b"
