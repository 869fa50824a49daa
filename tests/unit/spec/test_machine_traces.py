"""What a machine says about a Kubernetes on it is a stranger's word: one whole answer, or none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.errors import Permanent
from reconciler.model.presence import Traces
from reconciler.spec.machine_traces import SCRIPT, kubeconfig, living, read

ID = "4b0e7a52-6b0c-4f0c-9a35-0d4c7d1f2a11"


def test_a_whole_answer_is_read_whatever_greets_before_it() -> None:
    text = f"Welcome!\ntraces: etcd=yes kubelet=no kubeconfig=yes instance={ID} members=etcd-a,etcd-b,\n"
    assert read("m", text) == Traces(True, False, True, ID, frozenset({"etcd-a", "etcd-b"}))
    assert read("m", "traces: etcd=no kubelet=no kubeconfig=no instance= members=\r\n") == Traces()
    assert not read("m", "traces: etcd=no kubelet=no kubeconfig=no instance=i-0000002a members=\n").instance


@pytest.mark.parametrize("greeting", ["", "Welcome!\n", "kubeconfigs:\n\n"])
def test_a_kubeconfig_is_what_comes_after_a_greeting(greeting: str) -> None:
    assert kubeconfig(f"{greeting}kubeconfig:\napiVersion: v1\nkubeconfig:\n") == "apiVersion: v1\nkubeconfig:\n"
    assert kubeconfig(f"{greeting}else") == f"{greeting}else"


def test_only_an_api_that_is_well_lives() -> None:
    assert living("Welcome!\napi: ok\r\n")
    assert not any(map(living, ["", "api: \n", "api: [+]ping ok\n", "no api: ok\n", "ok\n"]))


NO = "traces: etcd=no kubelet=no kubeconfig=no instance= members="


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "no", NO[:-1], NO.replace("etcd=no", "etcd="), NO.replace("etcd=no", "etcd=no etcd=yes"),
        f"{NO}\n{NO}", f"{NO}\n{NO.replace('no', 'yes')}", f" {NO}", f"{NO}a", f"{NO}a b,", f"{NO}{'a,' * 200}",
        NO.replace("instance=", "instance=\x1b[2J"), NO.replace("instance=", f"instance={'x' * 101}"),
        NO.replace("kubelet=no ", ""), NO + "\x00", f"{NO}\n" + "x" * (64 << 10),
    ],
)  # fmt: skip
def test_anything_else_is_no_answer(text: str) -> None:
    with pytest.raises(Permanent, match=r"^m does not say in words that we know"):
        read("m", text)


def said(root: Path) -> Traces:
    """What the script says on a machine whose root folder is `root`."""
    script = SCRIPT
    for folder in ("etc/", "var/"):
        script = script.replace(f" /{folder}", f" {root}/{folder}")
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=True)
    return read("m", done.stdout)


def put(file: Path, text: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_script_looks_where_kubespray_and_kubeadm_put_things(tmp_path: Path) -> None:
    assert said(tmp_path) == Traces()
    put(tmp_path / "var/lib/cloud/data/instance-id", f"{ID}\n")
    put(tmp_path / "var/lib/kubelet/config.yaml")
    assert said(tmp_path) == Traces(kubelet=True, instance=ID)
    put(tmp_path / "etc/kubernetes/admin.conf")
    put(tmp_path / "etc/etcd.env", f'ETCD_NAME=a\nETCD_DATA_DIR="{tmp_path}/data"\n')
    assert said(tmp_path) == Traces(kubelet=True, kubeconfig=True, instance=ID)
    put(tmp_path / "data/member/snap/db")
    assert said(tmp_path) == Traces(True, True, True, ID)
    (tmp_path / "etc/etcd.env").unlink()
    put(tmp_path / "var/lib/etcd/member/snap/db")
    assert said(tmp_path).etcd
