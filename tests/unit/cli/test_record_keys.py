"""The keys for records: ours among them, and none that may sign desired state."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.record_keys import problems
from reconciler.settings import Git, Signers

ADA, EVE = "ssh-ed25519 AAAAC3ada", "ssh-ed25519 AAAAC3eve"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runner.pub").write_text(f"{ADA} runner\n")
    (tmp_path / "records").write_text(f"# {EVE}\nrunner@example.org {ADA}\n")
    (tmp_path / "people").write_text(f'eve@example.org namespaces="git" {EVE}\n')
    return tmp_path


def said(folder: Path, **changes: object) -> list[str]:
    settings: dict[str, object] = {
        "signing_key": folder / "runner",
        "signers": Signers(ssh=folder / "people"),
        "record_signers": Signers(ssh=folder / "records"),
    }
    return [message for message, _ in problems(Git.model_construct(**{**settings, **changes}))]  # type: ignore[arg-type]


def test_what_fits_says_nothing(folder: Path) -> None:
    assert said(folder) == said(folder, record_signers=Signers(), signing_key=None) == []


def test_what_is_recorded_here_must_be_believed_here(folder: Path) -> None:
    assert said(folder, signing_key=None) == ["records are verified, and what is recorded here is not signed"]
    (folder / "runner.pub").write_text(EVE)
    assert len(said(folder)) == 1


def test_a_runners_key_must_not_sign_desired_state(folder: Path) -> None:
    (folder / "people").write_text(f"ada@example.org {ADA}\n")
    assert said(folder) == ["git.signers.ssh and git.recordSigners.ssh have a key in common"]
