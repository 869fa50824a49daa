r"""YAML as we write it: nothing hidden stands in it as itself, and what is read back is the same.

YAML may hold a bidirectional character as it is, and a reader of git's log would see another line than a program does.
In double quotes it can be written out ("\u202e").

Others read what we write: Helm, Terraform's providers and kubectl, by Go's rules. What is a number or a boolean to them
(1e3, a commit such as 1234e56, 08, 0o17, y) stands in quotes, though Python's reader takes it for text as it is.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from .text import hidden, visible

_SURROGATES = re.compile("[\ud800-\udfff]")
# What some reader takes for another thing than text, by the resolver of github.com/go-yaml/yaml, versions 2 and 3.
_NO_TEXT = re.compile(
    r"[yYnN]|[-+]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*"
    r"|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
)
# libyaml's where it was built in: every cycle writes
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_DUMPER):  # type: ignore[misc]
    pass


def dump(value: Any, *, sort_keys: bool = True, width: int = 120) -> str:
    r"""A document in block style. A lone surrogate, which no YAML can hold, becomes text (\ud800)."""
    written = yaml.dump(
        value, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=width, default_flow_style=False
    )
    return visible(str(written))


def _text(dumper: Any, value: str) -> Any:
    value = _SURROGATES.sub(lambda found: visible(found[0]), value)
    style = '"' if hidden(value) else "'" if _NO_TEXT.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
