"""The `rouse` command. Thin: every command calls the SDK or the engine."""
