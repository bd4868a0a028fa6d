"""The options of the commands, each declared once."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from imagejobs_cli.session import Session, ending

Address = Annotated[str | None, typer.Option(help="The service, instead of IMAGEJOBS_ADDRESS.", metavar="URL")]
KeyFile = Annotated[str | None, typer.Option(help="A file with the API key; - reads stdin.", metavar="FILE")]
AskKey = Annotated[bool, typer.Option("--ask-key", help="Ask for the API key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, for scripts.")]
# Every command takes these, and `imagejobs` itself before the command's name.
SHARED = {"address": Address, "key_file": KeyFile, "ask_key": AskKey, "json": AsJson}

JobID = Annotated[str, typer.Argument(help="The job's id, or its beginning.", metavar="ID")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where the result goes.", metavar="PATH")]
Timeout = Annotated[
    float | None, typer.Option(min=1, help="Seconds to wait; then the job goes on without you.", metavar="SECONDS")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Start the job, write its id and end.")]
Key = Annotated[
    str | None,
    typer.Option(
        help="Makes a repeated command the same job, paid once; a repeat with --mask, --reference or one picture over "
        "4 MB is refused, since each run uploads these anew.",
        metavar="KEY",
    ),
]
_FILE: Any = {"exists": True, "dir_okay": False, "metavar": "FILE"}
Mask = Annotated[Path | None, typer.Option(help="A picture whose transparent part is edited.", **_FILE)]
References = Annotated[
    list[Path] | None, typer.Option("--reference", help="A picture for the model to look at; repeatable.", **_FILE)
]
SideBySide = Annotated[int, typer.Option(min=1, max=64, help="How many transfers run at once.", metavar="N")]


def _edit_option(help_text: str, metavar: str, name: str | None = None, most: int | None = None) -> Any:
    names = (name,) if name else ()
    return typer.Option(*names, help=help_text, metavar=metavar, min=None if most is None else 0, max=most)


EDIT = {
    "model": Annotated[str | None, _edit_option("One of `imagejobs models`.", "NAME")],
    "quality": Annotated[str | None, _edit_option("Such as low, medium, high.", "NAME")],
    "size": Annotated[str | None, _edit_option("Such as 1024x1024, or auto.", "WxH")],
    "output_format": Annotated[str | None, _edit_option("png, jpeg or webp.", "TYPE", "--format")],
    "output_compression": Annotated[int | None, _edit_option("Of jpeg or webp, 0 to 100.", "N", "--compression", 100)],
    "background": Annotated[str | None, _edit_option("transparent, opaque or auto.", "NAME")],
    "search": Annotated[str | None, _edit_option("The thing in the picture to change.", "TEXT")],
}


def command(app: typer.Typer, name: str, *, edit_options: bool = False) -> Callable[[Callable[..., None]], None]:
    """Register a function as a command. It gets a Session, and `options` as a dict where it takes those of an edit."""

    def register(function: Callable[..., None]) -> None:
        extra = {**(EDIT if edit_options else {}), **SHARED}

        @functools.wraps(function)
        def run(context: typer.Context, **given: Any) -> None:
            session = Session(**{name: given.pop(name) or context.obj[name] for name in SHARED})
            with ending(session):
                if edit_options:
                    given["options"] = {name: given.pop(name) for name in EDIT}
                function(session, **given)

        own = [one for one in inspect.signature(function).parameters.values() if one.name not in ("session", "options")]
        kind = inspect.Parameter.KEYWORD_ONLY
        more = [
            inspect.Parameter(name, kind, default=False if name in ("ask_key", "json") else None, annotation=hint)
            for name, hint in extra.items()
        ]
        context = inspect.Parameter("context", kind, annotation=typer.Context)
        signature = inspect.Signature([context, *(one.replace(kind=kind) for one in own), *more])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
        del run.__wrapped__
        app.command(name)(run)

    return register
