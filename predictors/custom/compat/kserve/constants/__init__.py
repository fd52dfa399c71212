"""Names that KServe's models compare with."""
