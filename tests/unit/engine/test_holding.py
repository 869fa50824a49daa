"""What a guard holds, and what goes on beside it; and what a later plan of a cycle has to ask again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reconciler.engine.decision import decide
from reconciler.engine.holding import grant
from reconciler.model.desired import Guards, Maintenance
from reconciler.model.desired.policy import Window
from reconciler.model.guest import Guest
from reconciler.model.plan import Plan
from reconciler.model.quota import Allotment
from reconciler.model.resource import Observed, Unknown

from .test_cases import KUBE, approval, question, said

RULE = ["  access:\n", "  access:\n    rules: [{name: web, ports: '8080', from: [198.51.100.0/24]}]\n"]
NEW_RULE = "infrastructure terraform apply: security_group_rule demo-node ingress IPv4 tcp 8080 from 198.51.100.0/24"
THREE = ["count: 1", "count: 3"]
NEWER = ["version: 1.36.3", "version: 1.36.4"]


SATURDAY = Maintenance(windows=(Window(days=("sat",), start="22:00", hours=1),))


def decided(case: dict[str, Any], sessions: Sequence[str] = (), **more: Any) -> Plan:
    asked = question(case)
    facts = replace(asked.facts, sessions=dict.fromkeys(sessions, ("ada/notebook",)), **more)
    return decide(replace(asked, facts=facts))


def steps(plan: Plan, *, held: bool) -> list[str]:
    return [said(s) for s in plan.steps if s.held is held]


def old(*names: str) -> list[dict[str, Any]]:
    return [{"change": f"node {name}", "fields": {"version": "1.36.2"}} for name in names]


class TestSessions:
    def test_a_machine_with_a_session_stays_with_its_node_and_another_one_goes(self) -> None:
        case = {"desired": [["count: 2", "count: 1"], RULE], "applied": [["count: 2", "count: 3"]]}
        made = decided(case, ["demo-worker-3"])
        assert [(r.guard, r.partial) for r in made.refusals] == [("sessions", True)]
        assert steps(made, held=True) == [
            "kubernetes kubespray remove-node.yml: demo-worker-3",
            "infrastructure terraform apply: port demo-worker-3, server demo-worker-3",
        ]
        free = steps(made, held=False)
        assert free[0] == "kubernetes kubespray remove-node.yml: demo-worker-2"
        assert "server demo-worker-2" in free[1]
        assert "tcp 8080" in free[1]
        assert "demo-worker-3" not in free[1]

    def test_an_approval_of_what_waits_is_enough(self) -> None:
        case = {"desired": [["count: 2", "count: 1"], RULE], "applied": []}
        first = decided(case, ["demo-worker-2"])
        digest = replace(first, steps=tuple(s for s in first.steps if s.held)).digest
        limits = Guards(approvals=(approval(True, digest),))
        assert decided(case, ["demo-worker-2"], limits=limits).refusals == ()

    def test_workers_without_a_session_are_upgraded(self) -> None:
        made = decided({"but": old("demo-worker-1", "demo-worker-2")}, ["demo-worker-2"])
        assert steps(made, held=False) == ["kubernetes kubespray upgrade-cluster.yml --limit: demo-worker-1"]
        assert steps(made, held=True) == ["kubernetes kubespray upgrade-cluster.yml --limit: demo-worker-2"]

    def test_an_upgrade_of_the_control_plane_waits_whole_and_nobody_joins_before_it(self) -> None:
        but = [*old("demo-cp-1", "demo-worker-1"), {"delete": "node demo-worker-2"}]
        made = decided({"desired": [RULE], "applied": [], "but": but}, ["demo-worker-1"])
        assert steps(made, held=False) == [NEW_RULE]
        assert steps(made, held=True) == [
            "kubernetes kubespray upgrade-cluster.yml: demo-cp-1, demo-worker-1",
            "kubernetes kubespray scale.yml: demo-worker-2",
        ]

    def test_a_reboot_waits_and_what_else_there_is_does_not(self) -> None:
        ill = {"ready": False, "not_ready_since": "2026-11-24T10:00:00Z"}
        but = [{"change": "node demo-worker-1", "fields": ill}]
        made = decided({"desired": [RULE], "applied": [], "but": but}, ["demo-worker-1"])
        assert steps(made, held=False) == [NEW_RULE]
        assert steps(made, held=True) == ["kubernetes openstack reboot: demo-worker-1"]

    def test_another_flavor_waits(self) -> None:
        big = ["flavor: m1.large", "flavor: m1.huge"]
        made = decided({"desired": [big, RULE], "applied": []}, ["demo-worker-1"])
        assert steps(made, held=True) == ["infrastructure terraform apply: server demo-worker-1"]
        assert "server demo-worker-2" in steps(made, held=False)[0]


class TestRecovery:
    def test_no_playbook_runs_and_all_else_goes_on(self) -> None:
        case = {
            "desired": [THREE, RULE, ["count: 2", "count: 1"]],
            "applied": [THREE],
            "installed": ["demo-cp-1", "demo-cp-2", "demo-cp-3"],
            "but": [{"delete": "server demo-cp-2"}, {"change": "node demo-cp-2", "fields": {"ready": False}}],
        }
        made = decided(case)
        assert [(r.guard, r.partial) for r in made.refusals] == [("recovery", True)]
        (free,) = steps(made, held=False)
        assert "server demo-cp-2" in free
        assert "demo-worker-2" not in free
        assert steps(made, held=True) == [
            "kubernetes kubespray remove-node.yml: demo-worker-2",
            "infrastructure terraform apply: port demo-worker-2, server demo-worker-2",
            "kubernetes kubespray recover-control-plane.yml: demo-cp-2",
            "kubernetes kubespray cluster.yml: demo-cp-2",
        ]

    def test_nodes_are_not_left_without_the_load_balancer_that_they_know(self) -> None:
        balancer = ["  access:\n", "  apiLoadBalancer: {provider: ovn}\n  access:\n"]
        case = {
            "desired": [THREE],
            "applied": [THREE, balancer],
            "installed": ["demo-cp-1", "demo-cp-2", "demo-cp-3"],
            "but": [{"delete": "server demo-cp-2"}],
        }
        made = decided(case)
        assert "load_balancer" not in " ".join(steps(made, held=False))
        assert "load_balancer demo" in " ".join(steps(made, held=True))


class TestOthers:
    def test_a_volume_on_a_machine_keeps_that_machine_and_nothing_else(self) -> None:
        asked = question({"desired": [["count: 2", "count: 1"], RULE], "applied": []})
        guests = (Guest("a/db-0", "demo-worker-2", volumes=("a/data",), pinned=("a/data",)),)
        made = decide(replace(asked, observed=replace(asked.observed, guests=guests)))
        assert [(r.guard, r.partial) for r in made.refusals] == [("stateful-volumes", True)]
        assert steps(made, held=False) == [NEW_RULE]
        assert steps(made, held=True) == [
            "kubernetes kubespray remove-node.yml: demo-worker-2",
            "infrastructure terraform apply: port demo-worker-2, server demo-worker-2",
        ]

    def test_what_the_autoscaler_chose_goes_while_others_wait_for_the_window(self) -> None:
        case = {
            "desired": [["count: 2", "count: 1"]],
            "applied": [["count: 2", "count: 3"]],
            "decided": ["id of server demo-worker-3"],
        }
        made = decided(case, maintenance=SATURDAY)
        assert [(r.guard, r.partial) for r in made.refusals] == [("maintenance-window", True)]
        assert steps(made, held=False)[0] == "kubernetes kubespray remove-node.yml: demo-worker-3"
        assert steps(made, held=True)[0] == "kubernetes kubespray remove-node.yml: demo-worker-2"

    def test_nobody_joins_behind_an_upgrade_that_waits_for_the_window(self) -> None:
        but = [*old("demo-cp-1"), {"delete": "node demo-worker-2"}]
        made = decided({"desired": [RULE], "applied": [], "but": but}, maintenance=SATURDAY)
        assert steps(made, held=False) == [NEW_RULE]


class TestAbsent:
    """A machine that can't be made joins nothing."""

    ETCD = "  etcd: {count: 3, flavor: m1.etcd}\n  nodeGroups:\n"

    def test_a_member_of_etcd_whose_flavor_is_gone_starts_no_playbook(self) -> None:
        small = ["  nodeGroups:\n", self.ETCD.replace("3", "1")]
        case = {
            "desired": [["  nodeGroups:\n", self.ETCD]],
            "applied": [small],
            "installed": ["demo-cp-1", "demo-etcd-1"],
        }
        asked = question(case)
        assert any(s.operation == "cluster.yml" for s in decide(asked).steps)
        missing = {("flavor", "m1.etcd"): "the cloud has no flavor 'm1.etcd'"}
        assert [said(s) for s in decide(replace(asked, missing=missing)).steps if s.component is KUBE] == []

    def test_neither_does_one_that_there_is_no_room_for(self) -> None:
        small = ["  nodeGroups:\n", self.ETCD.replace("3", "1")]
        case = {
            "desired": [["  nodeGroups:\n", self.ETCD], RULE],
            "applied": [small],
            "installed": ["demo-cp-1", "demo-etcd-1"],
        }
        made = decide(replace(question(case), quota={"instances": Allotment(4, 4)}))
        assert steps(made, held=False) == [NEW_RULE]
        assert [r.guard for r in made.refusals] == ["quota"]


class TestRoom:
    """What leans on what there is no room for waits with it: Terraform would make that first."""

    def test_no_server_group_holds_the_machines_of_that_group(self) -> None:
        gpu = ["  access:\n", "    - {name: gpu, count: 1, flavor: g1}\n  access:\n    nodePorts: [192.0.2.0/24]\n"]
        case = {"desired": [gpu], "applied": []}
        made = decide(replace(question(case), quota={"server_groups": Allotment(10, 10)}))
        (refusal,) = made.refusals
        assert refusal.message == "the project has no room for it: server groups: 1 asked, 10 used, limit 10"
        assert "gpu" not in " ".join(steps(made, held=False))
        assert "demo-node ingress" in " ".join(steps(made, held=False))
        assert "port demo-gpu-1, server demo-gpu-1, server_group demo-gpu" in steps(made, held=True)[0]
        assert steps(made, held=True)[1:] == ["kubernetes kubespray scale.yml: demo-gpu-1"]

    def test_no_security_group_holds_the_bastion_that_joins_it(self) -> None:
        bastion = ["  access:\n", "  bastion: {flavor: m1.small}\n  access:\n    nodePorts: [192.0.2.0/24]\n"]
        made = decide(
            replace(question({"desired": [bastion], "applied": []}), quota={"security_groups": Allotment(9, 9)})
        )
        assert "bastion" not in " ".join(steps(made, held=False))
        assert "security_group demo-bastion" in steps(made, held=True)[0]

    def test_no_subnet_holds_the_addresses_on_it(self) -> None:
        ipv6 = ["cidr: 10.20.0.0/24\n", "cidr: 10.20.0.0/24\n    ipv6: {cidr: 2001:db8::/64}\n"]
        case = {"desired": [ipv6, RULE], "applied": []}
        made = decide(replace(question(case), quota={"subnets": Allotment(1, 1)}))
        assert "ipv6" not in " ".join(steps(made, held=False))
        assert "tcp 8080" in " ".join(steps(made, held=False))
        assert not any("openstack join" in s for s in steps(made, held=False))

    def test_no_load_balancer_holds_its_parts_and_its_address(self) -> None:
        balancer = ["  access:\n", "  apiLoadBalancer: {floatingIp: false}\n  access:\n"]
        case = {"desired": [balancer, RULE], "applied": []}
        made = decide(replace(question(case), quota={"load_balancers": Allotment(1, 1)}))
        (refusal,) = made.refusals
        assert refusal.message.endswith("load balancers: 1 asked, 1 used, limit 1")
        (held, *others) = steps(made, held=True)
        assert all(f"{kind} demo" in held for kind in ("load_balancer", "listener", "pool", "monitor", "member"))
        free = " ".join(steps(made, held=False))
        assert "tcp 8080" in free
        assert not any(kind in free for kind in ("listener", "pool", "monitor", "member", "cluster.yml"))
        assert all("cluster.yml" in other for other in others)


class TestGranted:
    """The API does not answer at first; when it does, there is an upgrade that nobody asked the guards about."""

    def asked(self, **facts: Any) -> Any:
        asked = question({"desired": [RULE], "applied": [], "but": old("demo-worker-1")})
        return replace(asked, facts=replace(asked.facts, **facts))

    def first(self, asked: Any) -> Any:
        kinds = dict(asked.observed.components)
        kinds[KUBE] = {"node": Unknown("does not answer")}
        return grant(decide(replace(asked, observed=Observed(kinds))))

    def test_sessions_are_asked_about_all_the_same(self) -> None:
        asked = self.asked(sessions={"demo-worker-1": ("ada/notebook",)})
        later = decide(replace(asked, granted=self.first(asked)))
        assert [r.guard for r in later.refusals] == ["sessions"]

    def test_so_is_the_window(self) -> None:
        asked = self.asked(maintenance=SATURDAY)
        later = decide(replace(asked, granted=self.first(asked)))
        assert [r.guard for r in later.refusals] == ["maintenance-window"]

    def test_what_the_first_plan_did_is_not_asked_about_again(self) -> None:
        asked = self.asked(sessions={"demo-worker-1": ("ada/notebook",)})
        yes = replace(asked, facts=replace(asked.facts, limits=Guards.model_validate({"maxEndedSessions": 5})))
        assert decide(replace(asked, granted=grant(decide(yes)))).refusals == ()
