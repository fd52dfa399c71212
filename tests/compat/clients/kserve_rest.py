"""KServe's REST client: health, V1, V2 as JSON and as binary tensors. The argument is the port."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

BASE = f"http://127.0.0.1:{sys.argv[1]}"
ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.8, 4.8, 1.8]])


async def main() -> None:
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    assert await v1.is_server_live(BASE)
    assert await v1.is_model_ready(BASE, "iris")
    answer = await v1.infer(BASE, {"instances": ROWS.tolist()}, model_name="iris")
    assert answer == {"predictions": [0, 2]}, answer
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await v2.is_server_live(BASE)
    assert await v2.is_server_ready(BASE)
    assert await v2.is_model_ready(BASE, "iris")
    for binary in (False, True):
        given = InferInput("x", list(ROWS.shape), "FP64")
        given.set_data_from_numpy(ROWS, binary_data=binary)
        response = await v2.infer(BASE, InferRequest("iris", [given]), model_name="iris")
        assert response.outputs[0].as_numpy().ravel().tolist() == [0, 2]


asyncio.run(main())
