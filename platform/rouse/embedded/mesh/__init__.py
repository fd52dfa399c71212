"""The embedded mesh: real Envoy, configured from Gateway, VirtualService and EndpointSlice objects."""
