"""The Python SDK: deploy, watch and call InferenceServices in a few lines."""
