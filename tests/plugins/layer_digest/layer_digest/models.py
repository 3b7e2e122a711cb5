"""What a client asks of a digest."""

from pydantic import BaseModel, ConfigDict, Field


class DigestRequest(BaseModel):
    """A layer, how many times it is read, and how many copies are held: more take longer, and more memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    county_id: str = Field(min_length=1, max_length=64)
    layer: str = Field(min_length=1, max_length=63)
    passes: int = Field(default=1, ge=1, le=10_000)
    copies: int = Field(default=1, ge=1, le=10_000)
