"""The command line: verbs only. What they do is in `app` and `control`; what they say is in `report`."""

from __future__ import annotations

import gc
import os
import signal
import sys

from .. import interrupt
from ..console import complain
from ..errors import ReconcilerError
from ..text import visible_line

_INTERRUPTED = 130  # what Typer makes of a KeyboardInterrupt


def main() -> None:
    """Run a verb; every failure becomes a message and an exit code, never a traceback."""
    from .show import failure
    from .verbs import app

    interrupt.listen(signal.SIGTERM)
    gc.freeze()  # what was imported stays: to walk through it again and again costs a tenth of a second each time
    try:
        app(standalone_mode=True)
    except ReconcilerError as error:
        failure(error)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            complain("interrupted: run it again, it goes on from where things are")
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if os.environ.get("RECONCILER_DEBUG"):
            raise
        complain(visible_line(f"internal error: {type(error).__name__}: {error}"))
        complain("  hint: this is a bug; RECONCILER_DEBUG=1 shows the traceback to report")
        sys.exit(1)
