"""Whatever comes from git, a cloud or a machine is text to a real Ansible, and runs nothing on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubespray import Kubespray
from reconciler.errors import Permanent
from reconciler.ports import Playbook
from tests.contract.test_kubespray_adapter import STATE, Hosts, Shown, hosts, make, playbooks
from tests.unit.spec.test_kubeconfig import kubeadms, text

pytestmark = pytest.mark.live
__all__ = ["hosts", "make", "playbooks"]  # fixtures

# Every way in which a playbook passes a value on before it is used: variables of variables, facts, filters that make
# new texts of one, lookups, loops, templates.
USES = """
- name: Use what is given in every way
  hosts: "{{ node | default('all') }}"
  gather_facts: false
  serial: "{{ batch | default('100%') }}"
  vars:
    lazy: "{{ hostile }}"
    lazier: {a: ["{{ lazy }}", "{{ nested }}"]}
  tasks:
    - {name: "Show {{ hostile }}", debug: {msg: "{{ lazier }} {{ of_the_host }} {{ of_the_group }}"}}
    - set_fact:
        copied: "{{ hostile }}"
        first_key: "{{ (nested[0].keys() | list)[0] }}"
        items: "{{ nested[0] | dict2items }}"
        read: "{{ as_json | from_json }}"
        read_too: "{{ as_yaml | from_yaml }}"
        merged: "{{ nested[0] | combine({'more': hostile}) }}"
        looked_up: "{{ lookup('vars', 'hostile') }}"
        replaced: "{{ hostile | regex_replace('x', 'y') | trim }}"
        split: "{{ hostile.split('|') | join('|') }}"
    - debug: {msg: "{{ copied }} {{ first_key }} {{ items }} {{ read }} {{ read_too }} {{ merged }} {{ looked_up }}"}
    - debug: {msg: "{{ replaced }} {{ split }} {{ hostvars[inventory_hostname].of_the_host }}"}
    - {debug: {msg: "{{ item }}"}, loop: "{{ nested[0].list }}", when: "item != hostile ~ 'x'"}
    - {command: "echo {{ hostile | quote }}", register: echoed}
    - {set_fact: {from_a_machine: "{{ echoed.stdout }}"}}
    - {debug: {msg: "{{ from_a_machine }}"}}
    - template: {src: all.j2, dest: "{{ target }}"}
      delegate_to: localhost
      run_once: true
"""
TEMPLATE = "{{ copied }}\n{{ first_key }}\n{{ read.x }}\n{{ read_too.x }}\n{{ of_the_host }}\n{{ of_the_group }}\n"


def hostile(canary: Path) -> str:
    return "{{ lookup('pipe', 'touch " + str(canary) + "') }}"


def everywhere(value: str) -> dict[str, object]:
    nested = [{value: value, "list": [value, {"deep": [value]}]}]
    return {
        "hostile": value,
        "nested": nested,
        "as_json": json.dumps({"x": value}),
        "as_yaml": f"x: {json.dumps(value)}",
    }


def with_variables(inventory: Mapping[str, Any], host: Mapping[str, object], group: Mapping[str, object]) -> Any:
    everything = inventory["all"]
    told = {name: {**variables, **host} for name, variables in everything["hosts"].items()}
    return {"all": {**everything, "hosts": told, "vars": dict(group)}}


def test_a_template_is_text_wherever_it_comes_from(
    make: Callable[..., Kubespray], hosts: Hosts, playbooks: Path, tmp_path: Path
) -> None:
    (playbooks / "uses.yml").write_text(USES)
    (playbooks / "all.j2").write_text(TEMPLATE)
    canary, target = tmp_path / "canary", tmp_path / "target"
    value = hostile(canary)
    inventory = with_variables(hosts.inventory(), {"of_the_host": value}, {"of_the_group": value})
    for inside, given in ((everywhere(value), {}), ({}, everywhere(value))):
        group = {**inventory["all"]["vars"], **inside}
        asked = {**given, "target": str(target), "node": "demo-cp-1,demo-worker-1", "batch": "50%"}
        run = {"all": {**inventory["all"], "vars": group}}
        make().run("demo", Playbook("uses.yml", run, variables=asked), Shown())
        assert target.read_text().splitlines() == [value] * 6
        target.unlink()
    log = next((tmp_path / STATE / "demo/kubespray/artifacts").glob("uses.yml-*/stdout")).read_text()
    assert "touch" in log
    assert not canary.exists()


def test_only_what_this_machine_allows_is_a_template(
    make: Callable[..., Kubespray], hosts: Hosts, playbooks: Path, tmp_path: Path
) -> None:
    (playbooks / "says.yml").write_text(
        "- hosts: demo-cp-1\n  gather_facts: false\n  tasks:\n"
        '    - {copy: {content: "{{ url }} {{ other }}", dest: "{{ target }}"}, delegate_to: localhost}\n'
    )
    group = {"base": "https://example.org", "url": "{{ base }}/x", "other": "{{ base }}/y"}
    inventory = with_variables(hosts.inventory(), {}, group)
    target = tmp_path / "target"
    make(templates={"url"}).run("demo", Playbook("says.yml", inventory, variables={"target": str(target)}), Shown())
    assert target.read_text() == "https://example.org/x {{ base }}/y"


@pytest.mark.parametrize("given", ["exec", "template", "link"])
def test_a_fetched_kubeconfig_runs_nothing_and_is_refused(
    make: Callable[..., Kubespray], hosts: Hosts, playbooks: Path, tmp_path: Path, given: str
) -> None:
    canary, content = tmp_path / "canary", kubeadms()
    kubespray = make()
    before = {"admin_conf": text(kubeadms()).decode()}
    kubespray.run("demo", Playbook("ok.yml", hosts.inventory(), variables=before), Shown())
    kept = kubespray.kubeconfig("demo").read_bytes()
    playbook = "ok.yml"
    if given == "exec":
        content["users"][0]["user"]["exec"] = {"command": "touch", "args": [str(canary)]}
    elif given == "template":
        content["users"][0]["name"] = hostile(canary)
    else:
        (tmp_path / "ours").write_bytes(text(content))
        (playbooks / "link.yml").write_text(
            "- hosts: demo-cp-1\n  gather_facts: false\n  tasks:\n"
            f'    - file: {{state: link, src: "{tmp_path}/ours", dest: "{{{{ artifacts_dir }}}}/admin.conf"}}\n'
            "      delegate_to: localhost\n"
        )
        playbook = "link.yml"
    run = Playbook(playbook, hosts.inventory(), variables={"admin_conf": text(content).decode()})
    with pytest.raises(Permanent, match=r"would run a program|does not have the right form|is not read") as caught:
        kubespray.run("demo", run, Shown())
    assert str(canary) not in caught.value.message
    assert kubespray.kubeconfig("demo").read_bytes() == kept
    assert not list((tmp_path / STATE / "demo/kubespray").glob("fetched/*"))
    assert not canary.exists()
