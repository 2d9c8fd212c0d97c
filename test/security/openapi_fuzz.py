"""Requests that schemathesis makes of the server's own OpenAPI document, until there were so many.

Reads one JSON object from stdin ({url, requests, seed, share, shares, tokens: {role: token},
ids: {name: [id]}}), takes every `shares`th operation, and writes one to stdout: how many requests
by outcome, what was wrong, and which of them were slow every time.
"""

import json
import random
import sys
import time
from collections import Counter

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.internal.conjecture.engine import ConjectureRunner
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from schemathesis.generation import GenerationMode

CHECKS = [content_type_conformance, response_schema_conformance]
# The seal would end it at once; an event stream has no end.
LEFT_OUT = {("POST", "/v1/sys/seal"), ("GET", "/v1/tenants/{tenant}/events")}
EXAMPLES = 40
# Different people send the same, so that it is also seen who may.
ASKERS = 2
WRONG_MAX = 20
SLOW_SECONDS = 0.05
SLOW_AGAIN = 20
# Go over all that is stored: a rebuild, the digests of every read model, a backup.
SLOW_BY_NATURE = ("/rebuild", "/v1/sys/projections", "/v1/sys/backup")

OWN_HEADERS = {"Authorization", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Prefer"}

# Copies of what was just drawn, most of them no case at all: half of the time for a fourth of the
# cases. Another round draws new ones.
ConjectureRunner.generate_mutations_from = lambda _runner, _data: None

told = json.load(sys.stdin)
draw = random.Random(told["seed"] * told["shares"] + told["share"])
session = requests.Session()
outcomes, wrong, slow = Counter(), {}, []
accepted = set()


def shown(kwargs, response):
    body = json.dumps(kwargs.get("json")) if "json" in kwargs else repr(kwargs.get("data"))
    sent = f"{kwargs['method']} {kwargs['url']} {body[:600]}"
    heads = {k: v for k, v in kwargs["headers"].items() if k not in OWN_HEADERS}
    return f"{sent} {heads} -> {response.status_code} {response.text[:600]}"


def wrongs(case, response):
    """What the document does not say of this answer, its catch-all left aside."""
    declared = case.operation.definition.raw["responses"].get(str(response.status_code))
    if declared is None:
        return "undeclared status"
    if response.status_code >= 500 and response.status_code != 503:
        return "a failure"
    if response.status_code >= 400:
        codes = declared.get("x-kcm-codes")
        if codes is not None and response.json().get("code") not in codes:
            return "undeclared code"
    try:
        case.validate_response(response, checks=CHECKS)
    except Exception as error:
        return f"{type(error).__name__} {error}"
    return None


def someone(operation):
    """Mostly somebody who may."""
    roles = [role for role in operation.definition.raw.get("x-kcm-roles", []) if role in told["tokens"]]
    if roles and draw.random() < 0.85:
        return told["tokens"][draw.choice(roles)]
    return draw.choice([*told["tokens"].values(), "none"])


def ask(case):
    for name in case.path_parameters or {}:
        if draw.random() < 0.75 and name in told["ids"]:
            case.path_parameters[name] = draw.choice(told["ids"][name])
    # One header of many that cannot be read would hide everything behind it.
    for name in list(case.headers or {}):
        if draw.random() < 0.8:
            del case.headers[name]
    # A tenant that was killed answers little else from then on.
    if isinstance(case.body, dict) and case.body.get("kind") == "kill" and draw.random() < 0.98:
        case.body["kind"] = "suspend"
    kwargs = case.as_transport_kwargs(headers={"Prefer": "wait=0"})
    for _ in range(ASKERS):
        # What is generated against the document has no token at all: that alone would be 401.
        kwargs["headers"]["Authorization"] = f"Bearer {someone(case.operation)}"
        send(case, kwargs)


def send(case, kwargs):
    response = session.request(timeout=20, **kwargs)
    outcomes[response.status_code] += 1
    if response.status_code < 300:
        accepted.add(case.operation.label)
    fault = wrongs(case, response)
    if fault is not None:
        kind = f"{fault.splitlines()[0]}: {case.operation.label} {response.status_code}"
        wrong.setdefault(kind, f"{fault}: {shown(kwargs, response)}")
    if slowly(response) and not kwargs["url"].endswith(SLOW_BY_NATURE):
        again(kwargs, response)


def slowly(response):
    return response.elapsed.total_seconds() > SLOW_SECONDS


def again(kwargs, response):
    """A machine that others use is slow now and then; a request that hangs is so every time."""
    for _ in range(SLOW_AGAIN):
        outcomes["again"] += 1
        if not slowly(session.request(timeout=20, **kwargs)):
            return
        time.sleep(SLOW_SECONDS)
    slow.append(shown(kwargs, response))


def exercise(operation, mode, round_seed):
    @seed(round_seed)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        ask(case)

    run()


document = session.get(f"{told['url']}/openapi.json").json()
schema = schemathesis.openapi.from_dict(document)
schema.config.update(base_url=told["url"])
operations = [result.ok() for result in schema.get_all_operations()]
mine = [
    each
    for at, each in enumerate(operations)
    if (each.method.upper(), each.path) not in LEFT_OUT and at % told["shares"] == told["share"]
]
started, turn, unable = time.monotonic(), 0, set()
enough = lambda: sum(outcomes.values()) >= told["requests"]
while not enough() and len(unable) < 2 * len(mine):
    # Each round begins elsewhere: what the last one leaves out is not always the same.
    draw.shuffle(mine)
    for operation in mine:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if enough() or (operation.label, mode) in unable:
                continue
            try:
                exercise(operation, mode, told["seed"] + turn)
            except requests.ConnectionError:
                sys.exit("the server is gone")
            except schemathesis.errors.InvalidSchema as error:
                wrong[operation.label] = f"{operation.label}: {error}"
                unable.add((operation.label, mode))
            except Exception as error:
                # Without parameters or body there is nothing to get wrong.
                if "negative" not in str(error).lower() and type(error).__name__ != "Unsatisfiable":
                    wrong[operation.label] = f"{operation.label} {mode}: {type(error).__name__} {error}"
                unable.add((operation.label, mode))
    turn += 1
json.dump(
    {
        "requests": sum(outcomes.values()),
        "outcomes": {str(status): count for status, count in outcomes.items()},
        "operations": len(mine),
        "accepted": sorted(accepted),
        "wrong": list(wrong.values())[:WRONG_MAX],
        "slow": slow,
        "seconds": time.monotonic() - started,
    },
    sys.stdout,
)
