"""The template as SAM makes CloudFormation of it."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from samtranslator.translator.transform import transform

RESOURCE = re.compile(r"\$\{([^!}]+)\}")
PARAMETERS = {"Rollout": "Canary10Percent5Minutes"}


def deployed(template: Mapping[str, Any], uploads: str = "s3://uploads") -> dict[str, Any]:
    """CloudFormation's resources; what is packaged lies below `uploads`, under names that tell nothing of it."""
    packaged = copy.deepcopy(dict(template))
    for resource in packaged["Resources"].values():
        properties = resource.get("Properties", {})
        for member in ("CodeUri", "ContentUri", "DefinitionUri"):
            if member in properties:
                properties[member] = f"{uploads}/{str(properties[member]).strip('/').replace('/', '-')}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        return dict(transform(packaged, dict(PARAMETERS), _NoPolicies())["Resources"])


class _NoPolicies:
    """Stands for the look-up of AWS's managed policies, which asks AWS."""

    def load(self) -> dict[str, str]:
        return {}


def references(value: Any) -> Iterator[str]:
    """Logical ids that a value refers to, whether there are such resources or not."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield str(inner)
            elif key == "Fn::GetAtt":
                yield str(inner[0] if isinstance(inner, list) else inner).split(".")[0]
            elif key == "Fn::Sub":
                text, names = (inner, {}) if isinstance(inner, str) else inner
                yield from (match.split(".")[0] for match in RESOURCE.findall(text))
                yield from references(names)
            elif key == "DependsOn":
                yield from [inner] if isinstance(inner, str) else inner
            else:
                yield from references(inner)
