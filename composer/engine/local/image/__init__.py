"""Images: blobs, unpacked layers, snapshots, references; load, save, pull, push."""

from composer.engine.local.image.blobs import Blobs, Lease
from composer.engine.local.image.images import LocalImages
from composer.engine.local.image.layers import Layer, Layers
from composer.engine.local.image.record import ImageRecord
from composer.engine.local.image.snapshot import Snapshots
from composer.engine.local.image.store import ImageStore

__all__ = ["Blobs", "ImageRecord", "ImageStore", "Layer", "Layers", "Lease", "LocalImages", "Snapshots"]
