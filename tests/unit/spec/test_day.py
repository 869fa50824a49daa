"""A day of pods from CSV: what people write is read, and every mistake has its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Invalid
from reconciler.model.desired import NodeGroup
from reconciler.model.simulation import PodRun, Size
from reconciler.spec import day

HEAD = "arrival,duration,cpu,memory,gpu,name,priority,selector,tolerations,movable\n"
SAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "day.csv"


def test_every_column() -> None:
    text = HEAD + "08:30,2h30m,1.5,8Gi,1,ada,5,a=b;c=d,gpu;big,no\r\n3600,90s,500m,512Mi,,,,,,\n"
    first, second = day.pods("day.csv", b"\xef\xbb\xbf" + text.encode())
    gpu = frozenset({"gpu", "big"})
    assert first == PodRun("ada", 30_600, 9000, Size(1500, 8192, 1), {"a": "b", "c": "d"}, gpu, 5, False)
    assert second == PodRun("line-3", 3600, 90, Size(500, 512))


def test_four_columns_are_enough_in_any_order() -> None:
    (pod,) = day.pods("day.csv", b"cpu,memory,arrival,duration\n1,1Gi,0,1d\n")
    assert (pod.duration, pod.size) == (86_400, Size(1000, 1024))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("arrival,duration,cpu\n", 1, "has no column 'memory'"),
        ("", 1, "has no column"),
        ("arrival,duration,cpu,memory,colour\n", 1, "'colour'"),
        ("arrival,duration,cpu,memory,cpu\n0,1h,1,1Gi,2\n", 1, "has the column 'cpu' more than once"),
        ("arrival,duration,cpu,memory, cpu \n", 1, "has the column 'cpu' more than once"),
        (HEAD + "0,1h,1,1Gi\n0,31d1s,1,1Gi\n", 3, "duration is more than 31 days: '31d1s'"),
        (HEAD + "999:00,1h,1,1Gi\n", 2, "arrival is more than 31 days: '999:00'"),
        (HEAD + "x,1h,1,1Gi\n", 2, "arrival can't be read: 'x'"),
        (HEAD + "0,1h,1,1Gi\n0,soon,1,1Gi\n", 3, "duration can't be read"),
        (HEAD + "0,0,1,1Gi\n", 2, "duration is 0"),
        (HEAD + "0,1h,one,1Gi\n", 2, "size can't be read"),
        (HEAD + "0,1h,1,1Gi,-1\n", 2, "size can't be read"),
        (HEAD + "0,1h,1,1e99Gi\n", 2, "size can't be read"),
        (HEAD + "0,1h,1,1Gi,0,a\n0,1h,1,1Gi,0,a\n", 3, "already a pod 'a'"),
        (HEAD + "0,1h,1,1Gi,0,a,high\n", 2, "priority can't be read"),
        (HEAD + "0,1h,1,1Gi,0,a,0,x\n", 2, "selector can't be read"),
        (HEAD + "0,1h,1,1Gi,0,a,0,,,perhaps\n", 2, "movable can't be read"),
        (HEAD + "0,1h,1,1Gi,0,a,0,,,yes,more\n", 2, "more values"),
        (HEAD + "0,1h,,\n", 2, "size can't be read"),
    ],
)
def test_a_mistake_has_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        day.pods("day.csv", text.encode())
    problem = caught.value.problems[0]
    assert (problem.file, problem.line) == ("day.csv", line)
    assert said in problem.message
    assert problem.hint


def test_what_is_too_long_for_a_day_says_what_to_do() -> None:
    with pytest.raises(Invalid) as caught:
        day.pods("day.csv", b"arrival,duration,cpu,memory\n999999999,1h,1,1Gi\n0,99999d,1,1Gi\n")
    assert [p.line for p in caught.value.problems] == [2, 3]
    assert all("from the day's beginning" in str(p.hint) for p in caught.value.problems)
    (pod,) = day.pods("day.csv", b"arrival,duration,cpu,memory\n31d,31d,1,1Gi\n")
    assert pod.duration == 31 * 86_400


def test_no_bytes_break_it() -> None:
    for text in (b"\xff\xfe\x00", b'a,"b\n', HEAD.encode() + b'"0,1h\n' * 3, b"\0" * 10, b"a" * 200_000):
        with pytest.raises(Invalid):
            day.pods("day.csv", text)


def test_the_sample_is_one() -> None:
    assert len(day.pods(str(SAMPLE), SAMPLE.read_bytes())) > 100


def test_a_node_group_less_what_the_system_keeps() -> None:
    group = NodeGroup.model_validate(
        {
            "name": "w",
            "count": 2,
            "flavor": "f",
            "taints": ({"key": "gpu", "effect": "NoSchedule"},),
            "labels": {"a": "b"},
        }
    )
    pool = day.pool(group, Size(8000, 32_768, 1), Size(500, 1024))
    assert (pool.minimum, pool.maximum, pool.size) == (2, 2, Size(7500, 31_744, 1))
    assert (dict(pool.labels), pool.taints) == ({"a": "b"}, frozenset({"gpu"}))
    with pytest.raises(Invalid, match="nothing is left"):
        day.pool(group, Size(500, 1024), Size(500, 1024))
