"""The system from outside, over HTTP.

Without options the suite starts a local cloud of its own. Against another deployment::

    pytest tests/e2e --api https://… --token-command 'my-issuer --role {role} --county {county}' --county my_county

or, in SAM's containers, what `make build` made: `pytest tests/e2e --sam -m 'not gateway'`.

The county must hold what the sample county of 1,500 parcels holds (`terrafusion sample --parcels 1500`), and another
county, `elsewhere`, its parcels, properties and sales. Tests that reach into processes or restart the cloud skip there.
"""

import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import PARCELS, SAM_READY_SECONDS, Client, LocalCloud, load_sample, terrafusion


@pytest.fixture(scope="session")
def sample_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the sample county was loaded from: the same bytes wherever they are made."""
    folder = tmp_path_factory.mktemp("sample")
    terrafusion("sample", "--parcels", str(PARCELS), "--output", str(folder))
    return folder


@pytest.fixture(scope="session")
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sample_files: Path
) -> Iterator[LocalCloud]:
    """The suite's own local cloud, with the sample county in two counties."""
    if request.config.getoption("--api") or request.config.getoption("--sam"):
        pytest.skip("reaches into the local cloud's processes; another deployment is tested")
    yield from _started(LocalCloud(tmp_path_factory.mktemp("cloud") / "state"), sample_files)


@pytest.fixture(scope="session")
def containers(tmp_path_factory: pytest.TempPathFactory, sample_files: Path) -> Iterator[LocalCloud]:
    """The same with the functions in SAM's containers, each plugin's image made by a first request."""
    for here in _started(LocalCloud(tmp_path_factory.mktemp("sam") / "state", sam=True), sample_files):
        headers = {"authorization": f"Bearer {here.token('ITAdmin', 'sample')}"}
        with httpx.Client(base_url=here.url, headers=headers, timeout=SAM_READY_SECONDS) as first:
            routes = first.get("/api/v1/openapi.json").json()["paths"]
            for path in (path for path in routes if path.endswith("/list")):
                assert first.get(path).status_code == 200, path
        yield here


def _started(here: LocalCloud, sample_files: Path) -> Iterator[LocalCloud]:
    here.start()
    load_sample(here, "sample", sample_files)
    load_sample(here, "elsewhere", sample_files, ("parcels", "properties", "sales"))
    yield here
    here.stop()


@pytest.fixture(scope="session")
def county(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--county"))


@pytest.fixture(scope="session")
def as_role(request: pytest.FixtureRequest, county: str) -> Iterator[Callable[..., Client]]:
    """Make a client of a role and county: `as_role("GISStaff")`."""
    made: dict[tuple[str, str], Client] = {}
    address = request.config.getoption("--api")
    token_command = request.config.getoption("--token-command")
    own = "containers" if request.config.getoption("--sam") else "cloud"
    here: LocalCloud | None = None if address else request.getfixturevalue(own)

    def token(role: str, of: str) -> str:
        if here is not None:
            return here.token(role, of)
        words = shlex.split(token_command.format(role=role, county=of))
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def make(role: str, of: str = county) -> Client:
        if (role, of) not in made:
            base = here.url if here is not None else address
            headers = {"authorization": f"Bearer {token(role, of)}"}
            made[role, of] = Client(httpx.Client(base_url=base, headers=headers, timeout=60), of)
        return made[role, of]

    yield make
    for client in made.values():
        client.http.close()


@pytest.fixture
def gis(as_role: Callable[..., Client]) -> Client:
    """A GIS analyst of the county."""
    return as_role("GISStaff")
