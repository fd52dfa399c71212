"""Visual question answering: questions about images. transformers 5 has no pipeline of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import transformers
from PIL.Image import Image

from predictors.huggingface.calls import Call, Fields, text_column, text_of
from predictors.huggingface.loading import allow_code, complete
from predictors.huggingface.media.files import example_image, images_of
from predictors.huggingface.media.model import Asked, MediaModel, dtype_of, loaded
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["VisualQuestions"]


class VisualQuestions(MediaModel):
    """The best answers to each question, of those that a ViLT model knows, or as BLIP writes it."""

    fields: ClassVar[Fields] = Fields(("image", "question"), parameters=("top_k",))
    outputs = (TensorSpec("answer", "BYTES", (-1,)), TensorSpec("score", "FP32", (-1,)))

    def load(self) -> None:
        """Read model and processor. Raises `StartupError`."""
        super().load()
        told = {"content_type": "base64", "example": [example_image()]}
        self.inputs = (
            TensorSpec("image", "BYTES", (-1,), told),
            TensorSpec("question", "BYTES", (-1,), {"example": ["What is it?"]}),
        )

    def made(self) -> Callable[..., Any]:
        """The model with its processor. Raises `ModelLoadError`."""
        code = allow_code(self.files, self.options)
        path = str(self.files.path)
        processor = loaded(
            self.files,
            lambda: transformers.AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
                path, trust_remote_code=code
            ),
        )
        auto = transformers.AutoModelForVisualQuestionAnswering
        model: Any = complete(
            auto, self.files, trust_remote_code=code, dtype=dtype_of(self.options)
        )
        model = model.to(self.device.torch)
        writes = model.can_generate()
        labels = self.files.labels

        def ask(value: tuple[Image, str], top_k: int) -> list[dict[str, Any]]:
            image, question = value
            given = processor(images=image, text=question, return_tensors="pt", truncation=True)
            given = given.to(self.device.torch)
            if writes:
                [tokens] = model.generate(**given, max_new_tokens=20)
                return [{"answer": processor.decode(tokens, skip_special_tokens=True)}]
            scores, best = model(**given).logits[0].float().sigmoid().topk(min(top_k, len(labels)))
            pairs = zip(scores.tolist(), best.tolist(), strict=True)
            return [{"score": score, "answer": labels[index]} for score, index in pairs]

        return ask

    def asked(self, call: Call) -> list[Asked]:
        """Each image with its question."""
        told = {"top_k": call.count("top_k", 5)}
        questions = [
            text_of(item["question"], f"{where}.question")
            for item, where in zip(call.items, call.where, strict=True)
        ]
        images = images_of(call)
        return [Asked(pair, told) for pair in zip(images, questions, strict=True)]

    def told(self, answer: Any) -> Any:
        """Lists of ``{"score", "answer"}``, best first; without a score where a text is written."""
        return answer

    def tensors(self, results: Sequence[Any]) -> list[Tensor]:
        """`answer` and `score` of the best; a score of 1 where a text is written."""
        answers = text_column([each[0]["answer"] for each in results])
        scores = np.array([each[0].get("score", 1.0) for each in results], np.float32)
        return [Tensor("answer", answers), Tensor("score", scores)]
