"""KServe's client: health, typed and raw requests. The argument is the port."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest

ROW = np.array([[1.0, 2.0, 3.0, 4.0]])


async def main() -> None:
    client = InferenceGRPCClient(f"127.0.0.1:{sys.argv[1]}")
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready("echo")
    for raw in (False, True):
        given = InferInput("x", [1, 4], "FP64")
        given.set_data_from_numpy(ROW, binary_data=raw)
        answer = await client.infer(InferRequest("echo", [given]))
        np.testing.assert_array_equal(answer.outputs[0].as_numpy(), ROW)
    await client.close()


asyncio.run(main())
