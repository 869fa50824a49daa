"""The lock of a folder of state."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.control.one_cycle import one_cycle
from reconciler.errors import Transient


def test_one_at_a_time_has_a_folder(tmp_path: Path) -> None:
    with one_cycle(tmp_path, "demo"):
        with pytest.raises(Transient, match="another cycle for 'demo' is running"), one_cycle(tmp_path, "demo"):
            pass
        with one_cycle(tmp_path, "other"):
            pass
    with one_cycle(tmp_path, "demo"):
        pass


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    """Somebody else's, for one: no mistake of ours."""
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(Transient, match=r"cannot write .*/state/demo/lock"), one_cycle(tmp_path / "state", "demo"):
        pass
