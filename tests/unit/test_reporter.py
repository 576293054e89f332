"""What a worker has used, by phase, with a thread at work beside its loop."""

from tidewatt.domain.ledger import Phase
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.messages import Report
from tidewatt.runtime.reporter import Reporter


def test_a_thread_beside_the_loop_is_charged_to_checkpoints_and_nobody_pays_twice() -> None:
    ours, other = Channel.pair()
    theirs = Channel(other)
    used = [0.0]
    reporter = Reporter(ours)
    reporter.charge_beside(lambda: used[0])
    reporter.enter(Phase.COMPUTE)
    used[0] = 1e6  # far more than this process can have used: the loop's own share must not fall below zero
    reporter.phases()
    (first,) = theirs.receive()
    assert isinstance(first, Report)
    assert first.cpu_s[Phase.CHECKPOINT] == 1e6
    assert first.cpu_s.get(Phase.COMPUTE, 0.0) >= 0.0
    reporter.phases()
    (second,) = theirs.receive()
    assert isinstance(second, Report)
    assert second.cpu_s[Phase.CHECKPOINT] == 1e6
    assert all(second.cpu_s[phase] >= spent for phase, spent in first.cpu_s.items())
    ours.close()
    theirs.close()
