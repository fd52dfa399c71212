"""InferenceService + runtimes + config + what was observed -> wanted objects. Pure `make_<thing>()`."""
