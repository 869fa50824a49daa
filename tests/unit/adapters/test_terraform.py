"""The Terraform adapter's pure parts: what a plan may do, what a failure means, what is shown, what lies on disk."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from reconciler import interrupt
from reconciler.adapters.terraform import documents, folder, unread
from reconciler.adapters.terraform.failure import failure
from reconciler.adapters.terraform.plan import Plan
from reconciler.adapters.terraform.program import Program
from reconciler.adapters.terraform.stream import Follower
from reconciler.errors import Blocked, Permanent, Transient
from reconciler.ports import Task, Workspace
from reconciler.process import Completed, Redactor

SERVER = 'openstack_compute_instance_v2.server["demo-worker-1"]'


def change(*actions: str, address: str = SERVER, **rest: Any) -> dict[str, Any]:
    what = {"actions": list(actions), "before": {}, "after": {}} | rest.pop("change", {})
    return {"address": address, "mode": "managed", "type": address.partition(".")[0], "change": what} | rest


def plan(*changes: Mapping[str, Any]) -> Plan:
    return Plan.of(documents.plan(json.dumps({"resource_changes": list(changes)})), changes=True)


class Spoken:
    """Progress and its one task, remembering everything."""

    def __init__(self) -> None:
        self.logged: list[str] = []
        self.states: list[str] = []
        self.done = 0.0

    def log(self, text: str) -> None:
        self.logged.append(text)

    @contextlib.contextmanager
    def task(self, title: str) -> Iterator[Task]:
        yield self

    def total(self, units: float) -> None: ...

    def advance(self, units: float = 1) -> None:
        self.done += units

    def status(self, text: str) -> None:
        self.states.append(text)


class TestPlan:
    @pytest.mark.parametrize(
        ("refused", "why"),
        [
            (change("delete"), "deleted"),
            (change("delete", "create", change={"replace_paths": [["network", 0]]}), "replaced because of network"),
            (change("create", "delete"), "replaced"),
            (change("update", change={"before": {"image_id": "a"}, "after": {"image_id": "b"}}), "rebuilt"),
        ],
    )
    def test_what_loses_something_needs_leave(self, refused: Mapping[str, Any], why: str) -> None:
        with pytest.raises(Blocked) as caught:
            plan(refused).check(frozenset({'openstack_compute_instance_v2.server["demo-worker-2"]'}))
        assert SERVER in caught.value.message
        assert why in caught.value.message
        plan(refused).check(frozenset({SERVER}))

    @pytest.mark.parametrize(
        "harmless",
        [
            change("create"),
            change("no-op"),
            change(
                "update", change={"before": {"image_id": "a", "name": "x"}, "after": {"image_id": "a", "name": "y"}}
            ),
            change("delete", "create", action_reason="replace_because_tainted"),
            change("delete", address='openstack_networking_floatingip_associate_v2.server["demo-cp-1"]'),
            change("read", address="data.x.y", mode="data"),
        ],
    )
    def test_the_rest_goes_through(self, harmless: Mapping[str, Any]) -> None:
        plan(harmless).check(frozenset())

    def test_every_refused_address_is_named(self) -> None:
        with pytest.raises(Blocked) as caught:
            plan(change("delete", address="a.b"), change("delete", address="a.c")).check(frozenset())
        assert "a.b (deleted), a.c (deleted)" in caught.value.message

    def test_a_replacement_counts_twice_and_is_no_creation(self) -> None:
        made = plan(change("delete", "create"), change("create", address="a.b"), change("no-op", address="a.c"))
        assert made.operations == 3
        assert made.creates == {"a.b"}


class TestProgress:
    @staticmethod
    def message(kind: str, action: str, seconds: int | None = None, key: str | None = "demo-worker-1") -> str:
        resource = {"resource_type": "openstack_compute_instance_v2", "resource_key": key}
        hook: dict[str, Any] = {"resource": resource, "action": action}
        return json.dumps({"type": kind, "hook": hook | ({} if seconds is None else {"elapsed_seconds": seconds})})

    def test_one_line_stays_for_a_finished_resource(self) -> None:
        seen = Spoken()
        follow = Follower(seen, seen)
        follow(self.message("apply_start", "create"))
        follow(self.message("apply_progress", "create", 10))
        follow(self.message("apply_complete", "create", 12))
        assert seen.states == ["creating server demo-worker-1"] * 2
        assert seen.logged == ["created server demo-worker-1 (12 s)"]
        assert seen.done == 1

    def test_a_failed_resource_is_no_progress(self) -> None:
        seen = Spoken()
        Follower(seen, seen)(self.message("apply_errored", "delete", 3, None))
        assert (seen.logged, seen.done) == (["failed while deleting server (3 s)"], 0)

    @pytest.mark.parametrize("line", ["", "not json", "[]", '{"type": "version"}', '{"type": "outputs", "hook": null}'])
    def test_other_lines_pass_by(self, line: str) -> None:
        seen = Spoken()
        Follower(seen, seen)(line)
        assert (seen.logged, seen.states, seen.done) == ([], [], 0)

    def test_data_that_is_read_while_applying_does_not_count(self) -> None:
        seen = Spoken()
        Follower(seen, seen)(self.message("apply_complete", "read", 1))
        assert (seen.logged, seen.done) == ([], 0)


class TestFailure:
    @staticmethod
    def failed(
        summary: str, detail: str = "", address: str | None = SERVER, count: int = 1, code: int = 1
    ) -> Completed:
        said = {"severity": "error", "summary": summary, "detail": detail} | ({"address": address} if address else {})
        line = json.dumps({"@message": summary, "type": "diagnostic", "diagnostic": said})
        return Completed("/opt/bin/tofu apply plan.bin", code, "\n".join([line] * count), "", 1.0)

    @pytest.mark.parametrize(
        ("summary", "error", "hint"),
        [
            ("Error creating OpenStack network client: Authentication failed", Permanent, "credential"),
            ("dial tcp 127.0.0.1:1: connect: connection refused", Transient, "next cycle"),
            ("Your query returned no results. Please change your search criteria", Permanent, "flavor"),
            ("unexpected state 'ERROR', wanted target 'ACTIVE'", Permanent, "openstack server show"),
            ("got 409 instead: Invalid power_state for instance 0b1c: SUSPENDED", Permanent, "openstack server resume"),
            ("Cannot 'resize' instance 0b1c while it is in vm_state paused", Permanent, "unpause"),
            ("got 409 instead: Instance 0b1c is locked", Permanent, "openstack server unlock"),
            ("got 409 instead: Security group rule already exists. Rule id is 1.", Permanent, "in other words"),
            ("got 409 instead: the resource is busy", Transient, "still busy"),
            ("Error acquiring the state lock", Transient, "Another run"),
            ("got 503 instead", Transient, "next cycle"),
            ("got 500 instead: database is locked", Transient, "next cycle"),
            ("cloud nope does not exist in clouds.yaml", Permanent, "clouds.yaml"),
            ("Cannot import non-existent remote object", Transient, "deleted"),
        ],
    )
    def test_known_causes_have_a_type_and_a_hint(self, summary: str, error: type[Exception], hint: str) -> None:
        raised = failure(self.failed(summary), Redactor())
        assert type(raised) is error
        assert hint in (raised.hint or "")

    def test_what_the_api_said_beats_how_the_provider_wraps_it(self) -> None:
        raised = failure(
            self.failed(
                "Error creating OpenStack server: Expected HTTP response code [201 202] when accessing "
                "[POST http://127.0.0.1/v2.1/servers], but got 403 instead\n"
                '{"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1"}}'
            ),
            Redactor(),
        )
        assert raised.message == f"{SERVER}: Error creating OpenStack server: Quota exceeded for instances: Requested 1"
        assert isinstance(raised, Permanent)
        assert "quota" in (raised.hint or "")

    def test_where_the_provider_has_no_word_of_novas_none_is_made_up(self) -> None:
        said = "Error waiting for instance (0b1c) to become ready: unexpected state 'ERROR', wanted target 'ACTIVE'"
        raised = failure(self.failed(f"{said}. last error: %!s(<nil>)"), Redactor())
        assert raised.message == f"{SERVER}: {said}"

    def test_the_others_are_counted_and_kept_as_evidence(self) -> None:
        raised = failure(self.failed("Something odd", "for a reason", None, count=3), Redactor())
        assert raised.message == "Something odd: for a reason (and 2 more)"
        assert raised.evidence is not None
        assert raised.evidence.last_lines.count("Something odd") == 3

    def test_a_secret_that_json_spells_otherwise_is_hidden(self) -> None:
        raised = failure(self.failed('refused: pa"ss<word'), Redactor(['pa"ss<word']))
        assert "pa" not in raised.message.removeprefix(SERVER)
        assert raised.evidence is not None
        assert "word" not in str(raised.evidence)

    def test_a_provider_that_prints_a_structure_is_cut_short(self) -> None:
        said = (
            "sid/web failed to run apply: Deployment exceeded its progress deadline: &DeploymentCondition{Type:Prog,}"
        )
        raised = failure(self.failed(said, address="kubectl_manifest.object"), Redactor())
        assert raised.message.endswith("Deployment exceeded its progress deadline")
        assert "pod" in (raised.hint or "")

    def test_init_speaks_plainly(self) -> None:
        stderr = "\n╷\n│ Error: Failed to query available provider packages\n│ \n│ Could not find it\n╵\n"
        raised = failure(Completed("tofu init", 1, "Initializing...\n", stderr, 1.0), Redactor())
        assert raised.message == "Failed to query available provider packages: Could not find it"
        assert "mirror" in (raised.hint or "")

    def test_a_killed_run_may_be_tried_again(self) -> None:
        raised = failure(self.failed("whatever", code=-9), Redactor())
        assert isinstance(raised, Transient)
        assert "signal 9" in raised.message

    def test_a_silent_failure_still_says_something(self) -> None:
        assert (
            failure(Completed("/bin/tofu plan", 1, "", "", 1.0), Redactor()).message == "tofu failed with exit code 1"
        )


class TestFolder:
    @staticmethod
    def workspace(root: Path, **module: bytes) -> Workspace:
        files = {name.replace("_", "."): content for name, content in module.items()}
        return Workspace(root / "ws", files, {"cluster": "demo"}, {}, {}, frozenset())

    def test_only_the_modules_files_are_there_and_only_we_may_read_them(self, tmp_path: Path) -> None:
        folder.write(self.workspace(tmp_path, main_tf=b"1", old_tf=b"2"))
        (tmp_path / "ws/.terraform/modules").mkdir(parents=True)
        (tmp_path / "ws/.terraform/modules/kept.tf").write_bytes(b"")
        (tmp_path / "ws/terraform.tfstate").write_bytes(b"state")
        folder.write_imports(tmp_path / "ws", {"a.b": "1"})
        folder.write(self.workspace(tmp_path, main_tf=b"3", terraform_tfstate=b"not theirs to bring"))
        root = tmp_path / "ws"
        assert {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()} == {
            "main.tf": b"3",
            "reconciler.auto.tfvars.json": b'{\n  "cluster": "demo"\n}\n',
            "terraform.tfstate": b"state",
            ".terraform/modules/kept.tf": b"",
        }
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        assert stat.S_IMODE((root / "main.tf").stat().st_mode) == 0o600

    def test_a_file_that_is_right_is_not_written_again(self, tmp_path: Path) -> None:
        folder.write(self.workspace(tmp_path, main_tf=b"1"))
        before = (tmp_path / "ws/main.tf").stat().st_ino
        folder.write(self.workspace(tmp_path, main_tf=b"1"))
        assert (tmp_path / "ws/main.tf").stat().st_ino == before

    def test_an_import_names_address_and_id(self, tmp_path: Path) -> None:
        folder.write_imports(tmp_path, {SERVER: "42"})
        assert json.loads((tmp_path / "imports.tf.json").read_text()) == {"import": [{"to": SERVER, "id": "42"}]}

    def test_what_one_run_needed_is_gone_and_the_state_is_closed(self, tmp_path: Path) -> None:
        for name in ("plan.bin", "imports.tf.json", "terraform.tfstate"):
            (tmp_path / name).write_text("x")
        folder.tidy(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["terraform.tfstate"]
        assert stat.S_IMODE((tmp_path / "terraform.tfstate").stat().st_mode) == 0o600

    def test_providers_are_asked_for_again_only_when_something_changed(self, tmp_path: Path) -> None:
        work = self.workspace(tmp_path, versions_tf=b"required_providers {}", main_tf=b"1")
        folder.write(work)
        wanted = folder.providers_wanted(work, Path("/bin/tofu"), None)
        assert not folder.providers_ready(work.directory, wanted)
        folder.mark_ready(work.directory, wanted)
        (work.directory / ".terraform.lock.hcl").write_text("")
        assert folder.providers_ready(work.directory, wanted)
        other = self.workspace(tmp_path, versions_tf=b"required_providers {}", main_tf=b"2")
        assert folder.providers_wanted(other, Path("/bin/tofu"), None) == wanted
        newer = self.workspace(tmp_path, versions_tf=b"required_providers { newer }")
        assert folder.providers_wanted(newer, Path("/bin/tofu"), None) != wanted
        assert folder.providers_wanted(work, Path("/bin/terraform"), None) != wanted
        (work.directory / ".terraform/providers").mkdir()
        (work.directory / ".terraform/providers/mirrored").symlink_to(tmp_path / "cleaned-away")
        assert not folder.providers_ready(work.directory, wanted)


class TestState:
    GOOD = json.dumps(
        {
            "version": 4,
            "resources": [
                {"mode": "data", "type": "d", "name": "x", "instances": [{}]},
                {"mode": "managed", "type": "t", "name": "one", "instances": [{}]},
                {"mode": "managed", "type": "t", "name": "many", "instances": [{"index_key": "a b"}, {"index_key": 0}]},
                {"mode": "managed", "module": "module.m", "type": "t", "name": "in", "instances": [{}]},
            ],
        }
    )

    def test_addresses(self, tmp_path: Path) -> None:
        assert folder.addresses(folder.read(tmp_path)) == set()
        (tmp_path / "terraform.tfstate").write_text(self.GOOD)
        assert folder.addresses(folder.read(tmp_path)) == {"t.one", 't.many["a b"]', "t.many[0]", "module.m.t.in"}

    @pytest.mark.parametrize("state", [None, GOOD])
    def test_what_is_well_is_left_alone(self, tmp_path: Path, state: str | None) -> None:
        if state:
            (tmp_path / "terraform.tfstate").write_text(state)
        assert folder.mend_state(tmp_path) == ()

    @pytest.mark.parametrize("torn", ["", '{"version": 4, "resou', "[]"])
    def test_a_torn_state_goes_back_to_its_backup(self, tmp_path: Path, torn: str) -> None:
        (tmp_path / "terraform.tfstate").write_text(torn)
        (tmp_path / "terraform.tfstate.backup").write_text(self.GOOD)
        (note,) = folder.mend_state(tmp_path)
        assert "backup" in note
        assert (tmp_path / "terraform.tfstate").read_text() == self.GOOD
        assert (tmp_path / "terraform.tfstate.broken").read_text() == torn

    def test_a_first_run_that_was_cut_off_starts_from_what_is_live(self, tmp_path: Path) -> None:
        (tmp_path / "terraform.tfstate").write_text("")
        (note,) = folder.mend_state(tmp_path)
        assert "live" in note
        assert not (tmp_path / "terraform.tfstate").exists()

    def test_with_both_torn_somebody_has_to_look(self, tmp_path: Path) -> None:
        (tmp_path / "terraform.tfstate").write_text("x")
        (tmp_path / "terraform.tfstate.backup").write_text("y")
        with pytest.raises(Permanent) as caught:
            folder.mend_state(tmp_path)
        assert "imported" in (caught.value.hint or "")
        assert (tmp_path / "terraform.tfstate").read_text() == "x"


class TestUnread:
    SHOWN: ClassVar[dict[str, Any]] = {
        "resource_changes": [
            {
                "address": "a.b[0]",
                "mode": "managed",
                "change": {
                    "actions": ["update"],
                    "before": {"tags": [], "name": "x"},
                    "after": {"tags": ["t"], "name": "x"},
                    "after_unknown": {"all_tags": True},
                },
            },
            {
                "address": "a.b[1]",
                "mode": "managed",
                "change": {
                    "actions": ["update"],
                    "before": {"tags": [], "name": "x"},
                    "after": {"tags": ["t"], "name": "y"},
                },
            },
            {"address": "a.c", "mode": "managed", "change": {"actions": ["create"], "before": None, "after": {}}},
            {"address": "a.d", "mode": "managed", "change": {"actions": ["no-op"], "before": {}, "after": {}}},
            {"address": "data.a.e", "mode": "data", "change": {"actions": ["read"], "before": None, "after": {}}},
        ]
    }

    def test_what_only_was_not_read_back_is_told_from_what_differs(self) -> None:
        found = unread.changes(cast("documents.PlanDocument", self.SHOWN))
        assert [(c.address, dict(c.values), c.more) for c in found] == [
            ("a.b[0]", {"tags": ["t"]}, False),
            ("a.b[1]", {"tags": ["t"]}, True),
            ("a.c", {}, True),
        ]

    def test_the_state_is_told_at_its_place_and_counts_on(self) -> None:
        instances = [{"index_key": n, "attributes": {"tags": [], "name": "x"}} for n in (0, 1)]
        state = {"serial": 4, "resources": [{"type": "a", "name": "b", "mode": "managed", "instances": instances}]}
        told = unread.told(state, unread.changes(cast("documents.PlanDocument", self.SHOWN))[:1])
        assert told["serial"] == 5
        assert [i["attributes"] for i in told["resources"][0]["instances"]] == [
            {"tags": ["t"], "name": "x"},
            {"tags": [], "name": "x"},
        ]
        assert state["serial"] == 4


def test_imports_alone_ignore_every_other_change(tmp_path: Path) -> None:
    folder.write_imports(tmp_path, {'a.b["x"]': "1", 'a.b["y"]': "2", "a.c": "3"}, only=True)
    written = json.loads((tmp_path / "imports_override.tf.json").read_text())
    calm = {"lifecycle": {"ignore_changes": "all"}}
    assert written == {"resource": {"a": {"b": calm, "c": calm}}}
    folder.tidy(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_lost_the_lease_starts_no_command_that_writes_the_state(tmp_path: Path) -> None:
    program = Program(Path("/bin/false"), {}, 5, Redactor(), tmp_path)
    with interrupt.unless(lambda: "the lease was lost"), pytest.raises(Transient, match="the lease was lost"):
        program("state rm", None, "a.b")
