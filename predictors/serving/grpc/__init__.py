"""The Open Inference Protocol over gRPC, beside REST on the same data plane.

What belongs here: messages to `InferenceRequest` and back, the service's methods, and the gRPC
server that carries them. Nothing here is imported unless ``--grpc_port`` asks for it, and then only
after a warm parent's fork: grpcio starts threads, which do not survive one.
"""

import os

# Read when grpcio is imported. Its older listener costs a seventh less CPU a call (decision 11).
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")
