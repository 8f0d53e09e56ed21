"""Rules for what another service answered: HTTP, SMTP, a message broker, a body that cannot be read."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from celery_runtime.errors.verdict import Rule, Verdict, attribute, by_kind, names_of, whole_number
from celery_runtime.text import message_of

THROTTLED = {
    *("ProvisionedThroughputExceededException", "RequestLimitExceeded", "SlowDown"),
    *("Throttling", "ThrottlingException", "TooManyRequestsException"),
}
SMTP_AUTH_CODES = (530, 534, 535, 538)


def http(error: BaseException) -> Verdict | None:
    status, headers = _status_and_headers(error)
    if status is None or not 300 <= status < 600:
        return None
    retry_after = seconds_from_retry_after(_header(headers, "Retry-After"))
    return Verdict(_http_kind(status, retry_after), code=str(status), retry_after=retry_after)


def _http_kind(status: int, retry_after: float | None) -> str:
    if status == 429 or (status in (403, 503) and retry_after is not None):
        return "external.busy"
    if status >= 500 or status in (408, 425):  # Request Timeout and Too Early ask to be repeated
        return "external.unavailable"
    return "external.auth" if status in (401, 403, 407) else "external.rejected"


def _status_and_headers(error: BaseException) -> tuple[int | None, Any]:
    # Attributes of the exception itself are read only of known classes: `status_code` of redis is a
    # string, `code` of SQLAlchemy is "e3q8", and the reply codes of AMQP look like those of HTTP.
    names = names_of(error)
    if "urllib.HTTPError" in names:
        return whole_number(attribute(error, "code")), attribute(error, "headers")
    if "aiohttp.ClientResponseError" in names:
        return whole_number(attribute(error, "status")), attribute(error, "headers")
    if "urllib3.ResponseError" in names:  # its Retry gave up; the response is gone
        found = re.search(r"too many (\d{3}) error responses", message_of(error))
        return (int(found[1]), None) if found else (None, None)
    response = attribute(error, "response")
    if "botocore.ClientError" in names and isinstance(response, dict):
        metadata, told = response.get("ResponseMetadata"), response.get("Error")
        if not isinstance(metadata, dict):
            return None, None
        throttled = isinstance(told, dict) and told.get("Code") in THROTTLED  # with 400 as a rule
        status = 429 if throttled else whole_number(metadata.get("HTTPStatusCode"))
        return status, metadata.get("HTTPHeaders")
    return whole_number(attribute(response, "status_code")), attribute(response, "headers")


def _header(headers: Any, name: str) -> Any:
    try:
        return headers.get(name) or headers.get(name.lower())
    except Exception:  # noqa: BLE001 - no headers, or a class of its own
        return None


def smtp(error: BaseException) -> Verdict | None:
    names = names_of(error)
    if "smtplib.SMTPResponseException" in names:
        codes = [attribute(error, "smtp_code")]
    elif "smtplib.SMTPRecipientsRefused" in names:
        recipients = attribute(error, "recipients")
        replies = recipients.values() if isinstance(recipients, Mapping) else ()
        codes = [reply[0] for reply in replies if isinstance(reply, tuple) and reply]
    else:
        return None
    numbers = [number for number in map(whole_number, codes) if number is not None]
    # One recipient that may be accepted later is reason enough to try again.
    number = min(numbers, default=0)
    if 400 <= number < 500:
        return Verdict("external.unavailable", code=str(number))
    kind = "external.auth" if number in SMTP_AUTH_CODES else "external.rejected"
    return Verdict(kind, code=str(number) if number else None)


def named(error: BaseException) -> Verdict | None:
    verdict = _named(error)
    code = attribute(error, "reply_code")  # of AMQP
    return verdict and Verdict(verdict.kind, code=None if code is None else str(code))


# amqp.NotAllowed is an unknown virtual host. A JSONDecodeError of requests is an OSError as well.
_named = by_kind(
    {
        "external.auth": "amqp.AccessRefused amqp.NotAllowed",
        "external.invalid": "aiohttp.ContentTypeError httpx.DecodingError json.JSONDecodeError "
        "requests.ContentDecodingError requests.JSONDecodeError",
        "external.rejected": "amqp.NotFound amqp.PreconditionFailed amqp.ResourceLocked",
        "network.unavailable": "amqp.ConnectionForced",
    }
)

# A page of error 500 that is no JSON is an error 500.
RULES: list[Rule] = [http, named, smtp]


def seconds_from_retry_after(value: object) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110, 10.2.3): whole seconds or a date.

    A date that has passed is 0. What cannot be read is None; infinity is what no float can hold.
    """
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdecimal():
        return float(text) if len(text) < 300 else math.inf
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
