"""The breaker that processes share: a real Redis, real faults, several processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pybreaker
import pytest
from servers.breaker_process import BreakerProcess
from servers.redis_server import RedisServer

from oms.unified.resilience import (
    BreakerStore,
    CircuitBreakerConfig,
    CircuitOpenError,
    CircuitState,
    DistributedCircuitBreaker,
    PolicyInvalid,
    ResilienceRegistry,
)

PATIENT_MS = 30_000.0
"""Deadline of tests that are not about deadlines: this machine may be busy."""

PROBES = "oms:breaker:{shared}:probes"
"""Where the eight processes' breaker keeps its permits, by the end of each lease."""

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


@pytest.fixture
def replica() -> Iterator[Callable[..., DistributedCircuitBreaker]]:
    """Build a breaker with a store of its own, as another process would have it."""
    stores: list[BreakerStore] = []

    def build(
        server: RedisServer, name: str = "svc", *, deadline_ms: float = PATIENT_MS, poll_s: float = 0.05, **config: Any
    ) -> DistributedCircuitBreaker:
        stores.append(BreakerStore(server.url, deadline_ms=deadline_ms, poll_s=poll_s))
        return DistributedCircuitBreaker(name, store=stores[-1], config=CircuitBreakerConfig(**config))

    yield build
    for store in stores:
        store.close()


def ok() -> str:
    """Succeed."""
    return "well"


def fail(breaker: DistributedCircuitBreaker, times: int = 1) -> None:
    """Let *times* calls fail."""

    def failing() -> None:
        raise ConnectionError

    for _ in range(times):
        with pytest.raises(ConnectionError):
            breaker.call(failing)


def until(condition: Callable[[], bool], patience_s: float = 60.0) -> bool:
    """Wait until *condition* holds. Return whether it came to that."""
    give_up_at = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.001)
    return True


def test_shared_window(redis_server: RedisServer, replica: Any) -> None:
    """Failures of two replicas add up, and both are open."""
    first, second = (replica(redis_server, failure_threshold=4, timeout=600) for _ in range(2))
    assert "well" == second.call(ok)
    fail(first, 2)
    before = first.state
    fail(second, 2)

    assert CLOSED is before
    assert until(lambda: first.state is OPEN)
    for breaker in (first, second):
        with pytest.raises(CircuitOpenError) as caught:
            breaker.call(ok)
        assert 500 < caught.value.retry_after <= 600


def test_shared_ratio(redis_server: RedisServer, replica: Any) -> None:
    """Successes of one replica count against failures of the other."""
    well, ill = (replica(redis_server, poll_s=0.02, failure_threshold=3) for _ in range(2))
    for _ in range(50):
        well.call(ok)
    assert until(lambda: successes_there(redis_server) == 50)
    fail(ill, 10)

    assert CLOSED is ill.state


def successes_there(server: RedisServer) -> int:
    """Return the successes in Redis."""
    with server.client() as client:
        window = client.hgetall("oms:breaker:{svc}:window")
    return sum(int(count) for field, count in window.items() if field.startswith(b"s"))


def test_closed_calls_ask_nobody(own_redis: RedisServer, replica: Any) -> None:
    """A thousand closed calls make no round trip: they go through while Redis stands still, and nobody notices that it does."""
    breaker = replica(own_redis, deadline_ms=60_000, poll_s=60)
    breaker.call(ok)
    own_redis.pause()
    answers = {breaker.call(ok) for _ in range(1000)}
    lost = breaker.store.is_lost
    own_redis.resume()

    assert ({"well"}, False) == (answers, lost)


def test_recovery(redis_server: RedisServer, replica: Any) -> None:
    """After its time probes of either replica close it for both, whoever made them."""
    first, second = (replica(redis_server, failure_threshold=1, timeout=0.05, success_threshold=2) for _ in range(2))
    second.call(ok)
    fail(first)
    assert until(lambda: second.state is OPEN)
    assert until(lambda: tries(first))
    half = first.state
    assert until(lambda: tries(second))

    assert (HALF_OPEN, CLOSED) == (half, second.state)
    assert until(lambda: first.state is CLOSED)


def tries(breaker: DistributedCircuitBreaker) -> bool:
    """Tell whether a call is let through."""
    try:
        breaker.call(ok)
    except CircuitOpenError:
        return False
    return True


def test_probe_fails(redis_server: RedisServer, replica: Any) -> None:
    """A failing probe opens it again for both; a cancelled one gives its permit back."""
    first, second = (replica(redis_server, failure_threshold=1, success_threshold=1) for _ in range(2))
    second.call(ok)
    first.half_open()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.call(interrupted)
    assert until(lambda: second.state is HALF_OPEN)
    fail_when_admitted(second)

    assert OPEN is second.state
    assert until(lambda: first.state is OPEN)


def test_by_hand(redis_server: RedisServer, replica: Any) -> None:
    """What one replica is told by hand, the other one does."""
    first, second = replica(redis_server), replica(redis_server)
    second.call(ok)
    first.open(600)
    assert until(lambda: second.state is OPEN)
    left = second.opens_in()
    second.close()

    assert 500 < left <= 600
    assert until(lambda: first.state is CLOSED)
    assert "well" == first.call(ok)


def test_names_apart(redis_server: RedisServer, replica: Any) -> None:
    """Breakers of other names share nothing, however odd the names."""
    names = ["a", "a:b", "{a}", "ä b"]
    breakers = [replica(redis_server, name) for name in names]
    for breaker in breakers:
        breaker.call(ok)
    breakers[0].open()
    breakers[2].open()

    assert [False, True, False, True] == [tries(breaker) for breaker in breakers]


def test_everything_expires(redis_server: RedisServer, replica: Any) -> None:
    """No key stays for ever."""
    breaker = replica(redis_server, failure_threshold=2)
    fail(breaker, 1)
    names = redis_server.keys()
    fail(breaker, 1)
    breaker.half_open()
    breaker.call(ok)
    with redis_server.client() as client:
        lives = [client.pttl(name) for name in sorted(redis_server.keys())]

    assert ["oms:breaker:{svc}", "oms:breaker:{svc}:window"] == names
    assert lives
    assert all(0 < life < 3_600_000 for life in lives)


def test_async(redis_server: RedisServer, replica: Any) -> None:
    """Async calls open it, are rejected, probe and close it, on several loops one after the other."""
    breaker = replica(redis_server, failure_threshold=2, success_threshold=2)

    async def failing() -> None:
        raise ConnectionError

    async def well() -> str:
        return "well"

    async def open_it() -> None:
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await breaker.acall(failing)
        with pytest.raises(CircuitOpenError):
            await breaker.acall(well)

    async def close_it() -> list[str]:
        return [await breaker.acall(well) for _ in range(2)]

    asyncio.run(open_it())
    # Its time is over when this test says so, not while it still looks at the open breaker.
    breaker.open(0)
    with asyncio.Runner() as runner:
        answers = runner.run(close_it())

    assert (["well", "well"], CLOSED) == (answers, breaker.state)


def test_async_probes(redis_server: RedisServer, replica: Any) -> None:
    """Async probes are told of, by block and by call; one that says nothing gives its permit back, one that fails opens it."""
    breaker = replica(redis_server, success_threshold=3, exclude=(KeyError,))
    heard: list[str] = []

    class Listener(pybreaker.CircuitBreakerListener):
        def success(self, cb: Any) -> None:
            heard.append("success")

        def failure(self, cb: Any, exc: BaseException) -> None:
            heard.append("failure")

    breaker.add_listener(Listener())

    async def raising(error: BaseException) -> None:
        raise error

    async def scenario() -> None:
        breaker.half_open()
        async with breaker.acalling():
            pass
        for error in (KeyError(), asyncio.CancelledError(), ConnectionError()):
            with pytest.raises(type(error)):
                await breaker.acall(raising, error)

    asyncio.run(scenario())

    assert (["success", "failure"], OPEN) == (heard, breaker.state)
    assert (1, 1, 2) == (breaker.counts.successes, breaker.counts.failures, breaker.counts.neutral)


def test_cancelled_while_asking(own_redis: RedisServer, replica: Any) -> None:
    """Who is cancelled while he waits for a permit does not keep it."""
    breaker = replica(own_redis, success_threshold=1)
    breaker.half_open()
    reached: list[int] = []

    async def well() -> None:
        reached.append(1)

    async def scenario() -> None:
        own_redis.pause()
        task = asyncio.ensure_future(breaker.acall(well))
        # One turn of the loop for the task to ask, one for it to wait.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        own_redis.resume()

    asyncio.run(scenario())

    assert [] == reached
    assert until(lambda: tries(breaker))


def test_redis_down_at_construction(own_redis: RedisServer, replica: Any) -> None:
    """With no Redis it is built all the same, works alone, and shares when Redis comes."""
    own_redis.kill()
    first, second = (replica(own_redis, failure_threshold=2) for _ in range(2))
    assert ["well", "well"] == [first.call(ok), second.call(ok)]
    fail(first, 2)
    alone = (first.state, second.state, first.store.is_lost)
    own_redis.start()

    assert (OPEN, CLOSED, True) == alone
    assert until(lambda: second.state is OPEN)
    assert until(lambda: not first.store.is_lost)


def test_killed_in_the_middle(own_redis: RedisServer, replica: Any) -> None:
    """An open breaker stays open when Redis is killed, recovers alone after its time, and closed calls never notice."""
    breaker = replica(own_redis, failure_threshold=1, timeout=600, success_threshold=1)
    fail(breaker)
    own_redis.kill()
    rejected = not tries(breaker)
    breaker.open(0.05)
    assert until(lambda: breaker.opens_in() == 0)
    probe = tries(breaker)

    assert (True, True, CLOSED) == (rejected, probe, breaker.state)
    assert 100 == sum(tries(breaker) for _ in range(100))


def test_state_survives_an_outage(own_redis: RedisServer, replica: Any) -> None:
    """After an outage, with its keys gone, a process that knows the breaker open opens it for all."""
    first, second = replica(own_redis), replica(own_redis)
    first.call(ok)
    second.call(ok)
    first.open(600)
    assert until(lambda: second.state is OPEN)
    own_redis.kill()
    own_redis.start()
    third = replica(own_redis)

    assert until(lambda: not tries(third))
    assert (False, False) == (tries(first), tries(second))


def test_outage_while_others_moved_on(own_redis: RedisServer, replica: Any) -> None:
    """After an outage a breaker that closed by itself takes over what Redis says."""
    first, second = (replica(own_redis, failure_threshold=1, timeout=600, success_threshold=1) for _ in range(2))
    second.call(ok)
    fail(first)
    own_redis.save()
    own_redis.kill()
    first.open(0)
    alone = (tries(first), first.state)
    own_redis.start()

    assert (True, CLOSED) == alone
    assert until(lambda: first.state is OPEN and second.state is OPEN)
    assert (False, False) == (tries(first), tries(second))


def fail_when_admitted(breaker: DistributedCircuitBreaker) -> None:
    """Let one call fail that is let through."""

    def failing() -> None:
        raise ConnectionError

    def failed() -> bool:
        try:
            breaker.call(failing)
        except ConnectionError:
            return True
        except CircuitOpenError:
            return False

    assert until(failed)


def test_stopped_redis(own_redis: RedisServer, replica: Any) -> None:
    """A Redis that hangs costs one caller its deadline; the next ones are told at once that nobody answers."""
    breaker = replica(own_redis, deadline_ms=200, failure_threshold=50, poll_s=30)
    assert until(lambda: shares(breaker))
    own_redis.pause()
    fail(breaker)
    assert until(lambda: breaker.store.is_lost)
    fail(breaker, 4)

    def told_at_once() -> bool:
        answers = [breaker.store.ask(breaker, "read", 0) for _ in range(100)]
        return all(answer.done() and answer.result() is None for answer in answers)

    # An answer from before it stood still may be taken for its return, once.
    ended = until(told_at_once)
    own_redis.resume()

    assert ended
    assert until(lambda: not breaker.store.is_lost)


def shares(breaker: DistributedCircuitBreaker) -> bool:
    """Tell whether a call got through and Redis answered its deadline."""
    return tries(breaker) and not breaker.store.is_lost


def test_script_flush(redis_server: RedisServer, replica: Any) -> None:
    """A Redis that has forgotten the script gets it again."""
    breaker = replica(redis_server, failure_threshold=2)
    fail(breaker)
    with redis_server.client() as client:
        client.script_flush()
    fail(breaker)

    assert (OPEN, False) == (breaker.state, breaker.store.is_lost)


def test_flushall_while_open(redis_server: RedisServer, replica: Any) -> None:
    """Who knows it open keeps it open when the keys are lost, and tells those who come later."""
    first = replica(redis_server)
    first.open(600)
    with redis_server.client() as client:
        client.flushall()
    later = replica(redis_server)

    assert not tries(first)
    assert until(lambda: not tries(later))


def test_full_memory(own_redis: RedisServer, replica: Any) -> None:
    """A Redis that takes no writes leaves the breaker on its own, and it opens."""
    breaker = replica(own_redis, failure_threshold=3, poll_s=30)
    breaker.call(ok)
    with own_redis.client() as client:
        client.config_set("maxmemory", 1)
    fail(breaker, 3)
    opened = breaker.state
    with own_redis.client() as client:
        client.config_set("maxmemory", 0)

    assert OPEN is opened


def test_back_before_it_is_counted(own_redis: RedisServer) -> None:
    """A failure that Redis did not hear of is decided on here, though Redis answers again when it is counted."""

    class Back(BreakerStore):
        @property
        def is_lost(self) -> bool:
            return False

    with closing(Back(own_redis.url, deadline_ms=PATIENT_MS, poll_s=30)) as store:
        breaker = DistributedCircuitBreaker("svc", store=store, config=CircuitBreakerConfig(failure_threshold=3))
        breaker.call(ok)
        own_redis.kill()
        fail(breaker, 3)

        assert OPEN is breaker.state


def test_replica_of_another(own_redis: RedisServer, replica: Any) -> None:
    """A Redis that has become read-only leaves the breaker on its own, and it opens."""
    breaker = replica(own_redis, failure_threshold=3, poll_s=30)
    breaker.call(ok)
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", "1")
    fail(breaker, 3)

    assert OPEN is breaker.state


def test_lost_publications(redis_server: RedisServer, replica: Any) -> None:
    """A move that nobody heard of is found by polling."""
    first, second = replica(redis_server), replica(redis_server)
    first.call(ok)
    second.call(ok)
    with redis_server.client() as client:
        client.client_kill_filter(_type="pubsub")
        first.open(600)

    assert until(lambda: second.state is OPEN)


def test_nonsense_on_the_channel(redis_server: RedisServer, replica: Any) -> None:
    """What others publish there harms nobody."""
    first, second = replica(redis_server, poll_s=30), replica(redis_server, poll_s=30)
    second.call(ok)
    assert until(lambda: listeners(redis_server) == 1)
    with redis_server.client() as client:
        for text in (
            "",
            "x",
            "[1]",
            '["svc","ajar","1","1"]',
            '["svc","open","one","1"]',
            '["nobody","open","1","1"]',
            "7",
        ):
            client.publish("oms:breaker:moves", text)
    first.open(600)

    assert until(lambda: second.state is OPEN)


def listeners(server: RedisServer) -> int:
    """Return how many listen for moves."""
    with server.client() as client:
        return int(client.pubsub_numsub("oms:breaker:moves")[0][1])


@pytest.mark.parametrize("url", ["", "http://a", "redis://a:port", "unix://x?nonsense=1"])
def test_bad_url(url: str) -> None:
    """An unusable url is refused without showing it."""
    with pytest.raises(PolicyInvalid) as caught:
        BreakerStore(url)

    assert "breaker store: url" in str(caught.value)
    assert not url or url not in str(caught.value)


def test_closed_store(redis_server: RedisServer, replica: Any) -> None:
    """After its store is closed a breaker goes on alone."""
    breaker = replica(redis_server, failure_threshold=1)
    breaker.call(ok)
    breaker.store.close()
    fail(breaker)

    assert (OPEN, True) == (breaker.state, breaker.store.is_lost)


def test_registry(redis_server: RedisServer) -> None:
    """A registry with a store builds breakers that share it."""
    store = BreakerStore(redis_server.url, deadline_ms=PATIENT_MS)
    breaker = ResilienceRegistry(store=store).get_circuit_breaker("svc")
    answer = breaker.call(ok)
    store.close()

    assert ("well", DistributedCircuitBreaker, False) == (answer, type(breaker), breaker.process_local)
    assert CLOSED is DistributedCircuitBreaker("later", store=redis_server.url).state


def test_fork(redis_server: RedisServer, replica: Any) -> None:
    """A forked child asks Redis for itself, and hears what happens after."""
    breaker = replica(redis_server)
    breaker.call(ok)
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            breaker.call(ok)
            os.write(tell, b".")
            code = int(not until(lambda: breaker.state is OPEN))
        finally:
            os._exit(code)
    os.read(told, 1)
    breaker.open(600)
    _, status = os.waitpid(child, 0)
    os.close(told)
    os.close(tell)

    assert 0 == os.waitstatus_to_exitcode(status)


@pytest.fixture
def eight(redis_server: RedisServer) -> Iterator[Callable[..., list[BreakerProcess]]]:
    """Start eight processes that share one breaker."""
    with ExitStack() as stack:

        def start(**config: Any) -> list[BreakerProcess]:
            made = [stack.enter_context(BreakerProcess(redis_server.url, **config)) for _ in range(8)]
            assert ["done"] * 8 == [process.ask("ok") for process in made]
            return made

        yield start


def test_eight_processes_hear(eight: Any) -> None:
    """A breaker that opens in one process is soon open in all eight; how soon is a figure of the bench."""
    processes = eight(failure_ratio=0, failure_threshold=1, timeout=600)
    for process in processes[1:]:
        process.tell("await open")
    failed = processes[0].ask("fail")

    assert "failed" == failed
    assert all(float(process.answer()) for process in processes[1:])
    assert ["rejected open"] * 8 == [process.ask("ok") for process in processes]


@pytest.mark.parametrize("calls", [250, pytest.param(12_500, marks=pytest.mark.stress)])
def test_no_failure_is_lost(eight: Any, calls: int) -> None:
    """Eight processes fail at once, so many times each: the breaker opens with the very last failure, no sooner and no later."""
    processes = eight(failure_ratio=0, failure_threshold=8 * calls, window=600.0)
    for process in processes:
        process.tell(f"fails {calls}")
    answers = [json.loads(process.answer()) for process in processes]
    for process in processes:
        process.tell("await open")

    assert [{"ConnectionError": calls}] * 8 == answers
    assert all(float(process.answer()) for process in processes)


@pytest.mark.parametrize("permits", [1, 3])
def test_one_probe_a_permit(eight: Any, permits: int) -> None:
    """Of eight processes that call a half-open breaker at once, exactly as many get through as there are permits, round after round."""
    processes = eight(
        failure_ratio=0, failure_threshold=1, timeout=0.2, half_open_permits=permits, success_threshold=permits
    )
    for _ in range(3):
        assert "failed" == processes[0].ask("fail")
        for process in processes:
            process.tell("await open")
        assert all(float(process.answer()) for process in processes)
        is_over = time.monotonic() + 0.21
        assert until(lambda at=is_over: time.monotonic() > at)
        for process in processes:
            process.tell("hold")
        answers = [process.answer() for process in processes]
        probes = [process for process, answer in zip(processes, answers, strict=True) if answer == "held"]

        assert (permits, 8 - permits) == (len(probes), answers.count("rejected half-open"))
        assert ["done"] * permits == [process.ask("ok") for process in probes]
        for process in processes:
            process.tell("await closed")
        assert all(float(process.answer()) for process in processes)


def test_killed_prober(eight: Any, redis_server: RedisServer) -> None:
    """A process that is killed in the middle of its probe gives its permit back when the lease is over, and not before."""
    lease_ms = 600_000
    processes = eight(
        failure_ratio=0, failure_threshold=1, timeout=0.05, success_threshold=1, probe_lease=lease_ms / 1000
    )
    processes[0].ask("fail")
    processes[1].ask("await open")
    is_over = time.monotonic() + 0.06
    assert until(lambda: time.monotonic() > is_over)
    held = processes[0].ask("hold")
    processes[0].process.send_signal(signal.SIGKILL)
    early = processes[1].ask("ok")
    with redis_server.client() as client:
        # The lease is a time of the server's clock: what it lacks to its end is taken from it.
        ((token, ends),) = client.zrange(PROBES, 0, -1, withscores=True)
        seconds, microseconds = client.time()
        left_ms = ends - (seconds * 1000 + microseconds / 1000)
        client.zincrby(PROBES, -lease_ms, token)

    assert ("held", "rejected half-open") == (held, early)
    assert 0 < left_ms <= lease_ms
    assert "done" == processes[1].ask("ok")
