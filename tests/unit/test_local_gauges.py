"""What the local cloud measures when somebody looks."""

from prometheus_client import CollectorRegistry, generate_latest

from local.gauges import Depth, LocalGauges


def test_queues_and_open_jobs_are_measured_at_each_look() -> None:
    depths = {"work": Depth(2, 1.5)}
    jobs = {("gis-export", "PENDING"): 3, ("gis-export", "COMPLETED"): 1}  # ended, and not counted yet
    registry = CollectorRegistry()
    registry.register(LocalGauges(lambda: depths, lambda: jobs))

    before = generate_latest(registry).decode()
    depths["work"] = Depth(0, 0.0)
    jobs.clear()
    after = generate_latest(registry).decode()

    assert 'terrafusion_queue_messages{queue="work"} 2.0' in before
    assert 'terrafusion_queue_oldest_message_seconds{queue="work"} 1.5' in before
    assert 'terrafusion_open_jobs{plugin="gis-export",status="PENDING"} 3.0' in before
    assert 'terrafusion_open_jobs{plugin="gis-export",status="RUNNING"} 0.0' in before
    assert "COMPLETED" not in before
    assert 'terrafusion_queue_messages{queue="work"} 0.0' in after
    assert "# TYPE terrafusion_open_jobs gauge" in after
    assert "terrafusion_open_jobs{" not in after
