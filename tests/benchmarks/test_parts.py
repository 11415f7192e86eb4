import inspect
from importlib import import_module

import pytest

from tests.benchmarks.__main__ import PARTS
from tests.benchmarks.part import Size


@pytest.mark.parametrize("name", PARTS)
def test_every_benchmark_that_can_be_chosen_is_there(name: str) -> None:
    module = import_module(f"tests.benchmarks.{PARTS[name][0]}")
    assert inspect.iscoroutinefunction(module.measure)
    assert list(inspect.signature(module.measure).parameters) == ["size", "progress"]
    assert set(module.PLANS) >= {Size.SMALL, Size.FULL}
