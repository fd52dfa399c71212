"""What goes wrong between messages and values; all are answered with 400."""

from __future__ import annotations

from typing import Any

from ..errors import MLServerError  # noqa: TID252 - this package is found as mlserver

__all__ = ["CodecError", "CodecNotFound", "InputsNotFound", "OutputNotFound"]


class CodecError(MLServerError):
    """Base of them."""


class CodecNotFound(CodecError):  # noqa: N818 - MLServer's name
    """No codec is known for a type."""

    def __init__(
        self,
        name: str | None = None,
        payload_type: str | None = None,
        is_input: bool = False,
        is_request: bool = False,
    ) -> None:
        kind = "request" if is_request else "input" if is_input else "output"
        told = " ".join(
            part for part in (name, f"({payload_type})" if payload_type else "") if part
        )
        super().__init__(f"Unable to find codec for {kind} {told}")


class InputsNotFound(CodecError):  # noqa: N818 - MLServer's name
    """Inputs came that `predict` does not have."""

    def __init__(self, inputs: list[Any], codecs: dict[str, Any]) -> None:
        names = ", ".join(each.name for each in inputs)
        super().__init__(f"Input(s) {names} are not among {', '.join(codecs) or 'none'}")


class OutputNotFound(CodecError):  # noqa: N818 - MLServer's name
    """More was returned than `predict` is annotated with."""

    def __init__(self, index: int, output_type: type, hints: list[Any]) -> None:
        super().__init__(f"Output {index} ({output_type}) is not among the hints {hints}")
