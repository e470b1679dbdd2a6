"""What connections and servers have counted, added up."""

from __future__ import annotations

from websockets.session.stats import ConnectionStats, Totals

BUSY = ConnectionStats(
    messages_received=1,
    messages_sent=2,
    controls_received=3,
    bytes_received=4,
    bytes_sent=5,
    compressed_received=6,
    uncompressed_received=7,
    compressed_sent=8,
    uncompressed_sent=9,
    reading_pauses=10,
    writing_pauses=11,
    buffered_bytes=12,
    queued_messages=13,
    queued_bytes=14,
    latency=0.5,
    close_code=1000,
)


def test_a_new_connection_has_counted_nothing() -> None:
    assert set(ConnectionStats()) == {0, None}


def test_a_server_adds_up_what_lives_and_what_has_ended() -> None:
    totals = Totals()
    totals.add(BUSY, True)
    totals.add(ConnectionStats(bytes_received=100), False)
    totals.add(ConnectionStats(), True)
    stats = totals.with_live(
        [BUSY, BUSY._replace(latency=1.5), BUSY._replace(latency=0.0)],
        connections=2,
        handshakes=1,
        accepted=2,
        rejected={"origin": 3},
    )
    assert stats.connections == 2
    assert stats.handshakes == 1
    assert stats.accepted == 4
    assert stats.rejected == {"origin": 3}
    assert stats.closed == {1000: 1, 1006: 1}
    names = ConnectionStats._fields
    for name in names[: names.index("buffered_bytes")]:
        extra = 100 if name == "bytes_received" else 0
        assert getattr(stats, name) == 4 * getattr(BUSY, name) + extra
    # What has ended has nothing waiting any more.
    assert stats[-4:] == (36, 39, 42, 1.0)


def test_a_server_without_connections() -> None:
    stats = Totals().with_live([], connections=0, handshakes=0, accepted=0, rejected={})
    assert stats.latency == 0
    assert stats.rejected == stats.closed == {}
    assert not any(stats[5:])
