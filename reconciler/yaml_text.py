r"""YAML as we write it: nothing hidden stands in it as itself, and what is read back is the same.

YAML may hold a bidirectional character as it is, and a reader of git's log would see another line than a program does.
In double quotes it can be written out ("\u202e").
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from .text import hidden, visible

_SURROGATES = re.compile("[\ud800-\udfff]")
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
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if hidden(value) else None)


_Dumper.add_representer(str, _text)
