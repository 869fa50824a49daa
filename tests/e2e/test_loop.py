"""The whole loop: applied, agreed on by everybody else's tools, broken, reported, repaired, remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from reconciler.toolchain import Toolbox
from tests.e2e.world import PROJECT, World

pytestmark = pytest.mark.live


def test_terraform_itself_has_nothing_to_change(world: World, toolbox: Toolbox) -> None:
    for workspace in ("infrastructure", "applications-moc"):
        code, said = world.tofu_plan(toolbox, workspace)
        assert code == 0, said


def test_the_openstack_client_agrees_with_what_was_recorded(world: World) -> None:
    listed = json.loads(world.openstack("server", "list", "-f", "json"))
    theirs = {(s["Name"], s["ID"], s["Status"], s["Flavor"]) for s in listed if s["Name"].startswith("demo-")}
    recorded = world.observed()["components"]["infrastructure"]["server"]
    assert theirs == {(s["name"], s["id"], s["status"], s["flavor"]) for s in recorded}
    assert len(theirs) == 3


def test_every_desired_node_is_ready_and_knows_its_server(world: World) -> None:
    nodes = json.loads(world.kubectl("get", "nodes", "-o", "json"))["items"]
    ready = {
        n["metadata"]["name"]: n["spec"]["providerID"]
        for n in nodes
        if any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"])
    }
    assert ready == {name: f"openstack:///{id}" for name, id in world.servers().items()}


def test_the_wiring_reached_the_applications(world: World) -> None:
    config = json.loads(world.kubectl("-n", "sid-web", "get", "configmaps", "-o", "json"))["items"]
    values = {key: value for item in config for key, value in item.get("data", {}).items()}
    assert values["SID_API_URL"] == "https://api.sid.example.org"
    address = next(
        s["address"] for s in world.observed()["components"]["infrastructure"]["server"] if "cp" in s["name"]
    )
    assert values["SID_KUBERNETES_URL"] == f"https://{address}:6443"


def test_a_cycle_with_nothing_to_do_runs_nothing_and_commits_nothing(world: World, tmp_path: Path) -> None:
    before, commits = world.servers(), world.history()
    said = world.reconciler("run", "--once")
    assert said.code == 0, said.all
    assert "in sync" in said.out
    assert world.history() == commits
    assert world.servers() == before
    for word in ("terraform", "tofu", "ansible", "playbook"):
        assert word not in said.err.lower(), said.err


def test_the_no_op_check_starts_no_program_and_takes_under_a_second(world: World, tmp_path: Path) -> None:
    """The check itself is timed, in a process that has just started; what Python needs to load the SDKs is measured
    by the benchmark."""
    script = tmp_path / "check.py"
    script.write_text(
        textwrap.dedent(
            f"""\
            import sys, time, json
            from pathlib import Path
            started = []
            watched = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system")
            sys.addaudithook(lambda event, args: started.append(repr(args[:2])) if event in watched else None)
            from reconciler import settings
            from reconciler.app import App
            from reconciler.progress import QuietProgress
            from tests.slowness import burden
            app = App(settings.load(Path({str(world.config)!r})), Path({str(world.repo)!r}), QuietProgress())
            took = []
            while len(took) < 10 and min(took, default=9.0) >= 1.0:  # other tests use the machine too
                heavy, began = burden(), time.monotonic()
                state = app.at("HEAD")
                plan, _ = app.cycle(state, state.clusters[0]).check()
                took.append((time.monotonic() - began) / min(heavy, burden()))
            print(json.dumps({{"started": started, "took": took, "in_sync": plan.in_sync}}))
            """
        )
    )
    command, ours = [sys.executable, str(script)], {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=ours)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["started"] == []
    assert said["in_sync"]
    assert min(said["took"]) < 1.0, said["took"]


def test_what_people_break_is_named_with_severity_and_exactly_that_is_repaired(world: World) -> None:
    before = world.servers()
    pods = world.kubectl("-n", "sid", "get", "deploy", "backend", "-o", "jsonpath={.metadata.uid}")
    image = "{.spec.template.spec.containers[0].image}"
    wanted = world.kubectl("-n", "sid", "get", "deploy", "backend", "-o", f"jsonpath={image}")
    commits = world.history()

    world.mischief().delete_server("demo-worker-2")
    world.mischief().open_to_the_world("demo-control-plane", 22)
    world.kubectl("-n", "sid", "set", "image", "deployment/backend", "backend=example.org/miner:1")

    said = world.reconciler("drift", "demo", "-o", "json")
    assert said.code == 3, said.all
    (report,) = json.loads(said.out)
    found = {(f["resource"], f["field"], f["class"], f["severity"]) for f in report["findings"]}
    rule = "security_group_rule demo-control-plane ingress IPv4 tcp 22 from 0.0.0.0/0"
    assert (rule, "", "unmanaged", "critical") in found
    assert ("server demo-worker-2", "", "drift", "high") in found
    assert any(r == "Deployment sid/backend" and f.endswith(".image") and s == "high" for r, f, _, s in found)
    assert report["findings"][0]["resource"] == rule
    assert world.history() == commits, "looking must not write"

    said = world.reconciler("apply", "demo")
    assert said.code == 0, said.all
    after = world.servers()
    assert {name for name in after if after[name] != before.get(name)} == {"demo-worker-2"}
    assert world.kubectl("-n", "sid", "get", "deploy", "backend", "-o", "jsonpath={.metadata.uid}") == pods
    assert world.kubectl("-n", "sid", "get", "deploy", "backend", "-o", f"jsonpath={image}") == wanted
    rules = json.loads(world.openstack("security", "group", "rule", "list", "demo-control-plane", "-f", "json"))
    assert not [r for r in rules if r["Port Range"].startswith("22:")]
    assert world.reconciler("drift", "demo").code == 0

    assert len(world.history()) == len(commits) + 1
    assert world.history()[: len(commits)] == commits
    text = world.git("log", "-1", "--format=%B", "observed")
    assert "Desired-Commit:" in text
    assert "demo-worker-2" in world.git("show", "observed")


def test_growing_by_one_touches_one(world: World) -> None:
    before = world.servers()
    world.edit("count: 2", "count: 3")
    world.commit("one more worker")
    said = world.reconciler("apply", "demo")
    assert said.code == 0, said.all
    after = world.servers()
    assert {n: i for n, i in after.items() if n in before} == before
    assert set(after) - set(before) == {"demo-worker-3"}
    world.edit("count: 3", "count: 2")
    world.commit("and one less")
    said = world.reconciler("apply", "demo")
    assert said.code == 0, said.all
    assert world.servers() == before
    assert "demo-worker-3" not in world.kubectl("get", "nodes")
