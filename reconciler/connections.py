"""What this machine reaches the world by, as its settings say: clouds, Kubernetes APIs, Terraform and Kubespray."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from . import interrupt
from .adapters.age import Age
from .adapters.backup_folder import BackupFolder
from .adapters.kubernetes import KubernetesApi
from .adapters.kubespray import UPSTREAM, Given, Kubespray, Release
from .adapters.openstack import OpenStackCloud
from .adapters.terraform import Encryption
from .adapters.terraform import Terraform as OpenTofu
from .control import kubeconfigs
from .control.toolkit import Access
from .errors import Invalid, Permanent, Transient
from .ports import BackupStore, Gate, Terraform
from .process import Redactor
from .settings import OpenShift, Settings, in_ci
from .spec.load import DesiredCluster
from .spec.render.state import place
from .toolchain import Toolbox

_APIS_KEPT = 16  # Kubernetes APIs whose connections stay open; those of a fleet would be most of a daemon's memory
# What terraform/openshift-app's provider calls itself; it can't be told another name.
TERRAFORMS_MANAGER = "kubectl"


@dataclass
class Connections:
    """Made at their first use and kept. `state` is the folder of this clone's state; the `toolbox` is asked for once a
    program is needed. Where this process has other repositories, too (not `alone`), only what the settings name lets
    anybody in."""

    settings: Settings
    state: Path
    toolbox: Callable[[], Toolbox]
    alone: bool = True
    _clouds: dict[str, OpenStackCloud] = field(default_factory=dict)
    _apis: dict[str, KubernetesApi] = field(default_factory=dict)
    _keeping: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def gate(self) -> Gate:
        return kubeconfigs.by_place(self.settings.state_folder)

    def kubespray(self, version: bytes | None = None) -> Kubespray:
        """Kubespray as the settings or `version`, the version file of a commit, name it; got when a playbook runs."""
        cache = self.settings.cache_folder
        given, url = self.settings.kubespray, self.settings.kubespray_mirror or UPSTREAM
        return Kubespray(
            Given(given, cache) if given else Release(version, url, cache, self.settings.fetch.allowed),
            state=self.state,
            private_key=self.settings.ssh_key,
            timeout=self.settings.timeouts.playbook,
            environment={},
            templates=self.settings.ansible.allow_variables,
            cancel=interrupt.requested,
        )

    def cloud(self, name: str) -> OpenStackCloud:
        if name not in self._clouds:
            file, timeout = self.settings.clouds_file, self.settings.timeouts.cloud
            self._clouds[name] = OpenStackCloud(name, clouds_file=file, timeout=timeout, alone=self.alone)
        return self._clouds[name]

    def address(self, access: Access) -> str:
        """The API's address. Raises Permanent where no usable kubeconfig is; Transient."""
        return self.kubernetes(access).address()

    def places(self, cluster: DesiredCluster, project: str) -> tuple[frozenset[str], bool]:
        """Where what a cluster has is found by its name: in its cloud's `project`, on OpenShifts, among Terraform's
        states; and whether all of these places could be told."""
        found, all_known, targets = {f"the project {project}"}, True, self.openshift()
        if states := place(cluster.state):
            found.add(states)
        for name in {application.spec.target for application in cluster.applications} & targets.keys():
            if not self.settings.openshift[name].cluster:
                try:
                    found.add(f"the OpenShift {self.address(targets[name])}")
                except (Transient, Permanent):  # without a kubeconfig nothing is done there, and all else goes on
                    all_known = False
        return frozenset(found), all_known

    def kubernetes(self, access: Access) -> KubernetesApi:
        """One connection for one content of the kubeconfig: a cluster made anew has another authority."""
        content = access.kubeconfig.read_bytes() if access.kubeconfig.exists() else b""
        name = hashlib.sha256(str(access).encode() + content).hexdigest()[:12]
        if name not in self._apis:
            self._apis[name] = KubernetesApi(
                access.kubeconfig,
                context=access.context,
                field_manager=access.manager,
                timeout=self.settings.timeouts.kubernetes,
                cache=self.state / "seen" / f"{name}.json",
                gate=self.gate,
            )
        return self._kept(name)

    def _kept(self, name: str) -> KubernetesApi:
        """The one asked for. Who was not asked for the longest lets go of its connections."""
        with self._keeping:
            mine = self._apis[name] = self._apis.pop(name)
            if len(self._apis) > _APIS_KEPT:
                tuple(self._apis.values())[-_APIS_KEPT - 1].rest()
        return mine

    def terraform(self) -> Terraform:
        binary, phrase = self.toolbox().ensure("tofu")["tofu"].path, self.settings.terraform.passphrase()
        sealed = Encryption(phrase) if phrase else None
        entry = self.settings.terraform.variables()
        redactor = Redactor([*([phrase] if phrase else []), *(entry or {}).values()])
        config, seconds = self.toolbox().cli_config(), self.settings.timeouts.terraform
        return OpenTofu(binary, config, seconds, redactor, sealed, state_credentials=entry)

    def openshift(self) -> dict[str, Access]:
        """The OpenShifts of the settings, by name. Raises Invalid for one that nothing leads to."""
        return {name: self._openshift(name, target) for name, target in self.settings.openshift.items()}

    def _openshift(self, name: str, target: OpenShift) -> Access:
        if target.cluster:
            return Access(self.kubespray().kubeconfig(target.cluster), target.context, TERRAFORMS_MANAGER)
        if target.kubeconfig:
            return Access(target.kubeconfig, target.context, TERRAFORMS_MANAGER)
        raise Invalid(f"the settings' openshift target {name!r} names neither kubeconfig nor cluster")

    def backup_store(self, to: str, cloud: str) -> BackupStore:
        """Where `to` of git leads: the folder of our settings, or the cluster's own cloud. Raises Invalid where the
        settings name no folder, or nobody for whom snapshots are encrypted; what the cloud raises that is asked for its
        project."""
        said = self.settings.backups
        if not said.recipients:
            hint = "name age's public keys there, backups: {recipients: [age1…]}; age-keygen makes a pair"
            raise Invalid("the settings of this machine name nobody for whom backups are encrypted", hint=hint)
        if to == "objectStorage":
            return self.cloud(cloud).backups()
        if said.folder is None:
            raise Invalid("the settings of this machine name no folder for backups", hint="backups: {folder: …}")
        if in_ci(os.environ) and not self.settings.terraform.keeps_disk:
            hint = (
                "say `to: objectStorage` in git; where the disk is kept, terraform: {keepsDisk: true} in the settings"
            )
            raise Invalid("this is a CI job: a folder for backups goes with its disk", hint=hint)
        return BackupFolder(said.folder, self.cloud(cloud).project())

    @property
    def cipher(self) -> Age:
        """What snapshots are encrypted by."""
        return Age(self.settings.backups.recipients, self.settings.backups.identity)
