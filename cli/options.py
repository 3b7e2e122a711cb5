"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ApiOption = Annotated[str | None, typer.Option("--api", help="Address of a deployed API; else TERRAFUSION_API.")]
TokenOption = Annotated[str | None, typer.Option("--token", help="Bearer token; else TERRAFUSION_TOKEN.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", help="Folder of the local cloud; else TERRAFUSION_STATE or .terrafusion.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's document instead of a table.")]
PluginOption = Annotated[str, typer.Option("--plugin", help="Kind of job.")]
JobArgument = Annotated[str, typer.Argument(help="The job's id.", show_default=False)]
CountyArgument = Annotated[str, typer.Argument(help="The county's id.", show_default=False)]
