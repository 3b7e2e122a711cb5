"""What the local cloud sets up before anything runs: credentials, the template's parameters, its resources."""

import json
import secrets
from pathlib import Path

from local.aws.endpoint import AwsEndpoint, Credentials
from local.issuer import Issuer
from local.private_files import keep_once
from local.resources import ACCOUNT, REGION
from local.template import Template, declared_parameters

JWKS_PATH = "/.well-known/jwks.json"
"""Where the local cloud publishes its issuer's keys."""


def local_parameters(template: Path, issuer: Issuer, url: str) -> dict[str, str]:
    """Values of the parameters that a template has and that a local run sets."""
    values = {
        "Stage": "local",
        "JwtIssuer": issuer.issuer,
        "JwtAudience": issuer.audience,
        "JwksUrl": f"{url}{JWKS_PATH}",
    }
    declared = declared_parameters(template)
    return {name: value for name, value in values.items() if name in declared}


def create_resources(endpoint: AwsEndpoint, template: Template) -> dict[str, str]:
    """Create what is not there yet; gives the queues' URLs by ARN."""
    for table in template.tables.values():
        endpoint.create_table(table.properties)
    for bucket in template.buckets.values():
        endpoint.create_bucket(bucket.name)
    # a queue must be there before another names it as its dead-letter queue
    ordered = sorted(template.queues.values(), key=lambda queue: "RedrivePolicy" in queue.properties)
    urls = {queue.arn: endpoint.create_queue(queue.properties) for queue in ordered}
    for machine in template.state_machines.values():
        endpoint.create_state_machine(machine.name, machine.definition)
    return urls


def local_credentials(state: Path) -> Credentials:
    """The credentials of this folder's cloud, made once."""

    def make() -> bytes:
        keys = {"access_key": f"LOCAL{secrets.token_hex(8).upper()}", "secret_key": secrets.token_urlsafe(30)}
        return json.dumps(keys).encode()

    keys = json.loads(keep_once(state / "credentials.json", make))
    return Credentials(keys["access_key"], keys["secret_key"], REGION, ACCOUNT)
