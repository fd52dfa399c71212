"""Every image of the project, in one place.

The Dockerfiles are written from it; tests hold the runtimes of ``manifests/runtimes`` and the
embedded node's table of commands to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["IMAGES", "Image", "named"]


@dataclass(frozen=True, slots=True)
class Image:
    """One image: what is installed into it and what it runs."""

    name: str
    """Last part of its repository, e.g. ``sklearnserver``."""
    title: str
    module: str
    """Run as ``python -m MODULE``."""
    dockerfile: str
    packages: tuple[str, ...]
    """Folders of the repository that are importable in it."""
    extras: tuple[str, ...] = ()
    """Optional dependencies of ``pyproject.toml`` that are installed, with those they name."""
    libraries: tuple[str, ...] = ()
    """Requirements beyond the extras; versions come from ``constraints.txt``."""
    base_dependencies: bool = False
    """Whether ``project.dependencies`` are installed as well."""
    debian: tuple[str, ...] = ()
    """Debian packages that a library links to and does not bring."""
    arguments: tuple[str, ...] = ()
    """Default arguments, replaced by a container's ``args``."""
    ports: tuple[int, ...] = (8080,)


_SERVER: Final = (
    "predictors/__init__.py",
    "predictors/openai",
    "predictors/serving",
    "predictors/storage",
)
_SERVER_EXTRAS: Final = ("serving", "storage", "grpc", "tracing")
_TABULAR: Final = ("sklearn", "xgboost", "lightgbm", "onnx", "mlflow")


_ALL_TABULAR: Final = tuple(f"predictors/{each}" for each in ("tabular", "twins", *_TABULAR))


def _predictor(
    framework: str,
    title: str,
    *extras: str,
    packages: tuple[str, ...] = ("predictors/tabular", "predictors/twins"),
    debian: tuple[str, ...] = (),
) -> Image:
    return Image(
        name=f"{framework}server",
        title=f"{title} predictor",
        module=f"predictors.{framework}",
        dockerfile=f"predictors/{framework}/Dockerfile",
        packages=tuple(dict.fromkeys((*_SERVER, *packages, f"predictors/{framework}"))),
        extras=(*_SERVER_EXTRAS, *extras),
        debian=debian,
    )


IMAGES: Final = (
    _predictor("sklearn", "scikit-learn", "sklearn"),
    # Pickled wrappers of XGBoost and LightGBM are scikit-learn estimators.
    _predictor("xgboost", "XGBoost", "xgboost", "sklearn"),
    # Its wheel links to OpenMP's library and does not bring it, unlike the others'.
    _predictor("lightgbm", "LightGBM", "lightgbm", "sklearn", debian=("libgomp1",)),
    _predictor("onnx", "ONNX", "onnx"),
    # The same for GPUs: another build of torch brings CUDA's libraries with it.
    _predictor("pytorch", "PyTorch", "pytorch", packages=("predictors/tabular",)),
    _predictor(
        "huggingface",
        "Hugging Face",
        "huggingface",
        packages=("predictors/tabular", "predictors/pytorch"),
    ),
    # It hands flavors to the other predictors. Installed is what most models need; other libraries
    # are a matter of an image FROM this one.
    _predictor("mlflow", "MLflow", "mlflow", "sklearn", packages=_ALL_TABULAR),
    # The code of all frameworks: ClearML keeps their models beside its classes. Libraries beyond
    # scikit-learn are a matter of the user's image FROM this one. pydantic has MLServer's messages.
    Image(
        name="customserver",
        title="custom predictor",
        module="predictors.custom",
        dockerfile="predictors/custom/Dockerfile",
        packages=(*_SERVER, *_ALL_TABULAR, "predictors/custom"),
        extras=(*_SERVER_EXTRAS, "codecs", "sklearn"),
        libraries=("pydantic",),
    ),
    Image(
        name="transformer",
        title="transformer",
        module="transformers_pre",
        dockerfile="transformers_pre/Dockerfile",
        # Subclasses of kserve.Model are transformers too, whose types are there.
        packages=(*_SERVER, "predictors/custom", "transformers_pre"),
        extras=_SERVER_EXTRAS,
        libraries=("httpx", "pillow"),
    ),
    # No numpy: nothing of a body is looked at but its JSON.
    Image(
        name="router",
        title="router of inference graphs",
        module="predictors.graph",
        dockerfile="predictors/graph/Dockerfile",
        packages=(*_SERVER, "predictors/graph"),
        extras=("graph", "tracing"),
    ),
    Image(
        name="storage-initializer",
        title="storage initializer",
        module="predictors.storage_initializer",
        dockerfile="predictors/storage_initializer/Dockerfile",
        packages=(
            "predictors/__init__.py",
            "predictors/serving/__init__.py",
            "predictors/serving/errors.py",
            "predictors/serving/logs.py",
            "predictors/serving/observation.py",
            "predictors/storage",
            "predictors/storage_initializer",
        ),
        extras=("storage",),
        libraries=("orjson", "requests"),
        ports=(),
    ),
    # It decides as the platform does, and fetches as the predictors do, by a process of theirs.
    Image(
        name="node-agent",
        title="agent of a node's model cache",
        module="rouse",
        dockerfile="platform/rouse/agent/Dockerfile",
        packages=(
            "platform/rouse",
            "manifests",
            "predictors/__init__.py",
            "predictors/serving/__init__.py",
            "predictors/serving/errors.py",
            "predictors/serving/logs.py",
            "predictors/serving/observation.py",
            "predictors/storage",
        ),
        extras=("cluster", "storage"),
        libraries=("orjson", "requests"),
        base_dependencies=True,
        arguments=("node-agent",),
        ports=(8080, 8081, 8085),
    ),
    Image(
        name="controller",
        title="controller, admission webhook and installer",
        module="rouse",
        dockerfile="platform/Dockerfile",
        packages=("platform/rouse", "manifests"),
        extras=("cluster",),
        base_dependencies=True,
        arguments=("controller",),
        ports=(8080, 8081, 9443),
    ),
)


def named(names: Iterable[str], images: Iterable[Image] = IMAGES) -> tuple[Image, ...]:
    """The images of these names, ``sklearn`` short for ``sklearnserver``; all where none is given.

    Raises ValueError that lists the known names.
    """
    known = {image.name: image for image in images}
    if not (wanted := list(names)):
        return tuple(known.values())
    found = []
    for name in wanted:
        image = known.get(name) or known.get(f"{name}server")
        if image is None:
            raise ValueError(f"no image is named {name!r}; there are: {', '.join(known)}")
        found.append(image)
    return tuple(found)
