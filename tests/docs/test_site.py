"""The pages are one site: nothing broken, nothing left out, nothing fetched from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, anchors, links

PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(site)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", out)
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_built(site: Path) -> None:
    assert {page.stem for page in PAGES} <= {page.stem for page in site.glob("*.html")}


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """A box without the network shows the same pages; and nobody learns that they are read."""
    for page in site.glob("*.html"):
        html = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)\"", html)
        loaded += [
            target
            for rel, target in re.findall(r"<link\b[^>]*\brel=\"([^\"]+)\"[^>]*\bhref=\"([^\"]+)\"", html)
            if rel not in ("canonical",)
        ]
        assert loaded
        assert not [target for target in loaded if re.match(r"(https?:)?//", target)], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_what_is_broken_fails_the_build(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    (tmp_path / "docs" / "index.md").write_text("# x\n[a](nowhere.md)\n[b](engine.md#nowhere)\n", encoding="utf-8")
    (tmp_path / "docs" / "lost.md").write_text("# In no menu\n", encoding="utf-8")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    for said in ("'nowhere.md'", "#nowhere", "lost.md"):
        assert said in done.stderr, said


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Also in the files that are not among the built pages, and as GitHub resolves them. Others are not fetched."""
    for link in links(page):
        if re.match(r"\w+:", link):
            assert link.startswith("https://"), f"{link}: plain https only"
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert ROOT in file.parents, link
        if anchor:
            assert anchor in anchors(file), link
