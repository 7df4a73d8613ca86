"""What should be: Stack -> Resources, as docker compose 2.40 makes its containers, networks and volumes. Pure."""

from composer.reconcile.render.container import instantiate
from composer.reconcile.render.stack import Site, image_of, render

__all__ = ["Site", "image_of", "instantiate", "render"]
