"""What the commands of all plugins share: run a job to its end, and say where its file goes."""

from pathlib import Path
from typing import Any

from cli.client import Api
from cli.failures import CommandFailure
from cli.output import progress_bar


def run_to_end(connection: Api, plugin: str, request: dict[str, Any], title: str, *, quiet: bool) -> dict[str, Any]:
    """Submit a job, show how it goes under a title, and give its results document.

    Raises
    ------
    CommandFailure
        When the job did not complete.
    """
    job = connection.submit(plugin, request)
    with progress_bar(hidden=quiet) as bar:
        task = bar.add_task(title, total=100)
        last = connection.wait(job, lambda d: bar.update(task, completed=d["progress"]))
    if last["status"] != "COMPLETED":
        reason = f" ({last['failure_reason']})" if last["failure_reason"] else ""
        raise CommandFailure(f"Job {last['job_id']} is {last['status']}: {last['message']}{reason}")
    return dict(connection.get(last["links"]["results"]))


def target_path(output: Path | None, name: str) -> Path:
    """Where to write: the file named, or the result's own name in a folder."""
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output
