"""The kinds: types, defaults, validation, status lifecycle and CRD schemas. Pure: no I/O, no clock."""
