"""Runs the binary in one folder; python-terraform knows how its options are spelled."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ... import interrupt
from ...process import Completed, Redactor, run
from .failure import failure


class Program:
    """One binary in one folder, with the whole of its environment; `timeout` is in seconds."""

    def __init__(
        self, binary: Path, environment: Mapping[str, str], timeout: float, redact: Redactor, directory: Path
    ) -> None:
        from python_terraform import Terraform as CommandLine

        self._spell = CommandLine(working_dir=str(directory), terraform_bin_path=str(binary)).generate_cmd_string
        self.name = binary.name
        self._environment = environment
        self._timeout = timeout
        self._redact = redact
        self._directory = directory

    def __call__(
        self,
        command: str,
        on_line: Callable[[str], None] | None = None,
        *arguments: str,
        ok: tuple[int, ...] = (0,),
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Completed:
        """Run `command`; True stands for a bare flag. `environment` is added to ours. Raises Transient or Permanent
        with what Terraform said, and Transient where the state is not ours to write any more."""
        from python_terraform import IsFlagged

        interrupt.check_own()
        spelled = {name: IsFlagged if value is True else value for name, value in options.items()}
        if command.split(maxsplit=1)[0] in {"init", "plan", "apply"}:
            spelled["input"] = False
        done = run(
            self._spell(command, *arguments, **spelled),
            cwd=self._directory,
            env={**self._environment, **(environment or {})},
            timeout=self._timeout,
            on_line=on_line,
            check=False,
            redact=self._redact,
            stdin=stdin,
            stop_signal=signal.SIGINT,  # it then waits for what is under way and writes the state down
        )
        if done.exit_code not in ok:
            raise failure(done, self._redact)
        return done
