"""Examples: each folder is a small thing to try."""
