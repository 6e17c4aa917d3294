import json
import threading
import time

import pytest
from conftest import KEY, error

from gavel_train.contracts import GradeRequest
from gavel_train.judging.gateway import GatewayAway, GatewayClient, GatewayFailed
from gavel_train.run import progress
from gavel_train.run.outcome import BadRequest, JudgeAway


def asking(number: int = 0) -> GradeRequest:
    return GradeRequest(
        role="judge",
        mode=None,
        occasion=f"grpo:1:0:{number}",
        prompt="1+1=",
        completion=str(number),
        ground_truth=None,
    )


@pytest.fixture
def client_of(tmp_path):
    clients = []

    def make(url: str, **settings) -> GatewayClient:
        clients.append(GatewayClient(url, KEY, **({"concurrency": 4} | settings)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_grades_come_back_in_the_order_asked(tmp_path, gateways, client_of):
    gateway = gateways(tmp_path)
    gateway.score = lambda request: int(request["completion"])
    grades = client_of(gateway.url).grade_many([asking(n) for n in range(10)])
    assert [grade.score for grade in grades] == list(range(10))


def test_no_more_calls_are_in_flight_than_the_limit(tmp_path, gateways, client_of):
    gateway, now, most, lock = gateways(tmp_path), [0], [0], threading.Lock()
    real = gateway.grade

    def slow(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return real(request)

    gateway.grade = slow
    client_of(gateway.url, concurrency=3).grade_many([asking(n) for n in range(12)])
    assert most[0] == 3


def test_a_judge_that_stays_away_is_final(tmp_path, gateways, client_of):
    gateway = gateways(tmp_path)
    gateway.answer_with = (503, error("away for 1800 s", "judge_away"))
    with pytest.raises(JudgeAway, match="away for 1800 s"):
        client_of(gateway.url).grade(asking())


def test_a_refused_request_is_a_bad_request_and_not_repeated(tmp_path, gateways, client_of):
    gateway = gateways(tmp_path)
    gateway.answer_with = (400, error("role judge is not configured", "bad_request"))
    with pytest.raises(BadRequest, match="role judge is not configured"):
        client_of(gateway.url).grade(asking())


def test_a_wrong_key_fails_at_once_and_is_not_shown(tmp_path, gateways):
    client = GatewayClient(gateways(tmp_path).url, "wrong-secret", concurrency=1)
    with pytest.raises(GatewayAway, match="GAVEL_API_KEY") as caught:
        client.grade(asking())
    assert "wrong-secret" not in str(caught.value)


def publish(endpoint, url: str) -> None:
    record = {
        "role": "gateway-grpo",
        "base_url": f"{url}/v1",
        "model": "gateway",
        "model_digest": None,
        "pid": 1,
        "host": "here",
        "api_key_env": "GAVEL_API_KEY",
        "started_at": "2026-01-01T00:00:00Z",
    }
    endpoint.write_text(json.dumps(record))


def test_a_gateway_that_refuses_the_key_is_a_strangers_and_the_own_one_is_looked_up(
    tmp_path, gateways, client_of
):
    stranger, own = gateways(tmp_path / "stranger"), gateways(tmp_path / "own")
    stranger.answer_with = (401, error("wrong key", "bad_key"))
    endpoint = tmp_path / "gateway-grpo.json"
    publish(endpoint, stranger.url)
    pending = client_of(stranger.url, endpoint_file=endpoint).submit(asking())
    time.sleep(0.5)
    assert not pending.done()
    publish(endpoint, own.url)
    assert pending.result(timeout=20).verdict == "scored"


def test_a_gateway_that_comes_back_on_another_port_is_found_and_the_wait_is_reported(
    tmp_path, gateways, client_of, monkeypatch
):
    waits = []
    monkeypatch.setattr(progress, "waiting", lambda what, seconds: waits.append(what))
    first = gateways(tmp_path)
    endpoint = tmp_path / "gateway-grpo.json"
    client = client_of(first.url, endpoint_file=endpoint)
    assert client.grade(asking(1)).verdict == "scored"
    first.stop()
    pending = client.submit(asking(2))
    time.sleep(0.3)
    assert not pending.done()
    second = gateways(tmp_path)
    publish(endpoint, second.url)
    assert pending.result(timeout=20).verdict == "scored"
    assert set(waits) == {"gateway"}


def test_a_gateway_that_stays_away_raises_after_its_limit(client_of):
    with pytest.raises(GatewayAway, match="no answer"):
        client_of("http://127.0.0.1:9", away_limit_s=0.3).grade(asking())


def test_a_fault_of_the_gateway_is_final_and_names_the_row(tmp_path, gateways, client_of):
    gateway = gateways(tmp_path)
    gateway.answer_with = (500, error("The gateway failed: x is not iterable", "internal"))
    with pytest.raises(GatewayFailed, match=r"^grpo:1:0:7: The gateway failed: x is not iterable"):
        client_of(gateway.url, away_limit_s=5).grade(asking(7))


def test_a_500_that_is_not_the_gateways_own_is_asked_again(tmp_path, gateways, client_of):
    gateway = gateways(tmp_path)
    gateway.answer_with = (500, {"detail": "a proxy without its server"})
    with pytest.raises(GatewayAway, match="HTTP 500"):
        client_of(gateway.url, away_limit_s=0.3).grade(asking())


@pytest.mark.parametrize("grade", [{"verdict": "scored"}, {"trace_keys": ["\ud83d"]}])
def test_a_grade_that_cannot_be_read_names_the_row(tmp_path, gateways, client_of, grade):
    gateway = gateways(tmp_path)
    gateway.answer_with = (200, grade)
    with pytest.raises(GatewayFailed, match=r"^grpo:1:0:7: expected a Grade from the gateway"):
        client_of(gateway.url).grade(asking(7))
