"""What decorators are told of triggers, and chains of them."""

from dataclasses import replace

import pytest

import tidewatt as tw
from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.trigger import After, Cause, Files, Schedule, Trigger, check_no_circle
from tidewatt.errors import UsageError


@tw.function()
def plain() -> None: ...


def test_a_decorator_keeps_what_its_function_waits_for() -> None:
    nightly = tw.function(schedule="0 3 * * *")(lambda: None)
    arriving = tw.function(on=tw.files("in/*.csv", settle="5 s", look_every="1 min"))(lambda path: path)
    following = tw.function(after=plain)(lambda: None)
    assert nightly.cause == Schedule(expression="0 3 * * *")
    assert arriving.cause == Files(pattern="in/*.csv", settle_s=5.0, look_every_s=60.0)
    assert following.cause == After(function="plain", origin=__file__)
    assert plain.cause is None


def test_two_causes_a_bare_pattern_and_a_plain_function_are_refused() -> None:
    with pytest.raises(UsageError, match="schedule and after of one function"):
        tw.function(schedule="0 3 * * *", after=plain)
    with pytest.raises(UsageError, match=r"write on=tw\.files"):
        tw.function(on="in/*.csv")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="decorated"):
        tw.function(after=print)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="to settle above zero"):
        tw.files("in/*.csv", settle="0 s")
    with pytest.raises(UsageError, match="a pattern"):
        tw.files("")


def trigger(name: str, cause: Cause) -> Trigger:
    return Trigger(
        name=name,
        cause=cause,
        function=FunctionSpec(name=name, kind=Kind.FUNCTION),
        payload=Payload(form="source", path="source.py", function=name, origin="/p.py"),
        arguments=(),
        handed="",
        zones=("DE",),
        deployed_wall=0.0,
        reached_wall=0.0,
    )


def test_a_chain_may_fork_and_be_long_but_not_bite_its_tail() -> None:
    start = trigger("a", Schedule(expression="0 3 * * *"))
    chain = tuple(trigger(name, After(function=before)) for before, name in ("ab", "bc", "ad", "cd"))
    for link in chain:
        check_no_circle(link, (start, *chain))
    with pytest.raises(UsageError, match="a -> b -> c -> a"):
        check_no_circle(trigger("a", After(function="c")), (start, *chain))
    with pytest.raises(UsageError, match="e -> e"):
        check_no_circle(trigger("e", After(function="e")), ())


def test_a_function_of_another_file_is_another_one() -> None:
    follows = After(function="a", origin="/p.py")
    assert follows.follows("a", "/p.py")
    assert follows.follows("a", ""), "a job that was submitted from Python has no file"
    assert not follows.follows("a", "/q.py")
    assert not follows.follows("b", "/p.py")
    assert replace(follows, origin="").follows("a", "/q.py")
