"""py-amqp, guarded against messages whose properties it cannot read.

Names that are no UTF-8, a moment that no calendar has, or tables in tables without end raise an error in
the middle of a frame: a worker ends on it, gets the message again, and ends. RabbitMQ itself carries all of these.

Source: amqp/serialization.py (`PROPERTY_CLASSES`), amqp 5.3.
"""

from typing import Any

from amqp import serialization
from amqp.spec import Basic

from .nesting import DEEPEST, is_shallow

# In place of the properties: what is wrong with them. And in place of the headers: the properties as they came.
UNREADABLE = "unreadable"
PACKED = "unreadable_properties"

_decode = serialization.decode_properties_basic


def _decode_guarded(buffer: Any, offset: int) -> tuple[dict[str, Any], int]:
    try:
        properties, end = _decode(buffer, offset)
        if not is_shallow(properties):
            raise ValueError(f"it is nested more than {DEEPEST} deep")
    except Exception as error:  # noqa: BLE001 - a decoder can raise anything
        problem = f"its properties cannot be read: {type(error).__name__}: {error}"
        packed = bytes(buffer[offset:]).decode("ascii", "backslashreplace")
        return {UNREADABLE: problem, "application_headers": {PACKED: packed}}, len(buffer)
    return properties, end


def install() -> None:
    """Make py-amqp read properties so in this process. Call it before anything connects."""
    serialization.PROPERTY_CLASSES[Basic.CLASS_ID] = _decode_guarded  # type: ignore[assignment]
