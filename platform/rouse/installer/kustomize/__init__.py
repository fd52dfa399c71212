"""Kustomizations as objects, without kustomize: the part of it that ``manifests/`` uses.

Here belongs what kustomize does, by its own rules. What no kustomization of ours uses is refused,
never passed over.
"""

from rouse.installer.kustomize.render import identity, render
from rouse.installer.kustomize.transforms import map_images, split_image

__all__ = ["identity", "map_images", "render", "split_image"]
