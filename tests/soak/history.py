"""What a remote's git history proves: who had which cluster when, and that nothing that was recorded is gone."""

from __future__ import annotations

import datetime
import json
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

LEASES = "refs/reconciler/leases/"


@dataclass(frozen=True)
class Tenure:
    """One lease, as its commit says it. `ended` is None while nobody gave it back."""

    number: int
    id: str
    pid: int
    since: datetime.datetime
    expires: datetime.datetime
    took_over: str
    ended: datetime.datetime | None


@dataclass(frozen=True)
class History:
    """A bare remote."""

    remote: Path

    def git(self, *argv: str) -> str:
        return subprocess.run(["git", "-C", self.remote, *argv], capture_output=True, text=True, check=True).stdout

    def clusters(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:strip=3)", LEASES).split()

    def tenures(self, cluster: str) -> list[Tenure]:
        """All there is of a cluster's leases, oldest first."""
        commits = self.git("rev-list", "--reverse", f"{LEASES}{cluster}").split()
        return [_tenure(json.loads(self.git("show", f"{c}:lease.json"))) for c in commits]

    def check_leases(self, grace: float = 10.0) -> int:
        """No two ever had one cluster at once. Returns how many leases of the dead were taken over."""
        taken_over = 0
        for cluster in self.clusters():
            tenures = self.tenures(cluster)
            assert [t.number for t in tenures] == list(range(1, len(tenures) + 1)), f"{cluster}: a lease is missing"
            for before, after in pairwise(tenures):
                if before.ended:
                    assert before.ended <= after.since, f"{cluster}: two at once: {before} {after}"
                    continue
                taken_over += 1
                # on the same machine the kernel's lock proves that its process is gone; elsewhere its time is over
                over = before.expires + datetime.timedelta(seconds=grace)
                assert after.took_over == "mine" or (after.took_over == "expired" and over <= after.since), (
                    before,
                    after,
                )
            assert tenures[-1].ended, f"{cluster}: nobody took over what a dead process held: {tenures[-1]}"
        return taken_over

    def check_records(self, branch: str = "observed") -> int:
        """The branch is linear, nothing of it was ever lost, and what was applied was recorded by who had the lease.
        Returns how many commits it has."""
        commits = [line.split() for line in self.git("rev-list", "--parents", branch).splitlines()]
        assert all(len(c) == 2 for c in commits[:-1]), "a merge, or a second root"
        assert len(commits[-1]) == 1
        moves = [line.split()[:2] for line in (self.remote / "logs/refs/heads" / branch).read_text().splitlines()]
        assert all(before[1] == after[0] for before, after in pairwise(moves)), "the branch jumped"
        assert {new for _, new in moves} <= {c[0] for c in commits}, "a commit that was recorded is gone"
        tenures = {t.id: (cluster, t) for cluster in self.clusters() for t in self.tenures(cluster)}
        log = self.git(
            "log", "--format=%x01%ct%x02%(trailers:key=Lease,valueonly,separator=)%x02", "--name-only", branch
        )
        for entry in log.split("\x01")[1:]:
            when, lease, names = entry.split("\x02")
            if not names.split():  # who takes over what nobody gave back says so before anything is changed
                assert tenures[lease][1].took_over in ("expired", "mine"), "killed before that, it is made up for"
                continue
            (folder,) = {name.partition("/")[0] for name in names.split()}
            if lease:
                cluster, tenure = tenures[lease]
                end = tenure.ended or tenure.expires
                assert cluster == folder
                assert int(tenure.since.timestamp()) <= int(when) <= end.timestamp(), f"recorded outside of {tenure}"
        return len(commits)


def _tenure(said: dict[str, str]) -> Tenure:
    since, expires = (datetime.datetime.fromisoformat(said[n]) for n in ("since", "expires"))
    ended = datetime.datetime.fromisoformat(said["released"]) if said["released"] else None
    return Tenure(int(said["number"]), said["id"], int(said["pid"]), since, expires, said["tookOver"], ended)
