"""The kinds: types, defaults, validation, lifecycle and CRD schemas. Pure: no I/O, no clock."""
