"""InferenceService, serving.kserve.io/v1beta1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from rouse.api.base import OPEN_SCHEMA, Model, Object, Strings, atomic
from rouse.api.inferenceservice.component import ComponentSpec, StorageSpec
from rouse.api.inferenceservice.worker import Workers
from rouse.api.meta import Named, ObjectMeta
from rouse.api.pods.containers import ContainerFields

__all__ = [
    "FRAMEWORKS",
    "ARTExplainerSpec",
    "CanarySpec",
    "ExplainerSpec",
    "FrameworkSpec",
    "InferenceService",
    "InferenceServiceSpec",
    "ModelFormat",
    "ModelSpec",
    "PredictorSpec",
    "Protocol",
    "TransformerSpec",
]

Protocol = Literal["v1", "v2", "grpc-v1", "grpc-v2"]

FRAMEWORKS = (
    "huggingface",
    "lightgbm",
    "onnx",
    "paddle",
    "pmml",
    "pytorch",
    "sklearn",
    "tensorflow",
    "triton",
    "xgboost",
)
"""The old style blocks of a predictor; each is the same as ``model`` with that modelFormat."""


class FrameworkSpec(ContainerFields):
    """A model of one framework, in the old style, with the fields of its container."""

    runtime_version: str | None = None
    """Tag of the runtime's image."""
    protocol_version: Protocol | None = None
    """The prediction protocol; v1 when not given (v2 for huggingface, onnx and triton)."""
    storage_uri: str | None = None
    """Where the model is: pvc://claim/path, s3://, gs://, hf://, https://, file:// ..."""
    storage: StorageSpec | None = None


class ModelFormat(Model):
    """The framework a model was saved with."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the format, such as sklearn."""
    version: str | None = None
    """Version of the format; compared as text with those of the runtimes."""


class Confidential(Model):
    """A model that is stored encrypted, and decrypted in a trusted environment only."""

    enabled: bool
    """Whether the files are decrypted after they were fetched."""
    resource_id: Annotated[
        str | None, Field(pattern=r"^(kbs:///[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)?$")
    ] = None
    """The key at the key broker: kbs:///repository/type/tag."""


class ModelSpec(FrameworkSpec):
    """A model and its runtime; container fields given here win over the runtime's."""

    model_format: ModelFormat
    runtime: str | None = None
    """A ServingRuntime or ClusterServingRuntime by name; chosen by modelFormat when not given."""
    confidential: Confidential | None = None


class PredictorSpec(ComponentSpec):
    """Serves the model: either `model`, or containers of your own."""

    name: Annotated[str | None, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")] = None
    """In the mode Standard a part of the names of its objects: <service>-<name>-predictor.

    Promote a canary by writing its name here and removing it from canary: its pods go on."""
    model: ModelSpec | None = None
    huggingface: FrameworkSpec | None = None
    lightgbm: FrameworkSpec | None = None
    onnx: FrameworkSpec | None = None
    paddle: FrameworkSpec | None = None
    pmml: FrameworkSpec | None = None
    pytorch: FrameworkSpec | None = None
    sklearn: FrameworkSpec | None = None
    tensorflow: FrameworkSpec | None = None
    triton: FrameworkSpec | None = None
    xgboost: FrameworkSpec | None = None
    worker_spec: Workers | None = None
    """Serves the model on several nodes, in the mode Standard, by a runtime with workers.

    pipelineParallelSize, tensorParallelSize, and fields of the workers' pods."""

    def frameworks(self) -> dict[str, FrameworkSpec]:
        """Return the old style blocks that are given, by framework."""
        blocks = {name: getattr(self, name) for name in FRAMEWORKS}
        return {name: block for name, block in blocks.items() if block is not None}


class TransformerSpec(ComponentSpec):
    """Changes requests before the predictor and answers after it."""


class ARTExplainerSpec(ContainerFields):
    """The Adversarial Robustness Toolbox, in the old style, with the fields of its container."""

    type: Literal["SquareAttack"] | None = None
    """The attack; SquareAttack when not given."""
    runtime_version: str | None = None
    """Tag of the image."""
    storage_uri: str | None = None
    """Where a trained explainer is, if it needs one."""
    storage: StorageSpec | None = None
    config: Strings | None = None
    """More arguments of the explainer, by name."""


class ExplainerSpec(ComponentSpec):
    """Explains predictions: either `art`, or containers of your own."""

    gone: ClassVar[Mapping[str, str]] = {
        block: f"KServe dropped the block {block}, and with it Rouse; run the explainer's image "
        "under containers, with its arguments in args"
        for block in ("aix", "alibi")
    }

    art: ARTExplainerSpec | None = None


class CanarySpec(Model):
    """A further version of the predictor, with a fixed number of replicas."""

    # Open in the definition, which kubectl could not apply with one more pod in it.
    predictor: Annotated[PredictorSpec, WithJsonSchema(OPEN_SCHEMA)]
    """The version; its name is required. What it does not say is as in spec.predictor."""
    traffic_percent: Annotated[int, Field(ge=0, le=100)]
    """Percent of the requests that it gets once it is ready; all canaries together at most 100."""


class InferenceServiceSpec(Model):
    """What is wanted: a predictor and, around it, a transformer and an explainer."""

    predictor: PredictorSpec
    transformer: TransformerSpec | None = None
    explainer: ExplainerSpec | None = None
    canary: Annotated[list[CanarySpec] | None, atomic()] = None
    """Further versions of the predictor, tried in the mode Standard.

    In the mode Knative canaryTrafficPercent does it."""


class InferenceService(Named, Model):
    """A model that answers requests, sleeps without them, and is rolled out step by step."""

    api_version: Literal["serving.kserve.io/v1beta1"]
    kind: Literal["InferenceService"]
    metadata: ObjectMeta
    spec: InferenceServiceSpec
    status: Object | None = None
    """What was observed; typed in `InferenceServiceStatus`, read here as it is."""
