"""The branch that a daemon follows is gone from the remote: nothing counts as in sync with what it was."""

from __future__ import annotations

from reconciler.serve.metrics import Metrics

from .scene import cluster_file, scene, until


def test_a_branch_that_is_gone_is_every_clusters_failure_until_it_is_back() -> None:
    it = scene("a", "b")
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
        it.repository.renamed = True
        it.fleet.pushed("refs/heads/main")
        until(lambda: it.entry("a").failures and it.entry("b").failures)
        for name in ("a", "b"):
            last = it.entry(name).last
            assert last
            assert (last.outcome, last.error) == ("failed", "the remote 'origin' has no branch 'main' any more")
        document = it.fleet.board.document()
        assert document["git"]["failures"]
        assert "no branch 'main' any more" in document["git"]["reason"]
        page = Metrics((it.fleet.board,), lambda: 0).page().decode()
        assert "reconciler_git_failures 1.0" in page
        assert 'reconciler_failures{cluster="a"} 1.0' in page
        begun = len(it.begun)
        it.repository.renamed = False
        it.repository.push({"desired/b/cluster.yaml": cluster_file("b", "\n")})
        it.fleet.pushed("refs/heads/main")
        until(lambda: len(it.begun) >= begun + 2 and len(it.cycles("a")) == 3)
        until(lambda: it.fleet.board.document()["git"]["failures"] == 0)
        last = it.entry("a").last
        assert last
        assert last.outcome == "in sync"
