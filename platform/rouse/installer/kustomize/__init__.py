"""Kustomizations as objects, without kustomize: the part of it that ``manifests/`` uses.

Here belongs what kustomize does, by its own rules. What no kustomization of ours uses is refused,
never passed over.
"""

from rouse.installer.kustomize.render import render
from rouse.installer.kustomize.transforms import with_images

__all__ = ["render", "with_images"]
