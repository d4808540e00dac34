"""What schemathesis has to be told: how a stream of lines is sent."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_: Any, value: Any) -> bytes:
    """Send whatever text was made up as it is."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")
