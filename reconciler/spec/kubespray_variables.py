"""Which of Kubespray's variables git may set: none that could run a program on the machine that runs Ansible, read a
file of it, or change how Ansible logs in.

Whoever writes a cluster's variables may do anything on that cluster's machines; the boundary is this machine. What is
refused was read from Ansible 2.18 (its special variables and playbook keywords, ansible.vars.reserved and
ansible.constants) and from Kubespray (release 2.31 and later): tasks with `delegate_to: localhost` or
`connection: local`, what is copied or rendered from this machine, task files and roles included by a variable's value,
variables that are whole commands, and those that are the environment of tasks (the names in it reach a shell unquoted).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from ..errors import Problem
from .load import DesiredCluster
from .yaml import Path, quoted

_PLACE: Path = ("spec", "kubernetes", "variables")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")  # what Ansible takes for a name; Kubespray has none of half as long
_TEMPLATE = re.compile(r"\{\{|\{%|\{#|^#jinja2:")
_CLIMBS = re.compile(r"(^|/)\.\.(/|$)")
_KEYWORD = "is a word of Ansible itself"


def _called(*forms: str) -> re.Pattern[str]:
    return re.compile("|".join(forms))


_FAMILIES: Mapping[str, re.Pattern[str]] = {
    "changes how Ansible connects, escalates or finds its plugins": _called(
        r"_*ansible(_.*)?",
        r".*become(?!_ready).*",  # control_plane_node_become_ready_tries only counts
        r".*interpreter.*",
        r".*delegate.*",
        r"first_kube_control_plane",  # tasks are delegated to whom it names
        r"(ssh|scp|sftp|winrm|sudo|su|remote|private)_.*",
        r"(.*_)?callbacks?(_.*)?|library|(.*_)?module_(path|utils)|(roles|collections?)_paths?",
        r"(action|become|cache|callback|cliconf|connection|doc_fragment|filter|httpapi|inventory|lookup|netconf|shell|"
        r"strategy|terminal|test|vars)_plugins?(_.*)?",
    ),
    "names a file or folder of the machine that runs Ansible, or has it work there": _called(
        r"(?!loadbalancer_apiserver_localhost$).*localhost.*",  # that one is a proxy on each node
        r"(artifacts|credentials|inventory|playbook|download_cache|local_release)_(dir|file)|local_te?mp",
        r"download_(run_once|force_cache)",  # they bring files of the nodes here
        r"cinder_cacert|gcp_pd_csi_sa_cred_file|etcd_snapshot",  # copied from here
        r"custom_cni_manifests|.*_templates",  # rendered from here
    ),
    "is a command, a task file or an environment of tasks": _called(
        r"(.*_)?(command|cmd|hooks?)(_.*)?",
        r"(.*_)?tasks_file|include_file",
        r"(proxy|proxy_disable)_env",
    ),
}
# ansible.vars.reserved.get_reserved_names() and the special variables that don't begin with `ansible_`, of 2.18
_KEYWORDS = frozenset(
    """
    action always any_errors_fatal args async async_val block changed_when check_mode collections connection cycler
    debugger delay dict diff environment fact_path failed_when force_handlers gather_facts gather_timeout group_names
    groups handlers hosts hostvars ignore_errors ignore_unreachable inventory_hostname inventory_hostname_short joiner
    lipsum local_action lookup loop loop_control loop_with max_fail_percentage module_defaults name namespace no_log
    notify now omit order play_hosts poll port post_tasks pre_tasks q query range register rescue retries role_name
    role_names role_path role_uuid roles run_once serial strategy tags tasks throttle timeout undef until vars
    vars_files vars_prompt when with_
    """.split()  # noqa: SIM905 - so many words are easier to read like this
)
# What a file of Kubespray is called after: with a slash it would be a file somewhere else.
_FILE_NAMES = frozenset(
    """
    calico_datastore container_manager etcd_deployment_type kube_apiserver_enable_admission_plugins kube_network_plugin
    kubeletConfig_api_version
    """.split()  # noqa: SIM905 - so many words are easier to read like this
)
_HINT = "take it out; who runs this machine can allow it by ansible.allowVariables in the settings"


def check(desired: DesiredCluster, allowed: Collection[str] = ()) -> list[Problem]:
    """Every variable that git may not set, at its line. `allowed` are names that this machine's settings let pass."""
    variables = desired.cluster.spec.kubernetes.variables
    return [
        desired.problem("Cluster", desired.name, (*_PLACE, *path), message, _HINT)
        for name, value in variables.items()
        if name not in allowed
        for path, message in _refused(name, value)
    ]


def _refused(name: str, value: object) -> Iterator[tuple[Path, str]]:
    if not _NAME.fullmatch(name):
        yield (name,), f"{quoted(name)} is no name of a variable: letters, digits and _"
    elif name in _KEYWORDS:
        yield (name,), f"{quoted(name)} {_KEYWORD}"
    else:
        lower = name.lower()
        reasons = (why for why, form in _FAMILIES.items() if form.fullmatch(lower))
        yield from (((name,), f"{quoted(name)} {why}") for why in islice(reasons, 1))
    for path, text in _texts(value, (name,)):
        if _TEMPLATE.search(text):
            yield path, "holds a template, which would be run on the machine that runs Ansible"
        elif _CLIMBS.search(text) or (name in _FILE_NAMES and "/" in text):
            yield path, "names a file outside of Kubespray's folder"


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in a value with its place, keys included."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield (*path, key), str(key)
            yield from _texts(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))
