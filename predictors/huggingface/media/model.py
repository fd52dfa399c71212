"""A pipeline of transformers as a model: one at a time, in a thread, behind a bounded queue."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.pipelines import SUPPORTED_TASKS

from predictors.huggingface.batching import Batcher, Sized
from predictors.huggingface.calls import Call, Fields
from predictors.huggingface.config import ModelFolder
from predictors.huggingface.loading import allow_code, complete
from predictors.huggingface.options import Options
from predictors.pytorch.device import Device
from predictors.pytorch.threads import use_all
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import RequestModel
from predictors.serving.tensors import Tensor

__all__ = ["Asked", "MediaModel", "dtype_of", "loaded"]


class Asked(NamedTuple):
    """What a pipeline is called with."""

    value: Any
    parameters: Mapping[str, Any]


class MediaModel(RequestModel):
    """Subclasses are tasks.

    Files of a request are read when its turn has come, in the thread that asks the pipeline: the
    event loop does not wait for them, and what waits is no larger than what was sent.
    """

    platform: ClassVar[str] = "huggingface"
    fields: ClassVar[Fields] = Fields(("image",))

    takes_payload = True
    deterministic = True

    def __init__(self, name: str, files: ModelFolder, options: Options) -> None:
        super().__init__(name)
        self.files = files
        self.options = options
        self.device = Device("cpu")

    def load(self) -> None:
        """Make the pipeline. Raises `StartupError`."""
        self.device = Device.choose()
        self.files.weights()
        self._check_files()
        self.ask = self.made()
        self.batcher: Batcher[Call, Any] = Batcher(
            self._call, name=self.name, max_tokens=1, max_waiting=256
        )
        self.metadata_extra = {
            "task": str(self.files.task),
            "revision": self.files.revision(self.options),
            "device": self.device.name,
            "dtype": self.options.dtype.replace("auto", "float32"),
        }
        self.device.show_memory()

    def unload(self) -> None:
        """Let the thread and the weights go."""
        self.batcher.close()
        del self.ask

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer over V1 or V2. Raises `RequestError`."""
        call = Call.read(request, self.fields, media=True)
        spent = await self.batcher.submit([Sized(part, 1) for part in call.parts()])
        response = InferenceResponse((), queue=spent.queue, predict=spent.run)
        if request.payload is not None:
            response.payload = {"predictions": spent.results}
            return response
        wanted = request.wanted
        response.outputs = [
            t for t in self.tensors(spent.results) if not wanted or t.name in wanted
        ]
        return response

    def made(self) -> Callable[..., Any]:
        """What answers: the pipeline of the task. Raises `ModelLoadError`."""
        pipeline: Callable[..., Any] = transformers.pipeline
        path, code = str(self.files.path), allow_code(self.files, self.options)
        module = complete(
            self._class(), self.files, trust_remote_code=code, dtype=dtype_of(self.options)
        )
        made: Callable[..., Any] = loaded(
            self.files,
            lambda: pipeline(
                str(self.files.task),
                model=module,
                tokenizer=path,
                image_processor=path,
                feature_extractor=self.extractor(path),
                device=self.device.torch,
                trust_remote_code=code,
            ),
        )
        return made

    def extractor(self, path: str) -> Any:
        """What makes features of sounds, where the task has them."""
        return None

    def _class(self) -> Any:
        """What transformers has for the task and the folder's family, else what it was saved as."""
        tasks: Any = SUPPORTED_TASKS
        classes: Sequence[Any] = tasks[str(self.files.task)]["pt"]
        family = CONFIG_MAPPING[kind] if (kind := self.files.model_type) in CONFIG_MAPPING else None
        fitting = [auto for auto in classes if family in auto._model_mapping]
        named = self.files.config.get("architectures") or ()
        saved = [getattr(transformers, name) for name in named if hasattr(transformers, name)]
        return (fitting or saved or classes)[0]

    @abstractmethod
    def asked(self, call: Call) -> list[Asked]:
        """What to ask the pipeline for each item. Raises `InvalidInputError`."""

    @abstractmethod
    def told(self, answer: Any) -> Any:
        """An answer of the pipeline as JSON can hold it."""

    @abstractmethod
    def tensors(self, results: Sequence[Any]) -> list[Tensor]:
        """Results as V2's outputs."""

    def _call(self, calls: list[Call]) -> list[Any]:
        use_all()
        with self.device.out_of_memory(self.name), torch.inference_mode():
            return [self._answer(each) for call in calls for each in self.asked(call)]

    def _answer(self, asked: Asked) -> Any:
        try:
            return self.told(self.ask(asked.value, **asked.parameters))
        except (ValueError, RuntimeError) as error:
            # What pipelines raise for parameters, or sounds, that the model is not made for; and
            # torch for what is smaller than a convolution's kernel, without a class of its own.
            if isinstance(error, RuntimeError) and "ernel size" not in str(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InvalidInputError(f"Model {self.name} refused the input: {reason}") from error

    def _check_files(self) -> None:
        names = ("preprocessor_config.json", "processor_config.json")
        if not any((self.files.path / name).is_file() for name in names):
            raise ModelLoadError(
                f"{self.files.path} has no preprocessor_config.json, which "
                f"{self.files.task} needs. Save it by save_pretrained() of the model's processor."
            )


def loaded(files: ModelFolder, make: Callable[[], Any]) -> Any:
    """What `make` makes of a folder. Raises `ModelLoadError` in one line."""
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()
    except ModelLoadError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelLoadError(f"{files.path} cannot be loaded for {files.task}: {reason}") from error


def dtype_of(options: Options) -> torch.dtype:
    """The type of the weights."""
    found: torch.dtype = getattr(torch, options.dtype.replace("auto", "float32"))
    return found
