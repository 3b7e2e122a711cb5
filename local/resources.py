"""Physical names, ARNs and attributes of a template's resources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

REGION = "us-west-2"
ACCOUNT = "123456789012"
PARTITION = "aws"
STACK_NAME = "terrafusion-local"


@dataclass(frozen=True, slots=True)
class Kind:
    """How resources of one type are called.

    Attributes
    ----------
    name_property
        The property that sets the physical name; without it, that is the logical id.
    arn, ref, attributes
        Format strings of `{name}`, `{arn}`, `{region}`, `{account}` and `{endpoint}` (the AWS endpoint's base URL).
    """

    name_property: str | None
    arn: str
    ref: str = "{name}"
    attributes: Mapping[str, str] = field(default_factory=dict)


QUEUE_URL = "{endpoint}/{account}/{name}"
TABLE = Kind(
    "TableName",
    "arn:aws:dynamodb:{region}:{account}:table/{name}",
    attributes={"StreamArn": "{arn}/stream/2020-01-01T00:00:00.000"},
)
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "AWS::DynamoDB::Table": TABLE,
        "AWS::IAM::Role": Kind("RoleName", "arn:aws:iam::{account}:role/{name}"),
        "AWS::KMS::Key": Kind(None, "arn:aws:kms:{region}:{account}:key/{name}"),
        "AWS::Logs::LogGroup": Kind("LogGroupName", "arn:aws:logs:{region}:{account}:log-group:{name}:*"),
        "AWS::S3::Bucket": Kind(
            "BucketName",
            "arn:aws:s3:::{name}",
            attributes={
                "DomainName": "{name}.s3.amazonaws.com",
                "RegionalDomainName": "{name}.s3.{region}.amazonaws.com",
            },
        ),
        "AWS::SNS::Topic": Kind(
            "TopicName", "arn:aws:sns:{region}:{account}:{name}", "{arn}", {"TopicArn": "{arn}", "TopicName": "{name}"}
        ),
        "AWS::SQS::Queue": Kind(
            "QueueName",
            "arn:aws:sqs:{region}:{account}:{name}",
            QUEUE_URL,
            {"QueueName": "{name}", "QueueUrl": QUEUE_URL},
        ),
        "AWS::Serverless::Function": Kind("FunctionName", "arn:aws:lambda:{region}:{account}:function:{name}"),
        "AWS::Serverless::HttpApi": Kind(
            None,
            "arn:aws:apigateway:{region}::/apis/{name}",
            attributes={"ApiId": "{name}", "ApiEndpoint": "https://{name}.execute-api.{region}.amazonaws.com"},
        ),
        "AWS::Serverless::LayerVersion": Kind(
            "LayerName", "arn:aws:lambda:{region}:{account}:layer:{name}:1", "{arn}", {"LayerVersionArn": "{arn}"}
        ),
        "AWS::Serverless::StateMachine": Kind(
            "Name", "arn:aws:states:{region}:{account}:stateMachine:{name}", "{arn}", {"Name": "{name}"}
        ),
    }
)


class Names:
    """What the resources of a template are called, found out when asked for.

    Parameters
    ----------
    resources
        Type and properties by logical id.
    resolve
        Gives a property without intrinsic functions.
    endpoint
        Base URL of the AWS endpoint, part of queue URLs.
    """

    def __init__(
        self, resources: Mapping[str, Mapping[str, Any]], resolve: Callable[[Any, str], Any], endpoint: str
    ) -> None:
        self._resources = resources
        self._resolve = resolve
        self._endpoint = endpoint
        self._names: dict[str, str] = {}
        self._pending: set[str] = set()

    def name(self, logical_id: str) -> str:
        """The physical name.

        Raises
        ------
        KeyError
            For an unknown resource, and for a name that refers to itself.
        """
        if logical_id not in self._names:
            if logical_id in self._pending:
                raise KeyError(f"the name of {logical_id} refers to itself")
            self._pending.add(logical_id)
            self._names[logical_id] = self._find_name(logical_id)
            self._pending.discard(logical_id)
        return self._names[logical_id]

    def arn(self, logical_id: str) -> str:
        """The ARN."""
        return self._format(logical_id, self._kind(logical_id).arn)

    def ref(self, logical_id: str) -> str:
        """What `Ref` gives; `Function.Alias` and `Function.Version` are those that SAM makes."""
        owner, _, made = logical_id.partition(".")
        if made in {"Alias", "Version"}:
            return self.arn(owner)
        return self._format(logical_id, self._kind(logical_id).ref)

    def attribute(self, logical_id: str, attribute: str) -> str:
        """What `Fn::GetAtt` gives; attributes of types that do not run here are made up."""
        if self._is_made_role(logical_id):
            return f"arn:aws:iam::{ACCOUNT}:role/{logical_id}"
        kind = self._kind(logical_id)
        if attribute == "Arn":
            return self.arn(logical_id)
        if attribute not in kind.attributes and self._resources[logical_id]["Type"] in KINDS:
            raise KeyError(f"{logical_id} has no attribute {attribute}")
        return self._format(logical_id, kind.attributes.get(attribute, f"{{name}}-{attribute}"))

    def _kind(self, logical_id: str) -> Kind:
        type_name = str(self._resources[logical_id]["Type"])
        service = type_name.split("::")[1].lower() if "::" in type_name else "custom"
        return KINDS.get(type_name, Kind(None, f"arn:aws:{service}:{{region}}:{{account}}:{{name}}"))

    def _find_name(self, logical_id: str) -> str:
        resource = self._resources[logical_id]
        key = self._kind(logical_id).name_property
        given = resource.get("Properties", {}).get(key) if key else None
        if given is not None:
            return str(self._resolve(given, f"Resources.{logical_id}.Properties.{key}"))
        return logical_id.lower() if resource["Type"] == "AWS::S3::Bucket" else logical_id

    def _format(self, logical_id: str, text: str) -> str:
        names = {"name": self.name(logical_id), "region": REGION, "account": ACCOUNT, "endpoint": self._endpoint}
        kind = self._kind(logical_id)
        return text.format(arn=kind.arn.format(**names), **names)

    def _is_made_role(self, logical_id: str) -> bool:
        """Whether a name is that of the role that SAM makes for a function or state machine."""
        return logical_id not in self._resources and logical_id.removesuffix("Role") in self._resources
