"""When certificates end, told before it hurts: a pure function of what was seen and the time.

An end that comes near is only reported, unless git wants it renewed: then that happens in a maintenance window, one
control plane after another (docs/decisions/0087-certificates-are-renewed-in-a-window.md). A kubeconfig that is refused
is fetched again. docs/decisions/0019-certificates-are-told-a-kubeconfig-is-fetched.md says why.
"""

from __future__ import annotations

import datetime
from enum import StrEnum

from ..model.change import Action, Class, Difference, Severity
from ..model.naming import CERTIFICATE, ENDS, KUBECONFIG, TRUSTED
from ..model.resource import Component, Observed, Resource

# kubeadm's certificates live for a year. A month is time for an upgrade that is planned; a week is what Kubespray's own
# k8s-certs-renew.sh keeps as its margin (days_buffer).
_SOON = datetime.timedelta(days=30)
_NOW = datetime.timedelta(days=7)

_FETCHED = (
    "the next run of cluster.yml or upgrade-cluster.yml fetches another one; once the API refuses it, that is done by "
    "itself"
)
# kubeadm renews it with every upgrade; cluster.yml does not run that (upgrade_cluster_setup is false there), it only
# installs the script and, with auto_renew_certificates, its timer.
_RENEWED = (
    "ask for a newer patch in spec.kubernetes.version (upgrade-cluster.yml renews it), or run k8s-certs-renew.sh on "
    "every control-plane machine; a cluster installed with kubernetes.variables: {auto_renew_certificates: true} does "
    "it by a timer"
)
_IN_A_WINDOW = (
    "renewed in the next maintenance window, on one control plane after another (spec.kubernetes.certificates.renew)"
)
_REFUSED = "is not trusted any more by the API of the very machines it was fetched from: it is fetched again"


class Renewal(StrEnum):
    """What git wants of a certificate that ends soon: nothing, that it is renewed in a window, or now, in one."""

    REPORTED = "reported"
    LATER = "later"
    NOW = "now"


def differences(
    observed: Observed, now: datetime.datetime, renewal: Renewal = Renewal.REPORTED
) -> tuple[Difference, ...]:
    """What of the certificates somebody should know at `now`, or what is to be done about it by the `renewal` that git
    wants. No wording depends on how many days are left, so that a report changes when something does."""
    judged = (_judged(r, now, renewal) for r in observed.resources(Component.KUBERNETES, CERTIFICATE))
    return tuple(d for d in judged if d is not None)


def stage(ends: datetime.datetime, now: datetime.datetime) -> Severity | None:
    """How bad it is that a certificate ends then; None while there is time."""
    left = ends - now
    if left >= _SOON:
        return None
    if left >= _NOW:
        return Severity.MEDIUM
    return Severity.HIGH if left > datetime.timedelta() else Severity.CRITICAL


def _judged(certificate: Resource, now: datetime.datetime, renewal: Renewal) -> Difference | None:
    said = certificate.fields.get(ENDS)
    if certificate.fields.get(TRUSTED) is False:
        return _difference(certificate, Action.REPLACE, Severity.HIGH, _REFUSED)
    ends = datetime.datetime.fromisoformat(str(said)) if said else None
    level = stage(ends, now) if ends else None
    if ends is None or level is None:
        return None
    verb = "ended" if level is Severity.CRITICAL else "ends"
    advice = _FETCHED if certificate.name == KUBECONFIG else _RENEWED
    action = Action.UPDATE if renewal is Renewal.NOW else Action.NONE
    words = advice if renewal is Renewal.REPORTED else _IN_A_WINDOW
    return _difference(certificate, action, level, f"{verb} {ends:%Y-%m-%d %H:%M} UTC: {words}")


def _difference(certificate: Resource, action: Action, level: Severity, why: str) -> Difference:
    live = certificate.fields.get(ENDS)
    return Difference(
        Component.KUBERNETES, certificate.key, "", None, None, live, Class.DRIFT, action, level, why, certificate.id
    )
