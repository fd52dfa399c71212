"""Pre- and post-processing servers and their library (begun in a later release)."""
