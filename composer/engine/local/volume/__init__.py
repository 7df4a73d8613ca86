"""Volumes: data that outlives containers. The local driver, with mount options as mount(8) takes them."""

from composer.engine.local.volume.volumes import LocalVolumes

__all__ = ["LocalVolumes"]
