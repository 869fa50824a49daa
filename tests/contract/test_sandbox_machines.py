"""The sandbox's machines, as their users see them: through OpenSSH."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler import process
from reconciler.errors import Permanent
from reconciler.sandbox.machines import kill_all

from .fleet import PORT, Fleet, wait_until

pytestmark = pytest.mark.live

FIVE_MEGABYTES = "0123456789abcdefghijklmnopqrstu\n" * (5 * 1024 * 1024 // 32)


class TestLogin:
    def test_tells_output_status_and_signal_as_sshd_does(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        said = fleet.ssh("m-1", "echo out; echo err >&2; exit 7", check=False)
        assert (said.stdout, said.stderr, said.exit_code) == ("out\n", "err\n", 7)
        assert fleet.ssh("m-1", "kill -9 $$", check=False).exit_code == 255

    def test_a_session_knows_only_its_machine(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        said = fleet.ssh("m-1", "pwd; env").stdout.splitlines()
        assert said[0] == str(fleet.home("m-1"))
        told = dict(line.split("=", 1) for line in said[1:])
        assert told["HOME"] == said[0]
        assert told["SANDBOX_MACHINE"] == fleet.id("m-1")
        assert told["SANDBOX_MACHINE_NAME"] == "m-1"
        assert told["SANDBOX_ADDRESS"] == fleet.address("m-1")
        assert told["PATH"].split(":")[0] == str(fleet.bin)
        assert told.keys().isdisjoint({"PYTEST_CURRENT_TEST", "SSH_AUTH_SOCK", "PYTHONPATH"})

    def test_nothing_is_lost_in_either_direction(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        assert fleet.ssh("m-1", "cat", stdin=FIVE_MEGABYTES).stdout == FIVE_MEGABYTES
        assert len(fleet.ssh("m-1", "head -c 300000 /dev/zero >&2").stderr) == 300_000

    def test_many_sessions_share_a_connection(self, fleet: Fleet, tmp_path: Path) -> None:
        fleet.put("m-1")
        shared = ("-o", "ControlMaster=auto", "-o", "ControlPersist=10", "-o", f"ControlPath={tmp_path}/cm")
        fleet.ssh("m-1", "true", options=shared)
        lines = "".join(f"{n}\n" for n in range(20_000))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: fleet.ssh("m-1", "cat", stdin=lines, options=shared).stdout, range(24)))
        assert answers == [lines] * 24
        fleet.ssh("m-1", "", options=(*shared, "-O", "exit"))

    def test_files_are_copied_relative_to_home(self, fleet: Fleet, tmp_path: Path) -> None:
        fleet.put("m-1")
        (tmp_path / "file").write_text(FIVE_MEGABYTES)
        to = f"cloud@{fleet.address('m-1')}:copied"
        process.run(["scp", "-q", *fleet.ssh_options(PORT, "-P"), tmp_path / "file", to], timeout=60)
        assert (fleet.home("m-1") / "copied").read_text() == FIVE_MEGABYTES

    @pytest.mark.parametrize("wrong", ["user", "key"])
    def test_strangers_stay_outside(self, fleet: Fleet, tmp_path: Path, wrong: str) -> None:
        fleet.put("m-1")
        key = fleet.key
        if wrong == "key":
            key = tmp_path / "other"
            process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], timeout=30)
        user = "root" if wrong == "user" else "cloud"
        options = [*fleet.ssh_options(PORT, "-p"), "-o", "IdentitiesOnly=yes", "-i", str(key)]
        options[options.index("-i") + 1] = str(key)
        said = process.run(["ssh", *options, f"{user}@{fleet.address('m-1')}", "true"], timeout=30, check=False)
        assert said.exit_code == 255
        assert "Permission denied" in said.stderr


DAEMONS = "setsid nohup sleep 4711 >/dev/null 2>&1 & (sleep 4712 >/dev/null 2>&1 &)"
SCRIPT = "#!/bin/sh\\necho boot >>booted\\nsetsid sleep 4713 >/dev/null 2>&1 &\\n"
BOOT = f"printf '{SCRIPT}' >boot.d/10-x; chmod +x boot.d/10-x"


class TestLife:
    def test_everything_dies_with_the_server(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        fleet.put("m-2")
        fleet.ssh("m-1", DAEMONS)
        fleet.ssh("m-2", DAEMONS)
        assert len(fleet.running("m-1")) == 2
        fleet.delete("m-1")
        wait_until(lambda: not fleet.running("m-1") and not fleet.home("m-1").exists(), 5, "m-1 to be gone")
        assert fleet.ssh("m-1", "true", check=False).exit_code == 255
        assert len(fleet.running("m-2")) == 2
        assert [m.name for m in fleet.machines.status()] == ["m-2"]

    def test_a_connection_is_cut_with_the_power(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        with ThreadPoolExecutor(1) as pool:
            session = pool.submit(fleet.ssh, "m-1", "sleep 4711", check=False)
            wait_until(lambda: fleet.running("m-1"), 5, "the session")
            fleet.put("m-1", power="off")
            assert session.result(timeout=5).exit_code == 255
        wait_until(lambda: not fleet.running("m-1"), 5, "m-1 to be off")
        assert fleet.home("m-1").exists()
        (status,) = fleet.machines.status()
        assert (status.on, status.answers, status.processes) == (False, False, 0)

    def test_a_reboot_starts_only_what_boots(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        fleet.ssh("m-1", f"{BOOT}; {DAEMONS}")
        before = set(fleet.running("m-1"))
        host_key = fleet.home("m-1") / ".ssh/ssh_host_ed25519_key"
        key = host_key.read_bytes()
        fleet.put("m-1", boots=1)
        wait_until((fleet.home("m-1") / "booted").exists, 5, "the boot script")
        wait_until(lambda: len(fleet.running("m-1")) == 1, 5, "one process")
        assert before.isdisjoint(fleet.running("m-1"))
        assert host_key.read_bytes() == key

    def test_a_killed_daemon_loses_no_machine(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        fleet.ssh("m-1", f"{BOOT}; {DAEMONS}")
        before = fleet.running("m-1")
        fleet.crash()
        fleet.machines.up()
        assert fleet.ssh("m-1", "cat booted", check=False).exit_code != 0
        assert set(fleet.running("m-1")) == set(before)

    def test_a_server_deleted_while_nobody_looked_is_gone_too(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        fleet.ssh("m-1", DAEMONS)
        fleet.crash()
        fleet.delete("m-1")
        fleet.machines.up()
        wait_until(lambda: not fleet.running("m-1") and not fleet.home("m-1").exists(), 5, "m-1 to be gone")

    def test_down_ends_all_and_up_boots_again(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        fleet.ssh("m-1", f"{BOOT}; {DAEMONS}")
        fleet.machines.down()
        assert fleet.running() == []
        fleet.machines.up()
        wait_until(lambda: len(fleet.running("m-1")) == 1, 5, "what boots")

    def test_a_crash_is_cleaned_up_without_files(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        fleet.ssh("m-1", DAEMONS)
        (fleet.root / "run/machines.pid").unlink()
        kill_all(fleet.root)
        assert fleet.running() == []

    def test_a_file_that_is_no_machine_deletes_nothing(self, fleet: Fleet) -> None:
        fleet.put("m-1")
        fleet.ssh("m-1", DAEMONS)
        broken = fleet.root / "machines/broken"
        broken.write_text("{")
        broken.rename(fleet.file("m-1"))
        with pytest.raises(Permanent, match="is not a machine"):
            fleet.machines.status()
        wait_until(lambda: "is not a machine" in (fleet.root / "log/machines.log").read_text(), 5, "the daemon")
        assert len(fleet.running("m-1")) == 2
        fleet.put("m-1")
