"""Helpers of KServe's models."""
