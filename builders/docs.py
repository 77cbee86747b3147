"""Build the documentation site: python -m builders.docs [--out SITE] [--figures mbr macs] [--resamples 200]

The pages of docs/ are copied, those made from code and data are added, and zensical makes the site. A link
that leads nowhere, and a page that would ask another host for something, is an error. No network is needed.

    proxies/    from the registry, the docstrings and the release
    api/        from the docstrings
    gallery     drawn from the release
    notebooks/  from docs/notebooks
    card, datasheet, changelog, contributing, security    from the files of these names
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from builders import card
from builders.site import api, copies, found, gallery, notebooks, proxies
from builders.work.command import parser_of, say_errors
from nbzero import Bench
from nbzero.errors import OutputError, check_known, needs
from nbzero.plots import FIGURES

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = r"""\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)"""
LOADS = re.compile(rf"<(?:script|img|iframe|source|link)\b[^>]*?{ADDRESS}")  # what a browser fetches unasked


def write_pages(folder: Path, figures: Sequence[str], resamples: int) -> None:
    """Write every page that is made from code and data into a copy of docs/."""
    bench = Bench(ROOT / "data")
    pools, seconds = found.pools(bench, resamples), found.seconds(bench)
    pages = {"proxies/index.md": proxies.overview(pools), "api/index.md": api.overview()}
    for family in proxies.FAMILIES:
        pages[f"proxies/{family}.md"] = proxies.family_page(family, pools, seconds, resamples)
    for package in api.PACKAGES:
        pages[f"api/{api.file_of(package)}"] = api.package_page(package)
    for name, page in copies.PAGES.items():
        pages[page] = copies.page_of(ROOT / name)
    for path in sorted((folder / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{path.stem}.md"] = notebooks.page_of(path)
    (folder / "figures").mkdir()
    gallery.draw_front(bench, resamples, folder / "figures/front.png")
    pages["gallery.md"] = gallery.draw(bench, figures, folder / "figures")
    front = (folder / "index.md").read_text()
    pages["index.md"] = card.replaced(front, {"held": card.networks(bench)}, "docs/index.md")
    for name, text in pages.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def build(folder: Path) -> Path:
    """Make the site of a folder that has zensical.toml and docs/; its path.

    Raises:
        OutputError: zensical found a fault, which it names, or a page would ask another host.
    """
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutputError(f"zensical ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    asking = sorted(asked_elsewhere(folder / "site"))
    if asking:
        raise OutputError(f"the site would ask other hosts: {', '.join(asking)}; take that out of docs/")
    return folder / "site"


def asked_elsewhere(site: Path) -> Iterator[str]:
    """What the pages would load from other hosts, with the page; links that a reader clicks are none."""
    for page in site.rglob("*.html"):
        for address in LOADS.findall(page.read_text()):
            yield f"{address} ({page.relative_to(site)})"


@say_errors
def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("site"), help="folder of the site; default: %(default)s"
    )
    parser.add_argument("--figures", nargs="*", default=list(FIGURES), help="of the gallery; default: all")
    parser.add_argument("--resamples", type=int, default=200, help="for intervals; default: %(default)s")
    given = parser.parse_args(argv)
    check_known("figure", given.figures, FIGURES)
    for package in ("zensical", "mkdocstrings_handlers.python"):
        needs("the site", package)
    with tempfile.TemporaryDirectory() as there:
        folder = Path(there)
        shutil.copytree(ROOT / "docs", folder / "docs")
        (folder / "docs/zensical.toml").rename(folder / "zensical.toml")
        write_pages(folder / "docs", given.figures, given.resamples)
        site = build(folder)
        shutil.rmtree(given.out, ignore_errors=True)
        shutil.copytree(site, given.out)
    pages = len(list(given.out.rglob("*.html")))
    print(f"{given.out}: {pages} pages; to look at them: python -m http.server --directory {given.out}")


if __name__ == "__main__":
    sys.exit(main())
