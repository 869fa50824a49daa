"""State and plans that only who has the key can read: OpenTofu's own encryption, told by its environment."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

VARIABLE = "TF_ENCRYPTION"
_NAME = "reconciler"
# The fewest that OpenTofu takes. Each run derives several keys; a passphrase made by a program needs no more.
_ITERATIONS = 200_000


@dataclass(frozen=True, slots=True)
class Encryption:
    """A passphrase (of 16 characters at least: OpenTofu refuses shorter ones), from which a new key is derived for
    every file."""

    passphrase: str = field(repr=False)

    def configuration(self, *, plain_too: bool = False) -> str:
        """What OpenTofu is told. Nothing is read or written in clear, but with `plain_too` a state that still is so can
        be read, to be written anew."""
        method: dict[str, Any] = {"aes_gcm": {_NAME: {"keys": f"${{key_provider.pbkdf2.{_NAME}}}"}}}
        target: dict[str, Any] = {"method": f"method.aes_gcm.{_NAME}"}
        state = {**target, "enforced": True}
        if plain_too:  # it can't be enforced at the same time
            method["unencrypted"] = {_NAME: {}}
            state = {**target, "fallback": {"method": f"method.unencrypted.{_NAME}"}}
        said = {
            "key_provider": {"pbkdf2": {_NAME: {"passphrase": self.passphrase, "iterations": _ITERATIONS}}},
            "method": method,
            "state": state,
            "plan": {**target, "enforced": True},
        }
        return json.dumps(said)
