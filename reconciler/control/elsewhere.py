"""What a cluster's applications need of other clusters, read where it is live: whoever may push can write a record.

Only what somebody refers to is asked for; the cloud's answer is the one that the other cluster's own cycle uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future

from ..errors import ReconcilerError
from ..model.resource import Kinds, Unknown
from ..spec import wiring
from ..spec.load import DesiredCluster
from ..spec.wiring import Output, Outputs
from . import outputs
from .presence import at_hand
from .recognise import recognised
from .survey import Survey
from .toolkit import Toolkit
from .ways_in import endpoint, reachable

_KEYS = "; records of it are believed where git.recordSigners names whose"


def needed(desired: DesiredCluster) -> frozenset[Output]:
    """The outputs of other clusters that the applications of this one refer to."""
    found = {o for app in desired.applications for _, _, o in wiring.references(app, desired.name) if o}
    return frozenset(o for o in found if o.cluster != desired.name)


def asked(
    wanted: frozenset[Output],
    others: Mapping[str, DesiredCluster],
    before: Mapping[Output, str],
    tools: Toolkit,
    survey: Survey,
    pool: Executor,
) -> Future[Outputs] | None:
    """The same as `gathered`, beside what else is asked; None where nothing is needed."""
    return pool.submit(gathered, wanted, others, before, tools, survey) if wanted else None


def gathered(
    wanted: frozenset[Output],
    others: Mapping[str, DesiredCluster],
    before: Mapping[Output, str],
    tools: Toolkit,
    survey: Survey,
) -> Outputs:
    """What is known of `wanted`. `others` are the clusters that could be loaded; `before` counts for what can't be
    seen. Raises nothing: what can't be read says why."""
    values: dict[Output, str] = {}
    why: dict[Output, str] = {}
    for name in sorted({o.cluster for o in wanted}):
        mine = frozenset(o for o in wanted if o.cluster == name)
        found = _of(others[name], mine, before, tools, survey) if name in others else _unloaded(mine, before)
        values |= found.values
        why |= found.why
    return Outputs(values, {o: _why(o, said, tools) for o, said in why.items()})


def _why(output: Output, said: str, tools: Toolkit) -> str:
    """What an application waits for; where that can't be seen, also what could help."""
    keys = "can't" in said and not tools.repository.verified()
    return f"{said} in {output.cluster}{_KEYS if keys else ''}"


def _of(
    desired: DesiredCluster, wanted: frozenset[Output], before: Mapping[Output, str], tools: Toolkit, survey: Survey
) -> Outputs:
    targets = {app.spec.target: tools.openshift[app.spec.target] for app in desired.applications
               if app.spec.target in tools.openshift}  # fmt: skip
    infrastructure = _infrastructure(desired, wanted, tools, survey)
    try:
        there = at_hand(desired.cluster, tools, infrastructure)
    except ReconcilerError as error:
        there = Unknown(error.message, error.hint)
    missing = there if isinstance(there, Unknown) else Unknown("nothing is installed there")
    return outputs.gathered(
        desired,
        wanted,
        outputs.live(desired, wanted, tools, targets, missing=missing),
        endpoint=endpoint(desired, infrastructure),
        servers=reachable(desired, infrastructure),
        before=before,
    )


def _infrastructure(desired: DesiredCluster, wanted: frozenset[Output], tools: Toolkit, survey: Survey) -> Kinds:
    """What the cloud has of it, where an output is read from there, or its kubeconfig has to be had."""
    here = tools.api(desired.name).kubeconfig.exists()
    if here and not any(o.kind == "api" or (o.kind == "services" and o.field == "address") for o in wanted):
        return {}
    try:
        snapshot, _ = survey.of(desired.cluster.spec.cloud)
    except ReconcilerError as error:
        return dict.fromkeys(("server", "load_balancer"), Unknown(error.message, error.hint))
    ids = tools.terraform_state(tools.workspace(desired.name))
    return recognised(desired.cluster, snapshot.of(desired.name), ids)


def _unloaded(wanted: frozenset[Output], before: Mapping[Output, str]) -> Outputs:
    left = (o for o in wanted if o not in before)
    why = "which can't be read, as the YAML has a mistake,"
    return Outputs({o: before[o] for o in wanted if o in before}, dict.fromkeys(left, why))
