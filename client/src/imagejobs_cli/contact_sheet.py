"""A batch's contact sheet: one HTML file beside the results, each picture before and after.

A browser shows it in every script, at any width, from 10 pictures to 10,000, and needs no image library here.
"""

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from imagejobs_client import Job, SavedImage

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f4f2ee; --card: #fff; --ink: #20222a; --faint: #646873; --good: #1d6f4c; --bad: #a92a2e;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181d; --card: #22252c; --ink: #eceae6; --faint: #a3a7b1; --good: #6fd3a4; --bad: #ff9a98; }
}
* { box-sizing: border-box; overflow-wrap: anywhere; }
body { margin: 0; padding: 2rem clamp(1rem, 4vw, 3rem); background: var(--paper); color: var(--ink); }
body { font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
header p { margin: .25rem 0 1.5rem; color: var(--faint); }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem; }
ul { margin: 0; padding: 0; list-style: none; }
li { background: var(--card); border-radius: 14px; padding: 1rem; box-shadow: 0 1px 3px #0002; break-inside: avoid; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; }
.pair > * { display: block; aspect-ratio: 3 / 2; border-radius: 8px; background: var(--paper); overflow: hidden; }
.pair > .none { display: grid; place-content: center; padding: .75rem; text-align: center; }
.none { font-size: .85rem; color: var(--bad); }
img { width: 100%; height: 100%; object-fit: contain; display: block; font-size: .8rem; color: var(--faint); }
h2 { margin: .75rem 0 0; font-size: 1rem; }
li p { margin: 0; font-size: .85rem; color: var(--faint); }
.completed, .failed { font-weight: 600; }
.completed { color: var(--good); }
.failed { color: var(--bad); }
"""
# The sheet runs nothing and asks no other host, whatever a file's name holds.
_POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'"


def write_sheet(path: Path, job: "Job", saved: Sequence["SavedImage"], before: Mapping[str, Path]) -> Path:
    """Write the sheet; `before` are the originals by their names in the batch, where they are on this machine."""
    failed = sum(one.path is None for one in saved)
    told = f"{len(saved) - failed} edited" + (f", {failed} failed" if failed else "")
    cards = "\n".join(_card(one, before.get(one.image.file), path.parent) for one in saved)
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>Contact sheet · {escape(told)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{escape(told)}</h1><p>{job.created_at.astimezone():%Y-%m-%d %H:%M} · job {escape(job.job_id)}</p></header>
<main><ul>
{cards}
</ul></main>
</body>
</html>
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _card(saved: "SavedImage", before: Path | None, folder: Path) -> str:
    image = saved.image
    name = escape(image.file)
    facts = _joined(
        image.model or image.engine, f"${image.cost_usd:.3f}" if image.cost_usd is not None else None, image.note
    )
    return (
        f'<li><div class="pair">{_picture(before, folder, f"{name}, before", "the original is not here")}'
        f"{_picture(saved.path, folder, f'{name}, after', image.error or 'no result')}</div>"
        f'<h2>{name}</h2><p><span class="{escape(image.status)}">{escape(image.status)}</span>{escape(facts)}</p></li>'
    )


def _joined(*facts: str | None) -> str:
    return "".join(f" · {fact}" for fact in facts if fact)


def _picture(path: Path | None, folder: Path, alt: str, instead: str) -> str:
    if path is None:
        return f'<div class="none">{escape(instead)}</div>'
    link = escape(_link(path, folder))
    return f'<a href="{link}"><img src="{link}" alt="{alt}" loading="lazy"></a>'


def _link(path: Path, folder: Path) -> str:
    """A link that goes on working when sheet, results and originals move together; another drive takes a whole path."""
    try:
        return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
    except ValueError:
        return path.resolve().as_uri()
