"""The label of node groups with GPUs: by the flavor, by git's own word, and while nobody can say."""

from __future__ import annotations

import pytest

from reconciler.model.desired import Cluster
from reconciler.model.resource import Fields, Known, Listing, Resource, Unknown
from reconciler.spec.render.gpus import LABEL, gpus, labelled
from reconciler.spec.render.kubernetes import Hosts, inventory, nodes
from tests.unit.examples import CLUSTER, FILE

PLAIN, WITH = ("m1.large", {"vcpus": 4}), ("m1.large", {"extra_specs.resources:CUSTOM_GPU": "1"})


def cluster(labels: str = "{team: blue}") -> Cluster:
    from reconciler.spec import desired_state

    (found,) = desired_state.load({FILE: CLUSTER.replace("{team: blue}", labels).encode()})
    return found.cluster


def flavors(*known: tuple[str, Fields]) -> Listing:
    return Known(tuple(Resource("flavors", name, fields) for name, fields in known))


def value(found: Cluster, label: str = LABEL) -> str | None:
    return found.spec.node_groups[0].labels.get(label)


@pytest.mark.parametrize(
    ("extra", "count"),
    [
        ({}, 0),
        ({"extra_specs.resources:VGPU": "1"}, 1),
        ({"extra_specs.resources2:PGPU": "2"}, 2),
        ({"extra_specs.resources:CUSTOM_GPU_A100": "4"}, 4),
        ({"extra_specs.resources_GPU:VGPU": "1"}, 1),
        ({"extra_specs.resources_PCI-1:CUSTOM_PCI_10DE_20B0": "1", "extra_specs.resources:CUSTOM_NVIDIA_11": "1"}, 2),
        ({"extra_specs.resources:CUSTOM_A100": "2"}, 2),
        ({"extra_specs.resources:CUSTOM_H100_80GB": "1"}, 1),
        ({"extra_specs.resources:CUSTOM_L40S": "1"}, 1),
        ({"extra_specs.resources:CUSTOM_BAREMETAL_MI250X": "1"}, 1),
        ({"extra_specs.resources:CUSTOM_A100": "none"}, 0),
        ({"extra_specs.resources:CUSTOM_BAREMETAL_GOLD": "1"}, 0),
        ({"extra_specs.resources:CUSTOM_FPGA": "1"}, 0),
        ({"extra_specs.pci_passthrough:alias": "a100:2"}, 2),
        ({"extra_specs.pci_passthrough:alias": "nic:1, nvidia-t4:1"}, 1),
        ({"extra_specs.pci_passthrough:alias": "nic:1"}, 0),
    ],
)
def test_how_flavors_ask_for_gpus(extra: Fields, count: int) -> None:
    assert gpus(extra) == count


def test_a_group_whose_flavor_has_gpus_has_the_label() -> None:
    assert value(labelled(cluster(), flavors(WITH), Known())) == "true"
    assert value(labelled(cluster(), flavors(PLAIN), Known())) is None
    assert value(labelled(cluster(), flavors(WITH), Known(), "example.org/gpu"), "example.org/gpu") == "true"


def test_what_git_calls_it_counts() -> None:
    said = cluster(f"{{{LABEL}: a100}}")
    assert labelled(said, flavors(WITH), Known()) is said
    assert labelled(said, flavors(PLAIN), Known()) is said


def test_while_flavors_can_not_be_asked_the_label_stays_where_it_is() -> None:
    live = {"labels.research.moc/node-group": "worker", f"labels.{LABEL}": "true"}
    unseen = Unknown("Nova does not answer")
    assert value(labelled(cluster(), unseen, Known((Resource("node", "demo-worker-1", live),)))) == "true"
    assert value(labelled(cluster(), unseen, Known())) is None
    assert value(labelled(cluster(), unseen, unseen)) is None


def test_nodes_are_expected_to_have_it_and_kubelets_start_with_it() -> None:
    """Set afterwards, it would come too late: for a moment the node counts as one without GPUs."""
    found = labelled(cluster(), flavors(WITH), Known())
    worker = next(n for n in nodes(found, ()) if n.name == "demo-worker-1")
    assert worker.fields[f"labels.{LABEL}"] == "true"
    servers = [Resource("server", name, {"address": "192.0.2.9"}, name) for name in ("demo-worker-1", "demo-worker-2")]
    assert str(inventory(found, Hosts(servers=servers))).count(f"'{LABEL}': 'true'") == 2
