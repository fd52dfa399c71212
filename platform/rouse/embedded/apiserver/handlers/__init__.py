"""One module per family of verbs; each handler maps (state, target, request) to a response."""
