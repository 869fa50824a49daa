"""`reconciler demo`: the whole loop on a real cloud, told as a story."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.rule import Rule

from .. import settings
from ..app import App
from ..errors import Permanent
from ..model.outcome import Status
from ..report import html, terminal
from ..report.view import view
from ..sandbox import gitops
from ..sandbox.memory import Peak
from ..sandbox.mischief import Mischief, kubectl
from ..sandbox.sandbox import IMAGE, Sandbox
from ..toolchain import Toolbox
from . import environment
from .context import context
from .show import out, outcome_view

_PROJECT = Path(__file__).resolve().parents[2]
_CLUSTER = "demo"
_TOOLS = (*IMAGE, "tofu", "terraform-provider-openstack", "terraform-provider-kubectl")
_OTHER_IMAGE = "registry.example.org/somebody/miner:latest"


def demo(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Option("--dir", help="Where the demo keeps everything.")] = Path(".sandbox/demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cloud running afterwards, to try things on.")] = False,
) -> None:
    """An empty cloud becomes a research cluster; somebody breaks it; git says so, and it is repaired; a researcher gets
    RStudio."""
    mine = context(ctx)
    started = time.monotonic()
    sandbox = Sandbox(folder, toolbox=mine.app.toolbox, cache=mine.app.settings.cache_folder, progress=mine.progress)
    story = _Story(sandbox, mine.app.toolbox)
    with Peak(sandbox.root) as peak:
        try:
            story.tell()
        finally:
            if not keep:
                sandbox.down()
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    story.say(f"\n{minutes} min {seconds} s, peak memory of everything together {peak.bytes / 2**30:.2f} GiB")
    story.next_steps(keep)


class _Story:
    """The chapters in their order. Each step shows the command a person would type."""

    def __init__(self, sandbox: Sandbox, toolbox: Toolbox) -> None:
        self._sandbox = sandbox
        self._toolbox = toolbox
        self._console = out()
        self._repo = sandbox.root / "gitops"
        self._page = sandbox.root / "report.html"
        self._app: App | None = None

    def tell(self) -> None:
        self._chapter("1. An empty cloud", self._empty_cloud)
        self._chapter("2. The plan", lambda: self._expect("plan", Status.DRIFTED))
        self._chapter("3. Apply", self._apply_and_count)
        self._chapter("4. In sync", lambda: self._expect("drift", Status.IN_SYNC))
        self._chapter("5. Somebody breaks it", self._break)
        self._chapter("6. The drift report", lambda: self._expect("drift", Status.DRIFTED, page=True))
        self._chapter("7. Repair: only what drifted", self._apply_and_count)
        self._chapter("8. In sync again", lambda: self._expect("drift", Status.IN_SYNC))
        self._chapter("9. A researcher asks for RStudio", self._ask)
        self._chapter("10. What git remembers", self._history)

    def say(self, text: str) -> None:
        self._console.print(text)

    def next_steps(self, keep: bool) -> None:
        """Where the report is, and what to try."""
        root = self._sandbox.root
        self.say(f"The drift report as a page: {self._page}")
        self.say(f"The GitOps repository:      {self._repo}  (git log -p origin/observed)")
        if keep:
            self.say("\nThe cloud still runs. Try:")
            self.say(f"  export RECONCILER_CONFIG={self._sandbox.config}; cd {self._repo}")
            self.say("  sed -i 's/count: 2/count: 3/' desired/demo/cluster.yaml && git commit -am 'one more worker'")
            self.say("  reconciler plan; reconciler apply")
            self.say(f"and end it with: reconciler sandbox down --dir {root}")
        else:
            self.say("Nothing is left running. To play with the cluster afterwards: reconciler demo --keep")

    def _chapter(self, title: str, tell: Callable[[], None]) -> None:
        self._console.print(Rule(title, align="left"))
        tell()

    def _empty_cloud(self) -> None:
        self._sandbox.down()
        self._sandbox.wipe()
        self._toolbox.ensure(*_TOOLS)  # side by side now, rather than one by one in the middle of the story
        self._sandbox.up()
        gitops.make(self._repo, self._sandbox.root / "gitops.git", _PROJECT, self._sandbox.public_key)
        self.say(f"A real OpenStack on loopback, and a GitOps repository with one cluster: {self._repo}")
        self.say(f"Servers in the cloud: {len(self._mischief().servers())}")

    @property
    def _ready(self) -> App:
        if self._app is None:
            from ..progress import RichProgress

            self._app = App(settings.load(self._sandbox.config), self._repo, RichProgress())
        return self._app

    def _expect(self, verb: str, wanted: Status, *, page: bool = False) -> None:
        self.say(f"$ reconciler {verb} {_CLUSTER}")
        began = time.monotonic()
        state = self._ready.at("HEAD")
        cycle = self._ready.cycle(state, state.clusters[0])
        current, sight = cycle.check()
        took = time.monotonic() - began
        shown = view(current, status=cycle.judged(current), observed=sight.observed, expected=sight.expected)
        self._console.print(terminal.render(shown))
        self.say(f"(looked at everything in {took:.2f} s)")
        if page:
            self._page.write_text(html.render(shown))
        self._must(cycle.judged(current), wanted)

    def _apply(self) -> None:
        self.say(f"$ reconciler apply {_CLUSTER}")
        state = self._ready.at("HEAD")
        outcome, sight = self._ready.cycle(state, state.clusters[0]).reconcile()
        self._console.print(terminal.render(outcome_view(outcome, sight)))
        self._must(outcome.status, Status.IN_SYNC)

    def _apply_and_count(self) -> None:
        self._apply()
        self._show("get", "nodes")

    def _ask(self) -> None:
        name, owner, type_ = "stats", "grace", environment.Type.RSTUDIO
        path = Path("desired", _CLUSTER, "environments", f"{owner}-{name}.yaml")
        self.say(f"$ reconciler environment new {name} --type {type_.value} --owner {owner}")
        self.say(text := environment.drafted(name, type_, owner))
        (self._repo / path).write_text(text)
        self.say(f"$ git add {path} && git commit -m '{owner} asks for {type_.value}' && git push")
        gitops.commit(self._repo, f"{owner} asks for {type_.value}")
        self._apply()
        self._show("-n", f"env-{owner}", "get", "pods,services,persistentvolumeclaims,networkpolicies")

    def _show(self, *argv: str) -> None:
        self.say(f"$ kubectl {' '.join(argv)}")
        self.say(kubectl(self._kubectl, self._ready.toolkit.api(_CLUSTER).kubeconfig, *argv).rstrip())

    def _break(self) -> None:
        mischief = self._mischief()
        self.say(f"$ openstack server delete {_CLUSTER}-worker-2")
        mischief.delete_server(f"{_CLUSTER}-worker-2")
        self.say(f"$ openstack security group rule create --dst-port 22 --remote-ip 0.0.0.0/0 {_CLUSTER}-control-plane")
        mischief.open_to_the_world(f"{_CLUSTER}-control-plane", 22)
        self.say(f"$ kubectl -n sid set image deployment/backend backend={_OTHER_IMAGE}")
        kubeconfig = self._ready.toolkit.api(_CLUSTER).kubeconfig
        kubectl(self._kubectl, kubeconfig, "-n", "sid", "set", "image", "deployment/backend", f"backend={_OTHER_IMAGE}")

    def _history(self) -> None:
        self.say("$ git log --stat origin/observed")
        self.say(gitops.git("-C", self._repo, "log", "--stat", "--format=%h %s%n%n%b", "origin/observed").rstrip())

    @property
    def _kubectl(self) -> Path:
        return self._toolbox.ensure("kubectl")["kubectl"].path

    def _mischief(self) -> Mischief:
        return Mischief(self._sandbox.clouds_yaml)

    def _must(self, status: Status, wanted: Status) -> None:
        if status is not wanted:
            hint = f"the logs are below {self._sandbox.root}/log; please report this"
            raise Permanent(f"the demo expected {wanted.value!r} here and found {status.value!r}", hint=hint)
