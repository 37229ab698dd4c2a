"""What the API asks for and no schema can say, put right before a request is sent.

Only values that are right by their schema are changed, so that wrong ones stay wrong.
"""

import json
import os
import time
import uuid
from datetime import datetime, timedelta, timezone

import requests
import schemathesis
from hypothesis import strategies

# The one that is certainly there. The test makes it.
ACCOUNT = os.environ["ACCOUNT_ID"]
# Nobody listens there, and nothing is sent beyond this machine.
URL = "http://127.0.0.1:9/webhook"
EARLIER = "2000-01-02T03:04:05Z"
PAST = "2001-02-03T04:05:06Z"
NOW = datetime.now(timezone.utc)
FUTURE = (datetime.now(timezone.utc) + timedelta(days=30)).isoformat()


# The network's own address, which no pattern can tell from that of a host within it.
schemathesis.openapi.format(
    "cidr",
    strategies.one_of(
        strategies.ip_addresses().map(str),
        strategies.sampled_from(["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32", "::/0", "::1/128"]),
    ),
)


@schemathesis.hook
def before_call(context, case, kwargs):
    query, body = case.query or {}, case.body
    if isinstance(body, dict):
        replace(body, "url", lambda it: isinstance(it, str) and it.startswith("http"), URL)
    # There may be no news to wait for.
    replace(query, "wait_seconds", lambda it: number(it) and int(it) <= 30, 0)
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    for fields in (query, inner(body)):
        for name in list(fields):
            if name in ("as_of", "from", "to", "since", "unused_since"):
                replace(fields, name, out_of_range, PAST)
            # A period ends after it begins.
            if name.endswith(("_after", "_before")):
                replace(fields, name, moment, EARLIER if name.endswith("_after") else PAST)
    if "/usage" in case.path:
        settle_range(query)
    if case.path.endswith("/audit"):
        replace(query, "since", moment, EARLIER)
        replace(query, "until", moment, PAST)
    # Only a list itself knows its cursors.
    if not case.path.endswith("/events"):
        query.pop("cursor", None)
    # What goes on in the background is not waited for.
    if "cascade" in query:
        query.pop("wait", None)
    # The log does not know of use, and has one order.
    if "as_of" in query:
        for name in ("last_used_after", "last_used_before", "never_used", "unused_since", "sort"):
            query.pop(name, None)
    # The log begins there, and ends somewhere.
    replace(query, "after", number, 0)
    # Headers are made of letters and digits alone.
    replace(case.headers or {}, "If-Match", number, '"1"')
    # Each request is a new one.
    replace(case.headers or {}, "Idempotency-Key", lambda _: True, str(uuid.uuid4()))
    if isinstance(body, dict):
        # Whoever waits for all nodes would wait for this one.
        if case.operation.label == "PUT /v1/nodes/{id}":
            body["valid_for_ms"] = 0
        # A node speaks of what has been, and of each of its sources once.
        if case.operation.label == "PUT /v1/nodes/{id}/usage":
            replace(body, "started_at", moment, EARLIER)
            replace(body, "at", moment, PAST)
            for given in body.get("given") or []:
                replace(given, "source", lambda it: isinstance(it, str), str(uuid.uuid4()))
        # No period begins before 1970.
        for balance in body.get("balances") or []:
            replace(balance, "period", lambda it: isinstance(it, str), PAST[:10])
        # Letters have numbers of 64 bits.
        if case.operation.label == "POST /v1/dead-letters/replay":
            replace(body, "ids", lambda it: isinstance(it, list), [1])
        # An operator says whose token it is.
        if case.operation.label == "POST /v1/tokens":
            body["account_id"] = ACCOUNT
        if case.operation.label == "POST /v1/tokens/import":
            for token in body["tokens"]:
                token["account_id"] = ACCOUNT
                fit(token)
        fit(body)
        # A second credential beside the one that every request has.
        if case.path.startswith("/oauth/"):
            body.pop("client_secret", None)


@schemathesis.check
def unavailable_for_a_while_at_most(ctx, response, case):
    """Where a machine has much to do, what is asked again is answered in the end."""
    status, wait, end = response.status_code, response.headers.get("retry-after"), time.monotonic() + 60
    with requests.Session() as session:
        session.trust_env = False
        while status == 503 and time.monotonic() < end:
            time.sleep(int(wait[0]))
            again = session.send(response.request, timeout=60)
            status = again.status_code
    assert status != 503, "it is unavailable, however often it is asked"


def settle_range(query):
    """A time that has been, and no more of it than is told at once."""
    if "from" in query or "to" in query or query.get("bucket") == "minute":
        replace(query, "to", moment, NOW.isoformat())
        if "from" not in query or moment(query["from"]):
            query["from"] = (NOW - timedelta(hours=2)).isoformat()
    replace(query, "ip", lambda _: True, "192.0.2.7")


def inner(body):
    filter = body.get("filter") if isinstance(body, dict) else None
    return filter if isinstance(filter, dict) else {}


def fit(body):
    for part in (body, body.get("filter")):
        if isinstance(part, dict):
            replace(part, "account_id", lambda it: isinstance(it, str), ACCOUNT)
    replace(body, "metadata", lambda it: isinstance(it, dict) and not kept(it), {"team": "checkout"})
    replace(body, "after", lambda it: isinstance(it, (int, float)), 0)
    for name in ("not_before", "expires_at", "expiresAt"):
        replace(body, name, lambda it: isinstance(it, str), PAST if name == "not_before" else FUTURE)
    for name in ("rate_limits", "rateLimits"):
        replace(body, name, lambda it: isinstance(it, list), sound(body.get(name)))
    replace(body, "quotas", lambda it: isinstance(it, list), apart(body.get("quotas")))
    # As long as the installation allows.
    replace(body, "expires_in_minutes", lambda it: isinstance(it, (int, float)) and it > 500_000, 500_000)
    for name, value in body.items():
        body[name] = whole(value)


def whole(value):
    """The same, for JSON Schema takes 5.0 for an integer."""
    if isinstance(value, dict):
        return {name: whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def sound(limits):
    """The limits with names of their own, bursts that come back in time and costs that can be paid."""
    fitting = []
    for index, limit in enumerate(limits or []):
        numbers = {name: int(value) for name, value in limit.items() if isinstance(value, (int, float))}
        units, burst = numbers["limit"], numbers.get("burst", numbers["limit"])
        window = numbers.get("window_seconds", numbers.get("windowSeconds"))
        if burst * window > units * 31 * 86400:
            burst = numbers["burst"] = units
        if numbers.get("cost", 1) > burst:
            numbers["cost"] = burst
        fitting.append({"name": f"limit-{index}", **numbers})
    return fitting


def apart(quotas):
    """The quotas with names of their own."""
    return [{**quota, "name": f"quota-{index}"} for index, quota in enumerate(quotas or [])]


def replace(fields, name, applies, value):
    if name in fields and applies(fields[name]):
        fields[name] = value


def kept(metadata):
    text = json.dumps(metadata)
    return len(text) <= 2048 and "\\u0000" not in text and all_readable(metadata)


def all_readable(value):
    """Whether every program reads the numbers alike."""
    if isinstance(value, dict):
        return all(map(all_readable, value.values()))
    if isinstance(value, list):
        return all(map(all_readable, value))
    return not isinstance(value, (int, float)) or abs(value) < 2**53


def number(value):
    return str(value).isascii() and str(value).isdecimal()


def moment(value):
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def out_of_range(value):
    found = moment(value)
    return found is not None and (found.year <= 1970 or found > datetime.now(timezone.utc))
