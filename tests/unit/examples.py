"""Desired state for tests: one small cluster, and the same with something changed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from reconciler.model.desired import Cluster
from reconciler.model.resource import Component, Expected, Kinds, Known, Observed, Resource
from reconciler.spec.load import DesiredCluster, load
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.terraform import KINDS

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG0h5sVZ0l5o1VbqXZ2pQqQ8r0n6cT8hN4v5Zqf7yJ8b"
CLUSTER = textwrap.dedent(
    f"""\
    apiVersion: research.moc/v1alpha1
    kind: Cluster
    metadata:
      name: demo
    spec:
      cloud: sandbox
      image: ubuntu-24.04
      ssh:
        user: cloud
        publicKey: {KEY}
      network:
        cidr: 10.20.0.0/24
        externalNetwork: public
      controlPlane:
        count: 1
        flavor: m1.medium
        floatingIps: true
      nodeGroups:
        - name: worker
          count: 2
          flavor: m1.large
          labels: {{team: blue}}
      access:
        ssh: [192.0.2.0/24]
        api: [192.0.2.0/24]
      kubernetes:
        version: "1.36.3"
    """
)
FILE = "desired/demo/cluster.yaml"


def application(name: str, *lines: str) -> str:
    """The text of one, with more `lines` below its spec."""
    head = (
        "apiVersion: research.moc/v1alpha1",
        "kind: Application",
        f"metadata: {{name: {name}}}",
        "spec:",
        "  target: moc",
        "  namespace: web",
        "  image: example.org/web:1",
    )
    return "\n".join((*head, *(f"  {line}" for line in lines))) + "\n"


def desired(*changes: tuple[str, str], extra: Mapping[str, str] | None = None) -> tuple[DesiredCluster, ...]:
    """Load the example with each (old, new) text replaced; `old` must be there."""
    text = CLUSTER
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    files = {FILE: text.encode(), **{path: content.encode() for path, content in (extra or {}).items()}}
    return load(files, lambda _: True)


def cluster(*changes: tuple[str, str]) -> Cluster:
    return desired(*changes)[0].cluster


def expected(of: Cluster) -> Expected:
    return Expected({Component.INFRASTRUCTURE: infrastructure(of)})


def live(resources: tuple[Resource, ...]) -> Observed:
    """The world in which exactly these exist, every kind known."""
    kinds: Kinds = {kind: Known(tuple(r for r in resources if r.kind == kind)) for kind in KINDS}
    return Observed({Component.INFRASTRUCTURE: kinds})
