"""Endpoints of a model's own."""

from .custom import CustomHandler, custom_handler

__all__ = ["CustomHandler", "custom_handler"]
