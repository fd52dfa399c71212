"""LightGBM models: text files, and pickled wrappers."""
