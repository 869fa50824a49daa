"""A real browser shows the HTML report: all of its content, nothing wider than the screen, no request to anywhere."""

from __future__ import annotations

import re
import shutil
import struct
from html import escape, unescape
from pathlib import Path

import pytest

from reconciler import process
from reconciler.report import html
from reconciler.report.view import View

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"phone": (390, 844), "desktop": (1200, 900)}
# The page has no script of its own. It is looked at from outside, in a frame: a browser's window has a least width,
# a frame has a phone's exactly.
FRAME = """<!doctype html><meta charset="utf-8">
<iframe style="border: 0; width: {width}px; height: {height}px" srcdoc="{page}"></iframe>
<pre></pre>
<script>
document.querySelector("iframe").onload = ({{target}}) => {{
  const inside = target.contentDocument, root = inside.documentElement;
  const wide = [...inside.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > root.clientWidth + 1);
  const requests = target.contentWindow.performance.getEntriesByType("resource").length;
  const measured = {{width: root.clientWidth, scroll: root.scrollWidth, wide: wide.length, requests}};
  Object.assign(document.body.dataset, measured);
  document.querySelector("pre").textContent = inside.body.innerText;
  target.remove();
}};
</script>"""

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (Debian: apt-get install chromium)"),
]


def chromium(profile: Path, size: tuple[int, int], page: Path, *arguments: str) -> str:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *arguments, page.as_uri(),
    ]  # fmt: skip
    return process.run(command, timeout=120).stdout


@pytest.mark.parametrize("screen", SIZES)
def test_page_fits_the_screen(drift: View, tmp_path: Path, screen: str) -> None:
    (width, height), page = SIZES[screen], tmp_path / "frame.html"
    page.write_text(FRAME.format(width=width, height=height, page=escape(html.render(drift))), encoding="utf-8")
    dom = chromium(tmp_path / "profile", SIZES[screen], page, "--dump-dom")
    measured = dict(re.findall(r'data-(\w+)="(-?\d+)"', dom))
    assert measured == {"width": str(width), "scroll": str(width), "wide": "0", "requests": "0"}
    text = unescape(dom.partition("<pre>")[2])
    for content in (drift.headline, "demo-worker-2", "missing", "10.80.0.0/24", *(f.resource for f in drift.findings)):
        assert content in text


@pytest.mark.parametrize("screen", SIZES)
def test_page_can_be_drawn(drift: View, tmp_path: Path, screen: str) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(html.render(drift), encoding="utf-8")
    chromium(tmp_path / "profile", SIZES[screen], page, f"--screenshot={picture}")
    png = picture.read_bytes()
    assert struct.unpack(">II", png[16:24]) == SIZES[screen]
    # one colour all over packs into a few kB
    assert len(png) > 20_000
