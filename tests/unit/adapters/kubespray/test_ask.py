"""What becomes of a machine that does not answer as it should."""

from __future__ import annotations

import pytest

from reconciler.adapters.kubespray.ask import Line, ask
from reconciler.errors import Transient


def test_a_machine_that_hangs_is_named() -> None:
    """It took the connection, and says nothing more."""
    line = Line("demo-cp-1", ["sh", "-c", "sleep 60"], lambda _: "")
    with pytest.raises(Transient) as caught:
        ask(line, "true", 0.2)
    assert caught.value.message == "demo-cp-1 can't be asked over SSH: sh did not finish within 0.2 s"
    assert caught.value.hint == "is the machine on, is its port open to us, and is the key the one git names?"
