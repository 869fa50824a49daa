"""A secret that this machine's settings name, read when it is needed: a changed one holds at once."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import Invalid

_TOKEN = re.compile(rb"[!-~]{16,}")


@dataclass(frozen=True, slots=True)
class Secret:
    """The content of a file, or of a variable of our environment; neither: there is none. `what` is what messages call
    it, `setting` the settings' key that names its file. A `token` goes into a header: 16 or more signs of ASCII."""

    what: str
    setting: str
    file: Path | None = None
    variable: str | None = None
    token: bool = False

    @property
    def named(self) -> bool:
        return self.file is not None or bool(self.variable)

    def read(self) -> bytes | None:
        """What it is now; None where none is named. Raises Invalid for one that is not there, or can't be one."""
        if self.file is not None:
            try:
                return self._checked(self.file.read_bytes(), str(self.file))
            except OSError as error:
                hint = f"the settings' {self.setting} names it"
                raise Invalid(f"cannot read {self.what} {self.file}: {error.strerror}", hint=hint) from None
        if self.variable:
            return self._checked(os.environb.get(self.variable.encode(), b""), self.variable)
        return None

    def _checked(self, content: bytes, where: str) -> bytes:
        text = content.strip()
        if not text:
            raise Invalid(f"{self.what} in {where} is empty", hint="put there what the other side shows or signs with")
        if self.token and not _TOKEN.fullmatch(text):
            message = f"{self.what} in {where} is not 16 or more letters, digits and signs without spaces"
            raise Invalid(message, hint="make one: openssl rand -hex 32")
        return text


def same(given: str, wanted: str) -> bool:
    """Equal, in a time that does not depend on where they differ, nor on how long the given one is."""
    sides = (hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, wanted))
    return hmac.compare_digest(*sides)
