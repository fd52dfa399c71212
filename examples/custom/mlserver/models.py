# mypy: ignore-errors
"""A model written for MLServer: nothing in it knows Rouse."""

from collections.abc import AsyncIterator

import mlserver
import numpy as np
from mlserver import MLModel
from mlserver.codecs import StringCodec, decode_args
from mlserver.errors import InferenceError
from mlserver.handlers import custom_handler
from mlserver.logging import logger
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class Greeter(MLModel):
    async def load(self) -> bool:
        uri = await get_model_uri(self.settings, wellknown_filenames=["greeting.txt"])
        self.greeting = self._read(uri)
        self.times = self.settings.parameters.extra["times"]
        mlserver.register("greeted_names", "How many names a request had")
        logger.info("greeting: %s", self.greeting)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        names = StringCodec.decode_input(payload.inputs[0])
        if not all(names):
            raise InferenceError("a name is empty")
        mlserver.log(greeted_names=len(names))
        return InferenceResponse(
            model_name=self.name,
            outputs=[StringCodec.encode_output("greetings", self._greeted(names))],
        )

    async def predict_stream(
        self, payloads: AsyncIterator[InferenceRequest]
    ) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            for name in StringCodec.decode_input(payload.inputs[0]):
                output = StringCodec.encode_output("greetings", self._greeted([name]))
                yield InferenceResponse(model_name=self.name, outputs=[output])

    @custom_handler(rest_path="/greeting", rest_method="GET")
    async def tell(self) -> dict:
        return {"greeting": self.greeting}

    def _read(self, file):
        with open(file) as opened:
            return opened.read().strip()

    def _greeted(self, names):
        return [f"{self.greeting} {name}" * self.times for name in names]


class Sums(MLModel):
    @decode_args
    async def predict(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x + y
