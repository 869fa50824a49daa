"""What runs is said as a first cluster.yaml, and the comparison of every cycle then finds nothing to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from reconciler.control.made_from import as_made
from reconciler.control.take import Undecided, taken
from reconciler.errors import Transient
from reconciler.model.desired import Cluster
from reconciler.model.naming import IMAGE_ID, NAME, rule_name
from reconciler.model.resource import Kinds, Known, Resource, Unknown, Value
from reconciler.ports import CloudSnapshot
from reconciler.spec.found import Choice, Guesses
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.terraform import KINDS
from tests.unit.examples import KEY, cluster

GUESSES = Guesses(ssh_user="cloud", kubernetes="1.36.3")
RULES = """access:
    rules:
      - {name: web, ports: "443", from: [192.0.2.0/24, 198.51.100.0/24]}
      - {name: ping, protocol: icmp, from: [192.0.2.0/24], to: all}
      - {name: span, protocol: udp, ports: 8000-8100, from: ["2001:db8::/32"], to: control-plane}
    nodePorts: [198.51.100.0/24]"""
SHAPES: dict[str, list[tuple[str, str]]] = {
    "as it is": [],
    "rules": [("access:", RULES)],
    "three masters, their own etcd": [
        ("    count: 1\n", "    count: 3\n"),
        ("  access:", "  etcd: {flavor: m1.small}\n  access:"),
    ],
    "a gap": [("count: 2", "count: 2\n      without: [2]")],
    "two groups": [("  access:", "    - {name: gpu, count: 1, flavor: g1, floatingIps: true}\n  access:")],
    "another image": [("flavor: m1.large", "flavor: m1.large\n      image: debian-12")],
    "boot volumes": [("flavor: m1.large", "flavor: m1.large\n      bootVolume: {size: 40, type: fast}")],
    "zones in turn": [("flavor: m1.large", "flavor: m1.large\n      availabilityZones: [a, b]")],
    "another policy": [("flavor: m1.large", "flavor: m1.large\n      serverGroupPolicy: affinity")],
    "their network": [
        ("cidr: 10.20.0.0/24", "existing: {network: theirs, subnet: their-sub, cidr: 10.30.0.0/24}"),
        ("  access:", "  bastion: {flavor: m1.small, securityGroups: [monitoring]}\n  access:"),
    ],
    "their router": [("externalNetwork: public", "externalNetwork: public\n    router: campus")],
    "a load balancer": [("  access:", "  apiLoadBalancer: {provider: ovn}\n  access:")],
    "pods without a tunnel": [
        ("externalNetwork: public", "externalNetwork: public\n    allowedAddresses: [10.233.64.0/18]")
    ],
    "names and ports": [("user: cloud", "user: cloud\n    port: 2222")],
    "servers of names": [("externalNetwork: public", "externalNetwork: public\n    dnsServers: [9.9.9.9, 1.1.1.1]")],
}


def live(wanted: Cluster) -> list[Resource]:
    """What a cloud has once the cluster was applied."""
    made = []
    for number, r in enumerate(infrastructure(wanted)):
        fields: dict[str, Value] = {k: v for k, v in r.fields.items() if k != NAME}
        if r.kind == "server":
            fields |= {"availability_zone": fields.get("availability_zone", "nova")}
        made.append(Resource(r.kind, r.name, fields, f"id-{number}", wanted.name))
    network = wanted.spec.network
    if network.existing:
        there = network.existing
        made += [
            Resource("network", there.network, {}, "n"),
            Resource("subnet", str(there.subnet), {"network": there.network, "cidr": there.cidr}, "s"),
            Resource("router", "campus", {"external_network": "public"}, "r"),
        ]
    if network.router:
        made = [replace(r, owner="", name=f"campus/{wanted.name}") if r.kind == "router_interface" else r for r in made]
        made.append(Resource("router", "campus", {"external_network": "public"}, "r"))
    return made


def snapshot(found: Iterable[Resource], **unknown: str) -> CloudSnapshot:
    there = list(found)
    kinds: dict[str, Known | Unknown] = {k: Known(tuple(r for r in there if r.kind == k)) for k in KINDS}
    kinds |= {kind: Unknown(why) for kind, why in unknown.items()}
    seen: Kinds = kinds
    return CloudSnapshot(seen, Known(), Known(), Known(), Known())


def stripped(found: Iterable[Resource], *, all_marks: bool) -> list[Resource]:
    """Without the tags; with `all_marks`, without descriptions and metadata too."""
    made = []
    for r in found:
        fields = {k: v for k, v in r.fields.items() if not (all_marks and k.startswith("metadata."))}
        fields |= {"tag": None} if "tag" in fields else {}
        fields |= {"description": ""} if all_marks and "description" in fields else {}
        keeps = r.kind in ("keypair", "server_group") or not all_marks
        name = "203.0.113.9" if all_marks and r.kind == "floating_ip" else r.name
        made.append(replace(r, fields=fields, owner=r.owner if keeps else "", name=name))
    return made


class TestOurs:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_a_plan_of_what_is_found_changes_nothing(self, shape: str) -> None:
        before = cluster(*SHAPES[shape])
        found = taken("demo", "sandbox", snapshot(live(before)), {}, Choice(), GUESSES)
        assert (found.left, found.suspended) == ((), "")
        after = found.desired.cluster
        assert infrastructure(after) == infrastructure(before)
        assert "ignore:" not in found.text
        assert after.spec.ssh == before.spec.ssh
        wanted = [r for r in infrastructure(before) if r.kind != "member" or r.name]
        assert len([a for a in found.live if "associate" not in a]) == len(wanted)

    @pytest.mark.parametrize("all_marks", [False, True])
    @pytest.mark.parametrize("shape", ["as it is", "rules", "a gap", "their router"])
    def test_what_lost_its_marks_is_left_so(self, shape: str, all_marks: bool) -> None:
        before = cluster(*SHAPES[shape])
        found = taken("demo", "sandbox", snapshot(stripped(live(before), all_marks=all_marks)), {}, Choice(), GUESSES)
        assert infrastructure(found.desired.cluster) == infrastructure(before)
        assert {d.cls.value for d in found.left} == {"ignored"}
        assert found.suspended == ""
        assert {d.field.partition(".")[0] for d in found.left} <= {"tag", "description", "metadata"}
        assert len(found.text.partition("ignore:")[2].split("- component")) <= 6, "one rule a field, not one a resource"

    def test_a_rule_that_access_cannot_say_is_left_alone(self) -> None:
        fields: dict[str, Value] = {
            "security_group": "demo-cluster",
            "direction": "egress",
            "ethertype": "IPv4",
            "protocol": "tcp",
            "port_min": 25,
            "port_max": 25,
            "remote_ip_prefix": "192.0.2.9/32",
            "remote_group": None,
        }
        odd = Resource("security_group_rule", rule_name(fields), fields, "odd", "demo")
        found = taken("demo", "sandbox", snapshot([*live(cluster()), odd]), {}, Choice(), GUESSES)
        assert [(d.key.name, d.cls.value) for d in found.left] == [(odd.name, "ignored")]
        assert found.suspended == ""

    @pytest.mark.parametrize(
        ("git", "own"),
        [
            (("egress", "IPv4", None, None), {"remote_ip_prefix": "0.0.0.0/0"}),
            (("ingress", "IPv4", "tcp", "0.0.0.0/0"), {"remote_ip_prefix": None}),
            (("ingress", "IPv6", "tcp", "::/0"), {"remote_ip_prefix": None, "protocol": "6"}),
            (("ingress", "IPv4", "udp", "192.0.2.0/24"), {"protocol": "17", "remote_ip_prefix": "192.0.2.7/24"}),
        ],
    )
    def test_a_rule_that_is_written_otherwise_is_the_same_rule(self, git: Any, own: dict[str, Value]) -> None:
        web = "{name: w, ports: '80', from: [0.0.0.0/0, '::/0']}"
        other = "{name: u, protocol: udp, ports: '9', from: [192.0.2.0/24]}"
        before = cluster(("  access:\n", f"  access:\n    rules: [{web}, {other}]\n"))
        way = ("direction", "ethertype", "protocol")

        def otherwise(r: Resource) -> Resource:
            meant = r.kind == "security_group_rule" and r.fields["port_min"] in (None, 80, 9)
            if not meant or tuple(r.fields[f] for f in (*way, "remote_ip_prefix")) != git:
                return r
            fields = {**r.fields, **own}
            return replace(r, fields=fields, name=rule_name(fields))

        there = [otherwise(r) for r in live(before)]
        (odd,) = (r for r in there if r.name not in {w.name for w in infrastructure(before)})
        found = taken("demo", "sandbox", snapshot(there), {}, Choice(), GUESSES)
        assert (found.left, found.suspended) == ((), "")
        assert odd.id in found.live.values()
        told = as_made(infrastructure(found.desired.cluster), found.there)
        written = [r.fields for r in told if r.kind == "security_group_rule"]
        assert {**odd.fields} in [dict(fields) for fields in written]

    def test_an_image_goes_to_terraform_by_its_id(self) -> None:
        there = [replace(r, fields={**r.fields, IMAGE_ID: "b1"}) if r.kind == "server" else r for r in live(cluster())]
        found = taken("demo", "sandbox", snapshot(there), {}, Choice(), GUESSES)
        told = as_made(infrastructure(found.desired.cluster), found.there)
        assert {r.fields[IMAGE_ID] for r in told if r.kind == "server"} == {"b1"}

    def test_one_machine_of_another_flavor_keeps_it(self) -> None:
        there = [
            replace(r, fields={**r.fields, "flavor": "m9.huge"})
            if (r.kind, r.name) == ("server", "demo-worker-2")
            else r
            for r in live(cluster(("count: 2", "count: 3")))
        ]
        found = taken("demo", "sandbox", snapshot(there), {}, Choice(), GUESSES)
        assert [(d.key.name, d.field, d.live) for d in found.left] == [("demo-worker-2", "flavor", "m9.huge")]
        assert found.suspended == ""
        assert "demo-worker-2: its flavor is not that of the rest" in found.text

    def test_what_an_apply_would_make_begins_suspended(self) -> None:
        there = [r for r in live(cluster()) if r.kind != "server_group"]
        found = taken("demo", "sandbox", snapshot(there), {}, Choice(), GUESSES)
        assert {d.cls.value for d in found.left} == {"ignored"}
        assert found.desired.cluster.spec.suspend

    def test_two_masters_can_not_be_said(self) -> None:
        there = [r for r in live(cluster(("    count: 1\n", "    count: 3\n"))) if "demo-cp-3" not in r.name]
        found = taken("demo", "sandbox", snapshot(there), {}, Choice(), GUESSES)
        assert found.desired.cluster.spec.suspend
        assert "etcd needs 1, 3 or 5 machines" in found.text

    def test_defaults_of_the_fleet_do_not_change_what_runs(self) -> None:
        said = "spec: {defaults: {access: {nodePorts: [192.0.2.0/24]}}}"
        fleet = "\n".join(("apiVersion: research.moc/v1alpha1", "kind: Fleet", "metadata: {name: f}", said)).encode()
        found = taken("demo", "sandbox", snapshot(live(cluster())), {"desired/fleet.yaml": fleet}, Choice(), GUESSES)
        assert {d.cls.value for d in found.left} <= {"ignored"}

    def test_names_from_a_cloud_end_no_comment(self) -> None:
        there = [
            replace(r, fields={**r.fields, "flavor": "x\n  suspend: [\u2028evil"}) if r.name == "demo-worker-2" else r
            for r in live(cluster(("count: 2", "count: 3")))
        ]
        found = taken("demo", "sandbox", snapshot(there), {}, Choice(), GUESSES)
        assert not found.desired.cluster.spec.suspend


class TestUnknown:
    @pytest.mark.parametrize("kind", ["server", "port", "security_group_rule", "floating_ip"])
    def test_what_could_not_be_listed_is_not_taken_for_missing(self, kind: str) -> None:
        with pytest.raises(Transient, match=f"{kind} could not be listed: no answer"):
            taken("demo", "sandbox", snapshot(live(cluster()), **{kind: "no answer"}), {}, Choice(), GUESSES)

    def test_a_cloud_without_load_balancers_is_fine(self) -> None:
        assert (
            taken("demo", "sandbox", snapshot(live(cluster()), load_balancer="none"), {}, Choice(), GUESSES).left == ()
        )


ON_LAB: dict[str, Value] = {"network": "lab", "subnet": "lab-sub", "security_groups": ("default",)}


class TestForeign:
    MADE = (
        *(
            Resource("server", name, {"flavor": "m1.small", "image": "Rocky-9", "keypair": "ada"}, name)
            for name in ("kube-master", "web-1", "web-2", "other")
        ),
        *(
            Resource(
                "port",
                "",
                {"server": name, "network": "lab", "subnet": "lab-sub", "security_groups": ("default",)},
                name,
            )
            for name in ("kube-master", "web-1", "web-2")
        ),
        Resource("network", "lab", {}, "n"),
        Resource("subnet", "lab-sub", {"network": "lab", "cidr": "10.77.0.0/24"}, "s"),
        Resource("router", "campus", {"external_network": "public"}, "r"),
        Resource("keypair", "ada", {"public_key": KEY}, "ada"),
    )

    def test_it_is_described_and_left_alone(self) -> None:
        found = taken("lab", "sandbox", snapshot(self.MADE), {}, Choice(network="lab"), Guesses(kubernetes="1.36.3"))
        spec = found.desired.cluster.spec
        assert (spec.suspend, [i.component for i in spec.ignore]) == (True, ["infrastructure", "kubernetes"])
        assert spec.network.existing is not None
        assert (spec.network.existing.network, spec.network.existing.cidr) == ("lab", "10.77.0.0/24")
        assert (spec.network.external_network, spec.ssh.user, spec.ssh.public_key) == ("public", "rocky", KEY)
        assert [(g.name, g.count, g.security_groups) for g in spec.node_groups] == [("web", 2, ("default",))]
        assert found.live == {}
        assert "the machines are called kube-master, web-1, web-2" in found.text

    def test_by_their_names(self) -> None:
        found = taken("lab", "sandbox", snapshot(self.MADE), {}, Choice(servers=("web-*",)), GUESSES)
        assert "which machines are the control plane is not told" in found.text

    def test_who_says_nothing_is_told_what_there_is(self) -> None:
        there = [*self.MADE, *live(cluster())]
        with pytest.raises(Undecided, match="no machine of cloud 'sandbox' is cluster 'lab'") as told:
            taken("lab", "sandbox", snapshot(there), {}, Choice(), GUESSES)
        hint = told.value.hint or ""
        assert "clusters that machines name: demo" in hint
        assert "3 on the network lab: --network lab" in hint
        assert ("2 called web…: --servers 'web*'", Choice(servers=("web*",))) in told.value.choices

    def test_another_clusters_machines_are_not_taken(self) -> None:
        with pytest.raises(Undecided):
            taken("lab", "sandbox", snapshot(live(cluster())), {}, Choice(servers=("demo-*",)), GUESSES)

    def test_an_empty_project(self) -> None:
        with pytest.raises(Undecided) as told:
            taken("lab", "sandbox", snapshot([]), {}, Choice(), GUESSES)
        assert "there is no machine in this project" in (told.value.hint or "")
