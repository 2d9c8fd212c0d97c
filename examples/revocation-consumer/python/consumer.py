"""Follows kcm.revocations.v1 and says, one JSON line each, what is closed and opened.

BROKERS=host:port,... [GROUP=kcm.consumer....] [STATE=file] python3 consumer.py
"""

import json
import os
import signal
from pathlib import Path

from confluent_kafka import Consumer, KafkaException
from jsonschema import Draft202012Validator

BROKERS = os.environ.get("BROKERS", "127.0.0.1:9092")
GROUP = os.environ.get("GROUP", "kcm.consumer.example")
STATE = Path(os.environ.get("STATE", "state.json"))
SCHEMAS = Path(__file__).parents[3] / "kafka" / "schemas"
# The one kind of lock that leaves something: every other one ends all use.
READ_ONLY = "readOnly"
LOCKS = ("io.openkcm.LockTaken.v1", "io.openkcm.LockReleased.v1")

validators = {
    f"io.openkcm.{file.stem}": Draft202012Validator(json.loads(file.read_text()))
    for file in SCHEMAS.glob("*.json")
}
tenants = json.loads(STATE.read_text()) if STATE.exists() else {}


def say(**what):
    print(json.dumps(what), flush=True)


def read(body):
    """The event; None when it is none or not what its schema says."""
    try:
        event = json.loads(body)
        return event if validators[event["type"]].is_valid(event) else None
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def handle(event):
    """What was kept of the tenant stands, unless this is newer: a higher (term, epoch)."""
    tenant, data = event["kcmtenant"], event["data"]
    term, epoch = event["kcmterm"], event["kcmepoch"]
    stream, revision = event["subject"], event["kcmrevision"]
    about = {"tenant": tenant, "term": term, "epoch": epoch}
    known = tenants.get(tenant)
    same = known and (stream, term) == (known["stream"], known["term"])
    if same and revision <= known["revision"]:
        return say(ignored="duplicate", **about)
    if known and (term, epoch) <= (known["term"], known["epoch"]):
        return say(ignored="late", **about)
    locks = dict(known["locks"]) if known else {}
    locks.pop(data["lock"], None)
    taken = event["type"] == "io.openkcm.LockTaken.v1"
    if taken:
        locks[data["lock"]] = data["kind"]
    # No change of access was missed, so that `locks` are all there are.
    whole = (known is None or known["whole"]) and epoch == (known["epoch"] if known else 0) + 1
    # THE EFFECT: close or open for the tenant in your own system; read-only: stop writing, go on
    # reading what is not closed. It may be asked for twice.
    limits = "read-only" if data["kind"] == READ_ONLY else "closed"
    left = "still read-only" if locks else "opened"
    opens = left if whole else "ask Core"
    if any(kind != READ_ONLY for kind in locks.values()):
        opens = "still closed"
    scope = {"scope": data["scope"]} if taken else {}
    say(effect=limits if taken else opens, **about, kind=data["kind"], **scope)
    at = {"term": term, "epoch": epoch, "stream": stream, "revision": revision}
    tenants[tenant] = {**at, "locks": locks, "whole": whole}
    new = STATE.with_name(STATE.name + ".new")
    new.write_text(json.dumps(tenants))
    new.replace(STATE)


def stop(*_):
    raise SystemExit


signal.signal(signal.SIGTERM, stop)
consumer = Consumer(
    {
        "bootstrap.servers": BROKERS,
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
consumer.subscribe(["kcm.revocations.v1"])
try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        event = read(message.value())
        if event is None:
            say(ignored="not an event of the schemas", at=str(message.offset()))
        elif event["type"] in LOCKS:
            handle(event)
        # Done, and remembered: only now the message is behind us.
        consumer.commit(message=message, asynchronous=False)
except KeyboardInterrupt:
    pass
finally:
    consumer.close()
