"""Image classification, object detection, and segmentation with masks as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from predictors.huggingface.calls import Call, Fields, json_column, text_column
from predictors.huggingface.media.files import example_image, images_of, png
from predictors.huggingface.media.model import Asked, MediaModel
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["Detection", "ImageClassification", "Segmentation"]

_LABELS_TOLD: Final = 5
_SUBTASKS: Final = ("panoptic", "instance", "semantic")


class _ImageModel(MediaModel):
    """What takes an image an item."""

    def load(self) -> None:
        """As for every pipeline. Raises `StartupError`."""
        super().load()
        told = {"content_type": "base64", "example": [example_image()]}
        self.inputs = (TensorSpec("image", "BYTES", (-1,), told),)


class ImageClassification(_ImageModel):
    """The best labels of each image, with their scores."""

    fields: ClassVar[Fields] = Fields(("image",), parameters=("top_k",))
    outputs = (TensorSpec("labels", "BYTES", (-1, -1)), TensorSpec("scores", "FP32", (-1, -1)))

    def asked(self, call: Call) -> list[Asked]:
        """The images, and how many labels of each."""
        told = {"top_k": call.count("top_k", _LABELS_TOLD)}
        return [Asked(image, told) for image in images_of(call)]

    def told(self, answer: Any) -> Any:
        """Lists of ``{"label", "score"}``, best first."""
        return answer

    def tensors(self, results: Sequence[Any]) -> list[Tensor]:
        """`labels` and `scores`, a row for each image."""
        labels = text_column([[one["label"] for one in each] for each in results])
        scores = np.array([[one["score"] for one in each] for each in results], np.float32)
        return [Tensor("labels", labels), Tensor("scores", scores)]


class Detection(_ImageModel):
    """Objects in each image, with their boxes in pixels."""

    fields: ClassVar[Fields] = Fields(("image",), parameters=("threshold",))
    outputs = (
        TensorSpec(
            "objects",
            "BYTES",
            (-1,),
            {"content_type": "json", "description": "label, score and box of each"},
        ),
    )

    def asked(self, call: Call) -> list[Asked]:
        """The images, and the least score of an object."""
        told = {"threshold": call.share("threshold", 0.5)}
        return [Asked(image, told) for image in images_of(call)]

    def told(self, answer: Any) -> Any:
        """Lists of ``{"label", "score", "box"}``."""
        return answer

    def tensors(self, results: Sequence[Any]) -> list[Tensor]:
        """`objects`, a document of JSON for each image."""
        return [Tensor("objects", json_column(results), {"content_type": "json"})]


class Segmentation(_ImageModel):
    """Segments of each image; a mask is base64 of a PNG of the image's size, white where it is."""

    fields: ClassVar[Fields] = Fields(
        ("image",), parameters=("threshold", "mask_threshold", "subtask")
    )
    outputs = (
        TensorSpec(
            "segments",
            "BYTES",
            (-1,),
            {"content_type": "json", "description": "label, score and mask (PNG) of each"},
        ),
    )

    def asked(self, call: Call) -> list[Asked]:
        """The images, and what counts as a segment."""
        told: dict[str, Any] = {
            name: call.share(name, 0.5)
            for name in ("threshold", "mask_threshold")
            if name in call.parameters
        }
        if "subtask" in call.parameters:
            told["subtask"] = call.choice("subtask", _SUBTASKS, "panoptic")
        return [Asked(image, told) for image in images_of(call)]

    def told(self, answer: Any) -> Any:
        """Lists of ``{"label", "score", "mask"}``."""
        return [{**segment, "mask": png(segment["mask"])} for segment in answer]

    def tensors(self, results: Sequence[Any]) -> list[Tensor]:
        """`segments`, a document of JSON for each image."""
        return [Tensor("segments", json_column(results), {"content_type": "json"})]
