"""How values reach Ansible: as text that it never takes for a template, since what comes from git, a cloud or a cluster
could run a program here by one (`{{ lookup('pipe', …) }}`).

Ansible's own word for it is the tag `!unsafe` (ansible.parsing.yaml.constructor); what is made of such a text is unsafe
as well. It holds for values and for keys, at any depth. Names of variables, hosts and groups are no text to Ansible,
and have a form of their own before they get here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import yaml

_TAG = "!unsafe"


class _Text(str):
    """Written with the tag."""

    __slots__ = ()


class _Writer(yaml.SafeDumper):
    """Writes out what stands twice: people read these files."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


class _Reader(yaml.SafeLoader):
    pass


def _represented(writer: _Writer, text: _Text) -> yaml.Node:
    return writer.represent_scalar(_TAG, str(text))


def _constructed(reader: _Reader, node: yaml.ScalarNode) -> str:
    return str(reader.construct_scalar(node))


_Writer.add_representer(_Text, _represented)
_Reader.add_constructor(_TAG, _constructed)


def inventory_text(inventory: Mapping[str, Any], templates: Collection[str] = ()) -> str:
    """An inventory of Ansible's YAML shape, in its order. Variables of groups that are called as in `templates` stay
    what they are: this machine's settings let them be templates."""
    return _text({name: _group(group, templates) for name, group in inventory.items()})


def variables_text(variables: Mapping[str, object]) -> str:
    """Variables of one run, sorted by name."""
    return _text(_variables(dict(sorted(variables.items()))))


def loaded(text: str) -> Any:
    """What was written by one of these, as plain values. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Reader)  # noqa: S506 - a safe loader that knows one tag more


def _text(value: object) -> str:
    return str(yaml.dump(value, Dumper=_Writer, sort_keys=False, width=1000))


def _group(group: Mapping[str, Any] | None, templates: Collection[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for part, content in (group or {}).items():
        if part == "vars":
            found[part] = _variables(content, templates)
        elif part == "hosts":
            found[part] = {host: _variables(variables) for host, variables in (content or {}).items()}
        else:
            found[part] = {name: _group(child, templates) for name, child in (content or {}).items()}
    return found


def _variables(variables: Mapping[str, Any] | None, templates: Collection[str] = ()) -> dict[str, object]:
    return {name: _plain(value, str if name in templates else _Text) for name, value in (variables or {}).items()}


def _plain(value: object, kind: type[str]) -> object:
    """The same in types that YAML has a plain form for, texts as `kind`."""
    if isinstance(value, Mapping):
        return {kind(key): _plain(item, kind) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, kind) for item in value]
    return kind(value) if isinstance(value, str) else value
