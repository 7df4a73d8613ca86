"""The Compose model, frozen and in long form: nothing left to guess. A module per noun; import from here."""

from composer.spec.model.base import Spec
from composer.spec.model.build import Build, Develop, Hook, Trigger
from composer.spec.model.deploy import Deploy, Placement, ResourceLimits, Resources, RestartPolicy, Rollout
from composer.spec.model.files import Config, FileObject, Grant, Secret
from composer.spec.model.limits import Blkio, CredentialSpec, Device, DeviceRate, DeviceRequest, DeviceWeight, Logging, Ulimit
from composer.spec.model.network import Ipam, Network, Pool, Port, ServiceNetwork
from composer.spec.model.service import Dependency, EnvFile, HealthCheck, Provider, Service, ServiceModel
from composer.spec.model.stack import Model, Stack
from composer.spec.model.volume import BindOptions, ImageOptions, ServiceVolume, TmpfsOptions, Volume, VolumeOptions

__all__ = [
    "BindOptions",
    "Blkio",
    "Build",
    "Config",
    "CredentialSpec",
    "Dependency",
    "Deploy",
    "Develop",
    "Device",
    "DeviceRate",
    "DeviceRequest",
    "DeviceWeight",
    "EnvFile",
    "FileObject",
    "Grant",
    "HealthCheck",
    "Hook",
    "ImageOptions",
    "Ipam",
    "Logging",
    "Model",
    "Network",
    "Placement",
    "Pool",
    "Port",
    "Provider",
    "ResourceLimits",
    "Resources",
    "RestartPolicy",
    "Rollout",
    "Secret",
    "Service",
    "ServiceModel",
    "ServiceNetwork",
    "ServiceVolume",
    "Spec",
    "Stack",
    "TmpfsOptions",
    "Trigger",
    "Ulimit",
    "Volume",
    "VolumeOptions",
]
