"""What is true of this machine and not of a cluster: paths, credentials' places, patience. Never in the repository."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from .errors import Invalid
from .model.hosts import Host, Hosts
from .model.lease import LONGEST_SECONDS
from .serve import access
from .serve.access import Access
from .serve.secret import Secret
from .spec.render.gpus import LABEL
from .spec.validate import validate
from .spec.yaml import Document, Unreadable, parse

FILE_VARIABLE = "RECONCILER_CONFIG"
_MISTAKE = "the settings have a mistake"
_SHORTEST_PASSPHRASE = 16  # OpenTofu's own limit
_DEFAULT_FILE = "reconciler/config.yaml"  # below XDG_CONFIG_HOME


def _path(value: object) -> object:
    return Path(os.path.expanduser(value)) if isinstance(value, str) else value


def _from_here(place: Path) -> Path:
    return place.absolute()  # programs run in other folders than ours


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_HEADER = r"^[A-Za-z0-9][A-Za-z0-9-]*$"
_NAME = r"^([A-Za-z0-9_.-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)$"  # a host or its address; no port, no scheme
Place = Annotated[Path, BeforeValidator(_path), AfterValidator(_from_here)]


def _absolute(place: Path) -> Path:
    if not place.is_absolute():
        raise ValueError(f"{str(place)!r} depends on where the daemon is started: write the whole path")
    return place


Absolute = Annotated[Path, BeforeValidator(_path), AfterValidator(_absolute)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class OpenShift(_Model):
    """One target for applications: a kubeconfig, or the API of a cluster of this repository."""

    kubeconfig: Place | None = None
    context: str | None = None
    cluster: str | None = None


class Signers(_Model):
    """Whose signed commits are applied: a file of SSH's allowed signers, a GnuPG home folder, or both."""

    ssh: Place | None = None
    gnupg: Place | None = None


class Git(_Model):
    """`signing_key` is a private SSH key, which signs what is committed to the observed branch. `record_signers` are
    the keys whose records there are believed: none of them may be among `signers`, since a runner's key must not sign
    desired state. What stands at the commit `records_from` or before it is believed without a signature.
    `accept_rewrite` is the full id of a desired commit that may leave out what was applied last, once (with `signers`
    only)."""

    remote: str = "origin"
    observed_branch: str = "observed"
    author_name: str = "reconciler"
    author_email: str = "reconciler@localhost"
    lease_seconds: float = Field(default=300.0, ge=5, le=LONGEST_SECONDS)
    signers: Signers = Signers()
    signing_key: Place | None = None
    accept_rewrite: str = Field(default="", pattern=r"^([0-9a-f]{40})?$")
    record_signers: Signers = Signers()
    records_from: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")

    @model_validator(mode="after")
    def _apart(self) -> Git:
        ours = {place for place in (self.record_signers.ssh, self.record_signers.gnupg) if place}
        if ours & {self.signers.ssh, self.signers.gnupg}:
            raise ValueError("recordSigners and signers name one place: a runner's key must not sign desired state")
        if self.records_from and not ours:
            raise ValueError("recordsFrom needs recordSigners: without them every record is believed")
        return self


Names = tuple[Annotated[str, Field(min_length=1)], ...]


class SopsKeys(_Model):
    """What opens encrypted files: a file with age keys. Left out, SOPS looks where it always does. Keys of other types
    are used only where they are named: by fingerprint (`pgp`), ARN, with "+role" for a role to take (`kms`), resource
    (`gcp_kms`) or the address of the vault (`azure_kv`, `hc_vault`)."""

    key_file: Place | None = None
    pgp: Names = ()
    kms: Names = ()
    gcp_kms: Names = ()
    azure_kv: Names = ()
    hc_vault: Names = ()

    @property
    def named(self) -> dict[str, frozenset[str]]:
        """The keys by type, as SOPS calls it; age's are not among them."""
        types = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault")
        return {kind: frozenset(getattr(self, kind)) for kind in types}


def _host(value: str) -> str:
    try:
        Host.of(value)
    except ValueError:
        rule = "a name, *.example.org, an address or network, or *; with a port or without"
        raise ValueError(f"{value!r} is no host: {rule}") from None
    return value


class Fetch(_Model):
    """Whom charts and Kubespray may come from: names, patterns (*.example.org), addresses and networks, each with a
    port or for any; `*` is every public address. None named: every public address, and no other."""

    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()

    @property
    def allowed(self) -> Hosts:
        return Hosts.of(*self.hosts)


class Terraform(_Model):
    """What encrypts Terraform's state and plans: a file with a passphrase, or the variable of our environment that
    holds it. `keeps_disk`: a CI job's machine that is there tomorrow, whose folder may keep a state.
    `state_credentials` is a file of lines NAME=value, the variables that let us in where the state is kept; left out,
    they are those of our environment."""

    state_credentials: Place | None = None
    key_file: Place | None = None
    key_variable: str | None = Field(default=None, min_length=1)
    keeps_disk: bool = False

    def variables(self) -> dict[str, str] | None:
        """What lets us in where the state is kept; None: what our environment says. Raises Invalid for a file that is
        not there, that others can read, or that has other lines."""
        if self.state_credentials is None:
            return None
        lines = [line.strip() for line in _private(self.state_credentials, "terraform.stateCredentials").splitlines()]
        pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
        if not all(equals and _VARIABLE.fullmatch(name) for name, equals, _ in pairs):
            hint = "write nothing but lines such as AWS_ACCESS_KEY_ID=…"
            raise Invalid(f"{self.state_credentials} has a line that is not NAME=value", hint=hint)
        return {name: value for name, _, value in pairs}

    def passphrase(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The passphrase; None where none is named. Raises Invalid for one that is not there, too short, or a file that
        others can read."""
        if self.key_file is None and self.key_variable is None:
            return None
        if self.key_file is not None:
            place, text = str(self.key_file), _private(self.key_file, "terraform.keyFile")
        else:
            place, text = f"the variable {self.key_variable}", environment.get(str(self.key_variable), "")
        if len(text) < _SHORTEST_PASSPHRASE:
            hint = f"make one: `openssl rand -base64 32 > {self.key_file or 'key'}`; without it the state is lost"
            raise Invalid(f"{place} holds no passphrase of {_SHORTEST_PASSPHRASE} characters or more", hint=hint)
        return text


def _private(file: Path, setting: str) -> str:
    try:
        if file.stat().st_mode & 0o077:
            raise Invalid(f"others can read {file}, which holds a secret", hint=f"chmod 600 {file}")
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise Invalid(f"cannot read the secret in {file}: {reason}", hint=f"{setting} names it") from None


class Ansible(_Model):
    """`allow_variables` are names of Kubespray's variables that git may set although they could run a program on this
    machine: those that change how Ansible connects or touch this machine, and those whose values are templates. Whoever
    may change such a variable in git may do here what the reconciler may."""

    allow_variables: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()


class Timeouts(_Model):
    """All in seconds."""

    cloud: float = Field(default=20.0, gt=0)
    git: float = Field(default=120.0, gt=0)
    kubernetes: float = Field(default=10.0, gt=0)
    ready: float = Field(default=300.0, gt=0)
    terraform: float = Field(default=3600.0, gt=0)
    playbook: float = Field(default=7200.0, gt=0)


class Daemon(_Model):
    """What `reconciler run` does by itself, in seconds: `interval` between two full checks of a cluster, `poll` between
    two fetches, `cloud_poll` between two looks at what changed in a cloud. `workers` is how many clusters are worked on
    at once."""

    interval: float = Field(default=600.0, ge=1)
    poll: float = Field(default=60.0, ge=1)
    cloud_poll: float = Field(default=15.0, ge=1)
    workers: int = Field(default=8, ge=1, le=64)


class Proxy(_Model):
    """A reverse proxy that lets people log in: from its `addresses` (of IP, or networks), and from nowhere else, the
    header `user_header` names who asks and `groups_header` that user's groups. Who is in one of `groups` may read."""

    addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(min_length=1)
    user_header: str = Field(default="X-Forwarded-User", pattern=_HEADER)
    groups_header: str = Field(default="X-Forwarded-Groups", pattern=_HEADER)
    groups: tuple[str, ...] = Field(min_length=1)

    @property
    def trusted(self) -> access.Proxy:
        networks = tuple(ipaddress.ip_network(each, strict=False) for each in self.addresses)
        return access.Proxy(networks, self.user_header, self.groups_header, frozenset(self.groups))


class Http(_Model):
    """Where the daemon listens. `port` 0 takes any free one; null listens nowhere. `names` are further names it is
    asked by, in the Host header. Status and metrics are for who shows the token, the content of a file or of an
    environment variable, or comes by the proxy. `max_connections` are open at once, `per_address` from one."""

    address: str = "127.0.0.1"
    port: int | None = Field(default=8484, ge=0, le=65535)
    names: tuple[Annotated[str, Field(pattern=_NAME)], ...] = ()
    token_file: Place | None = None
    token_variable: str | None = Field(default=None, min_length=1)
    proxy: Proxy | None = None
    max_connections: int = Field(default=256, ge=8, le=4096)
    per_address: int = Field(default=64, ge=4, le=4096)

    @property
    def token(self) -> Secret:
        """What a reader shows."""
        return Secret("the token", "http.tokenFile", self.token_file, self.token_variable, token=True)

    @property
    def access(self) -> Access:
        """Who may read, as the daemon has it."""
        return Access(self.address, frozenset(self.names), self.proxy.trusted if self.proxy else None, self.token.named)


class Webhook(_Model):
    """What a forge's deliveries are signed with: the content of a file, or of an environment variable. `max_bytes` is
    the largest body that is read; `per_minute` how many genuine deliveries are taken."""

    secret_file: Place | None = None
    secret_variable: str | None = Field(default=None, min_length=1)
    max_bytes: int = Field(default=1024 * 1024, ge=1024, le=25 * 1024 * 1024)
    per_minute: float = Field(default=120.0, gt=0)


class Autoscaler(_Model):
    """What `reconciler autoscaler serve` listens on and writes to. `certificates` is the folder that `reconciler
    autoscaler certificates` made. `branch` is the one people merge into; with `pullRequestBranch` decisions go to that
    branch, for a pull request. `poll` is in seconds, between two looks; a machine may take `provisionMinutes` until it
    is a node."""

    address: str = "127.0.0.1:8086"
    certificates: Place | None = None
    branch: str = "main"
    pull_request_branch: str = ""
    poll: float = Field(default=10.0, ge=0.2)
    provision_minutes: int = Field(default=30, ge=1, le=1440)
    gpu_label: str = LABEL
    gpu_resource: str = "nvidia.com/gpu"


class Repository(_Model):
    """One of several repositories of a daemon: `path` is its clone, `settings` the file of all that is its own
    (credentials, policy, observed branch, state), `ref` what of it is followed (None: what the command line says)."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    path: Absolute
    settings: Absolute
    ref: str | None = Field(default=None, min_length=1)


class BackupPlaces(_Model):
    """Where snapshots of etcd go, and who may open them: never git's to say. `folder` is where `to: folder` leads, a
    folder for each cluster below it; `recipients` are age's public keys, and `identity` a file with a private one of
    them, needed to restore only."""

    folder: Place | None = None
    recipients: tuple[Annotated[str, Field(pattern=r"^age1[02-9ac-hj-np-z]{58}$")], ...] = ()
    identity: Place | None = None


class Settings(_Model):
    """Every setting has a default that suits a laptop; a daemon's machine names its own. With `repositories` the file
    is the daemon's, and each of these has settings of its own (`reconciler.repositories`)."""

    clouds: Place | None = None
    ssh_key: Place = Path("~/.ssh/id_ed25519").expanduser()
    kubespray: Place | None = None
    kubespray_mirror: str | None = Field(default=None, min_length=1)
    ansible: Ansible = Ansible()
    tools: dict[str, Place] = Field(default_factory=dict)
    openshift: dict[str, OpenShift] = Field(default_factory=dict)
    kubeconfigs: Place | None = None
    state: Place | None = None
    cache: Place | None = None
    git: Git = Git()
    sops: SopsKeys = SopsKeys()
    fetch: Fetch = Fetch()
    terraform: Terraform = Terraform()
    backups: BackupPlaces = BackupPlaces()
    timeouts: Timeouts = Timeouts()
    daemon: Daemon = Daemon()
    http: Http = Http()
    webhook: Webhook = Webhook()
    autoscaler: Autoscaler = Autoscaler()
    repositories: tuple[Repository, ...] = ()

    @property
    def clouds_file(self) -> Path | None:
        """The setting, else OS_CLIENT_CONFIG_FILE; None lets the SDK look in its usual places."""
        named = os.environ.get("OS_CLIENT_CONFIG_FILE")
        return self.clouds or (Path(named) if named else None)

    @property
    def cache_folder(self) -> Path:
        """The setting, else RECONCILER_CACHE, else the user's cache folder. Safe to delete."""
        named = os.environ.get("RECONCILER_CACHE")
        return self.cache or (Path(named) if named else _xdg("XDG_CACHE_HOME", ".cache") / "reconciler")

    @property
    def state_folder(self) -> Path:
        """Terraform's state, kubeconfigs, known hosts: the setting, else the user's state folder. Keep it."""
        return self.state or _xdg("XDG_STATE_HOME", ".local/state") / "reconciler"


def load(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from `file`, else from RECONCILER_CONFIG, else from the user's configuration folder.

    Raises Invalid, with file:line, for a file that is named and missing or that has a mistake. No file at all is
    fine: the defaults hold.
    """
    path = place(file, environment)
    return Settings() if path is None else read(path)[0]


def place(file: Path | None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file that the settings are read from, as `load` says; None where there is none."""
    named = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    path = named or _xdg("XDG_CONFIG_HOME", ".config") / _DEFAULT_FILE
    return path if named or path.exists() else None


def read(path: Path) -> tuple[Settings, Document | None]:
    """The settings in a file, and the file as it was written (None: it is empty). Raises Invalid as `load` does."""
    try:
        documents = parse(str(path), path.read_bytes())
    except OSError as error:
        raise Invalid(f"cannot read the settings {path}: {error.strerror}", hint="--config names the file") from None
    except Unreadable as error:
        raise Invalid(_MISTAKE, problems=[error.problem]) from None
    if not documents:
        return Settings(), None
    settings, problems = validate(Settings, documents[0])
    if len(documents) > 1:
        problems.append(documents[1].problem((), "holds a second document; the settings are one"))
    if settings is None or problems:
        raise Invalid(_MISTAKE, problems=problems)
    return settings, documents[0]


def _xdg(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default)


def in_ci(environment: Mapping[str, str]) -> bool:
    """GitHub Actions, GitLab CI and most others say so of themselves."""
    said = (environment.get(name, "").lower() for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"))
    return any(word not in ("", "false", "0") for word in said)
