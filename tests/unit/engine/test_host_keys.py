"""Host keys: what a console says within bounds, and nothing of what somebody wrote there afterwards."""

from __future__ import annotations

import base64

import asyncssh
import pytest

from reconciler.engine.host_keys import notices, of_console, printed
from reconciler.model.change import Class
from reconciler.model.host_key import Source, Vouched, machines, parse

BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def wire(*fields: bytes) -> str:
    return base64.b64encode(b"".join(len(f).to_bytes(4, "big") + f for f in fields)).decode()


def ed25519(filling: int) -> str:
    return f"ssh-ed25519 {wire(b'ssh-ed25519', bytes([filling]) * 32)}"


def block(*lines: str) -> str:
    return "\r\n".join(["[    0.000000] Linux version 6.12", BEGIN, *lines, END, "login: "])


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521", "ssh-rsa"])
def test_a_key_of_each_type_is_read_and_has_the_fingerprint_that_ssh_shows(algorithm: str) -> None:
    key = asyncssh.generate_private_key(algorithm)
    line = key.export_public_key().decode().strip()
    read = parse(f"{line} root@demo")
    assert read is not None
    assert str(read) == " ".join(line.split()[:2])
    assert read.fingerprint == key.get_fingerprint()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        f"ssh-dss {wire(b'ssh-dss', b'1' * 32)}",
        f"ssh-ed25519 {wire(b'ssh-rsa', b'1' * 32)}",
        f"ssh-ed25519 {wire(b'ssh-ed25519', b'1' * 31)}",
        f"ssh-ed25519 {wire(b'ssh-ed25519', b'1' * 32, b'more')}",
        f"ssh-ed25519 {ed25519(1).split()[1]}AAAA",
        f"ssh-rsa {wire(b'ssh-rsa', b'3', b'1' * 64)}",
        f"ecdsa-sha2-nistp256 {wire(b'ecdsa-sha2-nistp256', b'nistp384', b'4' * 65)}",
        f"@cert-authority * {ed25519(1)}",
        f"ssh-ed25519 {'A' * 10_000}",
        f"ssh-ed25519-cert-v01@openssh.com {wire(b'ssh-ed25519-cert-v01@openssh.com')}",
    ],
)
def test_what_is_no_key_of_that_type_is_none(line: str) -> None:
    assert parse(line) is None


def test_the_first_whole_block_counts_and_no_later_one() -> None:
    genuine, forged = ed25519(1), ed25519(2)
    log = f"{BEGIN}\n{forged}\n" + block(f"{genuine} root@demo") + block(f"{forged} root@demo")
    assert [str(key) for key in of_console(log)] == [genuine]


def test_the_kernel_may_speak_in_between_and_in_front() -> None:
    prefix = "[   23.456789] cloud-init[812]: "
    lines = [f"{prefix}{ed25519(1)} root@demo", "[   24.1] eth0: link up", ed25519(1)]
    log = f"{prefix}{BEGIN}\n" + "\n".join(lines) + f"\n{prefix}{END}\n"
    assert [str(key) for key in of_console(log)] == [ed25519(1)]
    assert printed(log)


@pytest.mark.parametrize(
    "log",
    [
        "",
        "login: ",
        f"{BEGIN}\n{ed25519(1)}\n",
        f"{ed25519(1)}\n{END}\n",
        block(),
        block("ssh-ed25519 nonsense"),
        block(ed25519(1), ed25519(2)),
        block(*["noise"] * 100, ed25519(1)),
        f"say {BEGIN}\n{ed25519(1)}\n{END}",
    ],
)
def test_half_a_block_one_too_long_and_one_that_contradicts_itself_say_nothing(log: str) -> None:
    assert of_console(log) == ()


def test_a_machine_that_is_through_is_not_waited_for() -> None:
    assert not printed(f"booting\n{BEGIN}\n")
    assert printed(block("ssh-ed25519 nonsense"))
    assert printed("[   30.1] cloud-init[9]: Cloud-init v. 24.1.3 finished at Tue, 24 Nov 2026\n")


def test_a_notice_names_the_machine_and_the_fingerprint_until_somebody_vouches() -> None:
    key = parse(ed25519(1))
    assert key
    seen = {
        "demo-worker-1": Vouched(machines([key]), Source.CONTACT),
        "demo-worker-2": Vouched(machines([key]), Source.CONSOLE),
    }
    (notice,) = notices(seen)
    assert (notice.cls, notice.key.name) == (Class.NOTICE, "demo-worker-1")
    assert key.fingerprint in notice.why
    assert not notice.actionable
