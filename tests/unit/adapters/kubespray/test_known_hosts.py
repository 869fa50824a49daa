"""ssh's list of host keys: what is pinned stays the only key of its place; and when facts are good enough."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from reconciler.adapters.kubespray import facts, known_hosts
from reconciler.model.host_key import HostKey, Source, Vouched, parse
from tests.unit.engine.test_host_keys import ed25519

HERE, PORT = ("192.0.2.7", 22), ("192.0.2.7", 2222)


def vouched(filling: int, source: Source) -> Vouched:
    key = parse(ed25519(filling))
    assert isinstance(key, HostKey)
    return Vouched((key,), source)


def test_what_is_pinned_is_the_only_key_of_its_place(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"192.0.2.7 {ed25519(1)}\n[192.0.2.7]:2222 {ed25519(2)}\n192.0.2.70 {ed25519(3)}\n")
    known_hosts.pin(file, {HERE: vouched(4, Source.CONSOLE)})
    assert known_hosts.read(file, [HERE, PORT]) == {
        HERE: vouched(4, Source.CONSOLE),
        PORT: vouched(2, Source.CONTACT),
    }
    assert f"192.0.2.70 {ed25519(3)}" in file.read_text().splitlines()
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_pinned_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    known_hosts.pin(file, {HERE: vouched(4, Source.RECORD)})
    before = file.stat().st_ino
    known_hosts.pin(file, {HERE: vouched(4, Source.RECORD)})
    assert file.stat().st_ino == before


@pytest.mark.parametrize(
    "text", ["", "# a comment\n\n", "192.0.2.7\n", "192.0.2.7 ssh-ed25519 AAA\n", "|1|a=|b= x y\n"]
)
def test_lines_that_say_nothing_are_no_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "known_hosts").write_text(text)
    assert known_hosts.read(tmp_path / "known_hosts", [HERE]) == {}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source.RECORD, "hosts.yaml on the observed branch by a signed commit"),
        (Source.CONSOLE, "write that in its place into "),
        (Source.CONTACT, "ssh-keygen -R '192.0.2.7' -f "),
    ],
)
def test_who_says_otherwise_is_named_with_the_fingerprint_and_the_cure(
    tmp_path: Path, source: Source, words: str
) -> None:
    known_hosts.pin(tmp_path / "known_hosts", {HERE: vouched(1, source)})
    said = known_hosts.otherwise(tmp_path / "known_hosts", HERE)
    assert said.startswith(known_hosts.ANOTHER)
    assert f"{source} says {vouched(1, source).fingerprints}" in said
    assert words in said


@pytest.mark.parametrize(
    ("content", "age", "usable"),
    [
        ('{"ansible_system": "Linux"}', 0, True),
        ('{"ansible_system": "Linux"}', 11 * 3600, True),
        ('{"ansible_system": "Linux"}', 13 * 3600, False),
        ('{"ansible_system": "Linux"}', -3600, False),
        ('{"ansible_default_ipv4": {}}', 0, False),
        ("{", 0, False),
        ("[]", 0, False),
        ("[" * 100_000, 0, False),
    ],
)
def test_facts_are_usable_while_they_are_whole_and_young(tmp_path: Path, content: str, age: int, usable: bool) -> None:
    file = tmp_path / "host"
    file.write_text(content)
    then = time.time() - age
    os.utime(file, (then, then))
    assert facts.usable(file) is usable
    assert not facts.usable(tmp_path / "nobody")
