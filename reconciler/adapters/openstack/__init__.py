"""OpenStack through openstacksdk: list a project once, side by side; prune by id."""

from .cloud import OpenStackCloud

__all__ = ["OpenStackCloud"]
