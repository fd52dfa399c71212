"""Bodies in Kubernetes' protobuf form, which recent kubectl sends for the kinds it creates itself.

Only what ``kubectl create`` makes is known; other kinds are refused and not half understood.
Answers are always JSON: every such client accepts it.
"""

from rouse.embedded.apiserver.protobuf.envelope import MEDIA_TYPE, decode_protobuf

__all__ = ["MEDIA_TYPE", "decode_protobuf"]
