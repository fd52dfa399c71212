"""KServe's errors, which the server answers with their statuses."""

from __future__ import annotations

__all__ = [
    "InferenceError",
    "InvalidInput",
    "ModelMissingError",
    "ModelNotFound",
    "ModelNotReady",
    "UnsupportedProtocol",
]


class InvalidInput(ValueError):  # noqa: N818 - KServe's name
    """The request is wrong; 400."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InferenceError(RuntimeError):
    """The model failed; 500."""

    def __init__(
        self, reason: str, status: str | None = None, debug_details: object = None
    ) -> None:
        super().__init__(reason if status is None else f"[{status}] {reason}")
        self.reason = reason
        self.status = status
        self.debug_details = debug_details


class ModelMissingError(Exception):
    """There are no files of the model; 404."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class ModelNotFound(Exception):  # noqa: N818 - KServe's name
    """There is no such model; 404."""

    def __init__(self, model_name: str | None = None) -> None:
        self.reason = f"Model with name {model_name} does not exist."
        super().__init__(self.reason)


class ModelNotReady(RuntimeError):  # noqa: N818 - KServe's name
    """The model cannot answer yet; 503."""

    def __init__(self, model_name: str, detail: str | None = None) -> None:
        self.model_name = model_name
        self.error_msg = " ".join(
            text for text in (f"Model with name {model_name} is not ready.", detail) if text
        )
        super().__init__(self.error_msg)


class UnsupportedProtocol(Exception):  # noqa: N818 - KServe's name
    """The protocol is none the model speaks; 501."""

    def __init__(self, protocol_version: str | None = None) -> None:
        self.reason = f"Unsupported protocol {protocol_version}."
        super().__init__(self.reason)
