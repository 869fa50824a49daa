"""What becomes of a machine that does not answer as it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.adapters.kubespray import adapter, known_hosts
from reconciler.adapters.kubespray.ask import Line, ask
from reconciler.adapters.kubespray.folder import Folder
from reconciler.errors import Permanent, Transient
from reconciler.model.host_key import Source
from tests.unit.adapters.kubespray.test_known_hosts import vouched


def test_a_machine_that_hangs_is_named() -> None:
    """It took the connection, and says nothing more."""
    line = Line("demo-cp-1", ["sh", "-c", "sleep 60"], lambda _, __: "")
    with pytest.raises(Transient) as caught:
        ask(line, "true", 0.2)
    assert caught.value.message == "demo-cp-1 can't be asked over SSH: sh did not finish within 0.2 s"
    assert caught.value.hint == "is the machine on, is its port open to us, and is the key the one git names?"


def test_what_a_machine_had_printed_before_it_failed_is_shown_to_nobody() -> None:
    """It may be half of the administrator's kubeconfig."""
    line = Line("demo-cp-1", ["sh", "-c", "echo half of it; exit 3"], lambda _, __: "")
    with pytest.raises(Permanent, match="demo-cp-1 could not answer: exit code 3") as caught:
        ask(line, "true", 9)
    assert caught.value.evidence
    assert caught.value.evidence.last_lines == ()


CHANGED = "Host key for {} has changed and you have requested strict checking.\nHost key verification failed."


def test_a_bastion_with_another_key_is_not_taken_for_the_machine_behind_it(tmp_path: Path) -> None:
    """What a person is to do is about the one whose key it is."""
    hosts = {
        "all": {
            "hosts": {"demo-cp-1": {"ansible_host": "10.0.0.7", "ansible_port": 22}},
            "children": {"bastion": {"hosts": {"demo-bastion": {"ansible_host": "192.0.2.7", "ansible_port": 2222}}}},
        }
    }
    folder = Folder(tmp_path)
    known = {("10.0.0.7", 22): vouched(1, Source.CONSOLE), ("192.0.2.7", 2222): vouched(2, Source.CONTACT)}
    known_hosts.pin(folder.known_hosts, known)
    bastions = adapter._otherwise(hosts, folder, "demo-cp-1", CHANGED.format("[192.0.2.7]:2222"))
    assert bastions.startswith("it is demo-bastion, on the way there: another machine answers there than before")
    assert "ssh-keygen -R '[192.0.2.7]:2222'" in bastions
    machines = adapter._otherwise(hosts, folder, "demo-cp-1", CHANGED.format("10.0.0.7"))
    assert machines.startswith("another machine answers there than before")
    assert vouched(1, Source.CONSOLE).fingerprints in machines
