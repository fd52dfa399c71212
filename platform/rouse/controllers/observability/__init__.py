"""What the controllers tell of themselves; how it is served is in `rouse.daemon`."""
