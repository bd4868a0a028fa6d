"""`make cost`: measures what 1,000 images cost on AWS, and writes docs/cost.md."""

import typer

from tools import document
from tools.cost import measure
from tools.cost.model import FOLDER

if __name__ == "__main__":
    typer.echo("measuring on the embedded AWS (a minute or two) …")
    (FOLDER / "measured.json").write_text(measure.run().model_dump_json(indent=2) + "\n")
    document.write()
    typer.echo("docs/cost.md is written")
