"""The messages of V2 over gRPC."""
