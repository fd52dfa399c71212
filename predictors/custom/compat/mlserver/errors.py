"""MLServer's errors, which the server answers with their statuses."""

from __future__ import annotations

__all__ = [
    "InferenceError",
    "InvalidModelURI",
    "MLServerError",
    "ModelNotFound",
    "ModelNotReady",
    "ModelParametersMissing",
]


class MLServerError(Exception):
    """Base of them; `status_code` is the answer's."""

    def __init__(self, msg: str, status_code: int = 400) -> None:
        super().__init__(msg)
        self.status_code = status_code


class InvalidModelURI(MLServerError):  # noqa: N818 - MLServer's name
    """The settings name no file of the model; 422."""

    def __init__(self, name: str, model_uri: str | None = None) -> None:
        more = f" ({model_uri})" if model_uri else ""
        super().__init__(f"Invalid URI specified for model {name}{more}", 422)


class ModelNotFound(MLServerError):  # noqa: N818 - MLServer's name
    """There is no such model; 404."""

    def __init__(self, name: str, version: str | None = None) -> None:
        super().__init__(f"Model {name}{_version(version)} not found", 404)


class ModelNotReady(MLServerError):  # noqa: N818 - MLServer's name
    """The model cannot answer yet."""

    def __init__(self, name: str, version: str | None = None) -> None:
        super().__init__(f"Model {name}{_version(version)} is not ready yet.")


class InferenceError(MLServerError):
    """The request cannot be answered; 400."""


class ModelParametersMissing(MLServerError):  # noqa: N818 - MLServer's name
    """The settings have no parameters."""

    def __init__(self, model_name: str) -> None:
        super().__init__(f"Parameters missing for model {model_name}")


def _version(version: str | None) -> str:
    return "" if version is None else f" with version {version}"
