"""Triton's HTTP client: health, metadata, repository, JSON and binary. The argument is the port."""

from __future__ import annotations

import sys

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.8, 4.8, 1.8]])

client = InferenceServerClient(f"127.0.0.1:{sys.argv[1]}")
assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready("iris")
assert client.get_server_metadata()["name"]
assert client.get_model_metadata("iris")["inputs"][0]["datatype"] == "FP64"
assert [one["name"] for one in client.get_model_repository_index()] == ["iris"]
for binary in (False, True):
    given = InferInput("x", list(ROWS.shape), "FP64")
    given.set_data_from_numpy(ROWS, binary_data=binary)
    wanted = InferRequestedOutput("predict", binary_data=binary)
    answer = client.infer("iris", [given], outputs=[wanted], request_id="one")
    assert answer.get_response()["id"] == "one"
    assert answer.as_numpy("predict").ravel().tolist() == [0, 2]
compressed = client.infer("iris", [given], request_compression_algorithm="gzip")
assert compressed.as_numpy("predict").ravel().tolist() == [0, 2]
client.close()
