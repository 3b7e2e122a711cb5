"""What a client asks of a digest."""

from pydantic import BaseModel, ConfigDict, Field


class DigestRequest(BaseModel):
    """A layer, and how many times it is read: more passes take longer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    county_id: str = Field(min_length=1, max_length=64)
    layer: str = Field(min_length=1, max_length=63)
    passes: int = Field(default=1, ge=1, le=10_000)
