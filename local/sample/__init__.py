"""A believable county for people without one: generated, the same every time, in Washington State Plane feet."""

from local.sample.files import COUNTY_ID, SampleFiles, write
from local.sample.prices import Assessor, PriceModel

__all__ = ["COUNTY_ID", "Assessor", "PriceModel", "SampleFiles", "write"]
