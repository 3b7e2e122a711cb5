"""Of many who end the same job at once, one does."""

from local.aws.endpoint import AwsEndpoint
from terrafusion.jobs import JobStatus
from terrafusion.storage import Storage
from tests.integration.job_world import World
from tests.integration.races import race


def test_each_of_a_hundred_races_has_one_winner(
    endpoint: AwsEndpoint, bucket_names: dict[str, str], data: Storage
) -> None:
    ends = race(World(endpoint, bucket_names["ResultsBucket"], data), count=100, seed=1)

    assert sum(ends.values()) == 100
    assert set(ends) == {JobStatus.COMPLETED, JobStatus.CANCELLED}, "both must happen, or nothing was raced"
