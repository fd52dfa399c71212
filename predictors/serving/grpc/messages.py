"""The messages of ``open_inference.proto``, as classes; ``messages.pyi`` has their types.

They live in a descriptor pool of their own: KServe's, MLServer's and Triton's packages all register
messages of the same names in the default one, and user code may import any of them.
"""

from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass


def _classes() -> dict[str, Any]:
    schema = files("predictors.serving.grpc").joinpath("schema.binpb").read_bytes()
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(schema).file:
        pool.Add(file)
    described = pool.FindFileByName("open_inference.proto")
    return {
        name: GetMessageClass(message) for name, message in described.message_types_by_name.items()
    }


globals().update(_classes())
