"""How what a function returned gets into its receipt."""

import pytest

from tidewatt.cli.record import as_result


@pytest.mark.parametrize(
    ("shown", "result"),
    [(None, None), ({"accuracy": 1.0}, {"accuracy": 1.0}), ({1: 2}, {"1": 2}), (42, {"result": 42})],
)
def test_a_result_gets_a_name(shown: object, result: dict[str, object] | None) -> None:
    assert as_result(shown) == result
