"""Asks the HTTP APIs of grids: a time-out, bounded tries, and secrets that no message can hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx
from typing_extensions import override

from tidewatt.domain.units import format_duration
from tidewatt.errors import SignalMissing, UsageError
from tidewatt.ports import Clock

Sleep = Callable[[float], object]
"""Waits so many real seconds."""

TRIES = 4
TIMEOUT_S = 20.0
LONGEST_WAIT_S = 60.0
"""A source that asks for a longer wait is given up on for now: a plan cannot wait for it."""

_TOO_MANY = 429
_TRIED_AGAIN = frozenset({408, _TOO_MANY, 500, 502, 503, 504})
_EXTENSION = "tidewatt.secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Headers and query parameters that identify the user; its ``repr`` shows none of them."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


NO_SECRET = Secret()


class HttpSource:
    """One HTTP API, asked by GET.

    Args:
        name: the source, as errors call it.
        base_url: what paths are appended to.
        clock: tells the real instant, for a Retry-After that is a date.
        sleep: waits between tries.
        variables: the environment variables that hold the user's credentials, for the remedy of a refusal.
        timeout_s: real seconds until a try is given up.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        clock: Clock,
        sleep: Sleep,
        variables: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._sleep = sleep
        self._variables = variables
        self._timeout_s = timeout_s

    def get(self, path: str, query: Mapping[str, str] | None = None, secret: Secret = NO_SECRET) -> bytes:
        """The body of a successful answer, after a few tries if need be.

        Raises:
            UsageError: the source refuses the credentials.
            SignalMissing: it cannot be reached, is overloaded for long, or answers with another status.
        """
        found = ""
        wait_s = 0.0
        for attempt in range(TRIES):
            if attempt:
                self._sleep(wait_s)
            wait_s = 2.0**attempt
            try:
                answer = self._once(path, query or {}, secret)
            except httpx.TimeoutException:
                found = f"no answer from {self.name} within {format_duration(self._timeout_s)}"
                continue
            except (httpx.TransportError, httpx.InvalidURL) as error:
                found = f"no way to reach {self.name} ({type(error).__name__})"
                continue
            if answer.is_success:
                return answer.content
            found = f"status {answer.status_code} from {self.name}"
            if answer.status_code not in _TRIED_AGAIN:
                raise self._refusal(answer.status_code)
            wait_s = max(wait_s, self._asked_wait(answer))
            if wait_s > LONGEST_WAIT_S:
                found = f"{found}, which asks to wait {format_duration(wait_s)}"
                break
        raise SignalMissing(found, "an answer", "try again later, or name a grid file or the offline model")

    def _once(self, path: str, query: Mapping[str, str], secret: Secret) -> httpx.Response:
        # Proxies of the environment would be used in place of the transport that adds the secret.
        with httpx.Client(transport=_Identified(), timeout=self._timeout_s, trust_env=False) as client:
            return client.get(f"{self._base_url}{path}", params=query, extensions={_EXTENSION: secret})

    def _refusal(self, status: int) -> UsageError | SignalMissing:
        if status in {401, 403}:
            remedy = f"set {self._variables} to what the source gave you" if self._variables else ""
            return UsageError(
                f"status {status} from {self.name}, which refuses the credentials",
                "credentials that may read this zone",
                remedy,
            )
        return SignalMissing(
            f"status {status} from {self.name}", "a successful answer", "check zone and interval"
        )

    def _asked_wait(self, answer: httpx.Response) -> float:
        """Seconds that Retry-After asks for (RFC 9110, 10.2.3): a number or a date; 0 without one."""
        text = answer.headers.get("retry-after", "").strip()
        if text.isdecimal():
            return float(text)
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - self._clock.wall())


class _Identified(httpx.HTTPTransport):
    """Adds the secret on the way out, so that neither logs nor exceptions of httpx ever see it."""

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        extensions = dict(request.extensions)
        secret = extensions.pop(_EXTENSION, NO_SECRET)
        outgoing = httpx.Request(
            request.method,
            request.url.copy_merge_params(dict(secret.query)),
            headers=[*request.headers.raw, *((k.encode(), v.encode()) for k, v in secret.headers.items())],
            extensions=extensions,
        )
        return super().handle_request(outgoing)


def credential(environment: Mapping[str, str], variable: str, source: str) -> str:
    """The value of an environment variable that holds a credential.

    Raises:
        UsageError: it is unset or empty, or holds what no header can.
    """
    value = environment.get(variable, "").strip()
    if not value or not value.isascii() or not value.isprintable():
        raise UsageError(
            f"no usable {variable}", f"the credentials of {source}", f"set {variable} in the environment"
        )
    return value
