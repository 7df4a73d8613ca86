"""Each behaviour is a coroutine function of the engine, run over every backend: see `behaviour`."""

from __future__ import annotations

import pytest

from tests.contract.backends import BACKENDS, ROOT_BACKENDS, Backend


@pytest.fixture(
    params=[
        *(pytest.param(one, id=one.name) for one in BACKENDS),
        *(pytest.param(one, id=one.name, marks=pytest.mark.root) for one in ROOT_BACKENDS),
    ]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found
