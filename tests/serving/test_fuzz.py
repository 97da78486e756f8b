"""Whatever is sent, as its description allows or forbids it, no answer says that the server broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.serving.app import create_app
from instructerc.serving.limits import Limits
from tests.serving.conftest import running

pytestmark = pytest.mark.slow

ADDRESSES = 10


@pytest.fixture(scope="module")
def described(recognizer: EmotionRecognizer) -> Iterator[schemathesis.BaseSchema]:
    # Few labels and turns: what is fuzzed is the server, not the patience of the model.
    with running(create_app(recognizer, limits=Limits(turns=20, conversations=4, labels=4))) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_no_request_breaks_the_server(described: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    statuses: Counter[int] = Counter()
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) == ADDRESSES
    for operation in operations:

        @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            response = case.call(timeout=60)
            statuses[response.status_code] += 1
            assert response.status_code < 500, (case.as_curl_command(), response.text)
            if response.status_code >= 400:
                assert response.json()["error"]["message"]

        if mode is GenerationMode.POSITIVE or operation.body or operation.query:
            ask()
    assert statuses[200 if mode is GenerationMode.POSITIVE else 422]
