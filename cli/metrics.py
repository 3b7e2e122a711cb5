"""`terrafusion metrics`: Prometheus series out of EMF lines, wherever they come from."""

import signal
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from io import BufferedReader
from pathlib import Path
from types import FrameType
from typing import Annotated, cast

import typer

from cli.failures import UsageFailure
from cli.output import errors
from local.cloud import TEMPLATE
from local.exporter import Exporter
from local.following import Follower, lines_of
from local.plugins import metrics_of
from local.prometheus import Adapter
from terrafusion.metrics import MetricSpec

app = typer.Typer(help="Prometheus series out of EMF lines: stdin, files, `sam local`.", no_args_is_help=True)

PORT = 9465
STDIN = Path("-")
SourceArgument = Annotated[Path, typer.Argument(help="A file of lines; - is standard input.", show_default="-")]
TemplateOption = Annotated[Path, typer.Option("--template", help="Whose plugins' metrics are known.")]


@app.command()
def convert(source: SourceArgument = STDIN, template: TemplateOption = TEMPLATE) -> None:
    """Read lines to their end, and print the series."""
    with closing(Adapter(known_metrics(template))) as adapter, _opened(source) as stream:
        for lines in lines_of(stream):
            adapter.feed_all(lines)
        sys.stdout.buffer.write(adapter.text())


@app.command()
def serve(
    source: SourceArgument = STDIN,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more lines, and for the file that takes its place.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option("--state", help="Database that keeps the series and how far the file was read.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 is any free one.")] = PORT,
    template: TemplateOption = TEMPLATE,
) -> None:
    """Serve /metrics, counting lines as they come, until Ctrl-C."""
    if follow and source == STDIN:
        raise UsageFailure("Standard input is followed anyway; --follow takes a file.")
    if not follow or source.exists():  # who follows may wait for a file
        with _opened(source):
            pass
    with closing(_kept_in(state, known_metrics(template))) as adapter:
        exporter = Exporter(adapter, host, port)
        exporter.start()
        errors.print(f"[bold]{exporter.url}[/bold]  (Ctrl-C to stop)")
        try:
            with _stopped_by_signals():
                _count(adapter, source, follow=follow)
                signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            exporter.stop()


def known_metrics(template: Path) -> Mapping[str, MetricSpec]:
    """The platform's metrics, and those of the plugins that lie beside a template."""
    return metrics_of(template.resolve().parent.glob("functions/*"))


def _count(adapter: Adapter, source: Path, *, follow: bool) -> None:
    if source == STDIN:
        with _opened(source) as stream:
            for lines in lines_of(stream):
                adapter.feed_all(lines)
        return
    name = str(source.resolve())
    follower = Follower(source, adapter.position(name), grows=follow)
    for lines, position in follower.batches():
        adapter.feed_all(lines, name, position)


def _kept_in(state: Path | None, known: Mapping[str, MetricSpec]) -> Adapter:
    """An adapter whose series are kept in a database."""
    try:
        return Adapter(known, state)
    except sqlite3.Error as error:
        raise UsageFailure(f"{state} is no database of metrics, and none can be made there: {error}.") from None


@contextmanager
def _opened(source: Path) -> Iterator[BufferedReader]:
    if source == STDIN:
        yield cast("BufferedReader", sys.stdin.buffer)
        return
    try:
        with source.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise UsageFailure(f"There is no file {source}.") from None
    except OSError as error:
        raise UsageFailure(f"{source} cannot be read: {error.strerror}.") from None


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM ends what runs within as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
