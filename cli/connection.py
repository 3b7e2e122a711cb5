"""Which API a command talks to, and with whose token."""

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cli.client import Api
from cli.failures import UsageFailure
from local.issuer import Issuer
from terrafusion.auth import Role

DEFAULT_STATE = Path(".terrafusion")


def state_directory(option: Path | None) -> Path:
    """The local cloud's folder: the option, TERRAFUSION_STATE, or `.terrafusion` here."""
    return option or Path(os.environ.get("TERRAFUSION_STATE") or DEFAULT_STATE)


@dataclass(frozen=True, slots=True)
class RunningCloud:
    """What a local cloud that is up says of itself in `run.json`."""

    url: str
    aws_url: str
    metrics_url: str
    access_key: str
    secret_key: str
    region: str
    data_bucket: str

    @classmethod
    def find(cls, state: Path) -> "RunningCloud | None":
        """The cloud that runs on a state folder, if one does."""
        try:
            text = (state / "run.json").read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        run = json.loads(text)
        if not _alive(run["pid"]):
            return None
        return cls(
            url=run["url"],
            aws_url=run["aws_url"],
            metrics_url=run["metrics_url"],
            access_key=run["credentials"]["access_key"],
            secret_key=run["credentials"]["secret_key"],
            region=run["credentials"]["region"],
            data_bucket=run["buckets"]["DataBucket"],
        )


def connect(api: str | None, token: str | None, state: Path) -> Api:
    """Connect to a deployed API, or to the local cloud that is up.

    The address is the option's, TERRAFUSION_API's, or the running local cloud's; for the last, whose keys are this
    user's own, a token is made when none is given.

    Raises
    ------
    UsageFailure
        When there is neither, or no token for a deployed API.
    """
    address = api or os.environ.get("TERRAFUSION_API")
    token = token or os.environ.get("TERRAFUSION_TOKEN")
    if address:
        if not token:
            raise UsageFailure(f"No token for {address}. Give --token or set TERRAFUSION_TOKEN.")
        return Api(address, token)
    cloud = RunningCloud.find(state)
    if cloud is None:
        raise UsageFailure(
            f"No local cloud is running on {state}. Start one with `terrafusion up`, or name an API with --api."
        )
    return Api(cloud.url, token or Issuer(state).token(getpass.getuser(), [Role.IT_ADMIN], []))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
