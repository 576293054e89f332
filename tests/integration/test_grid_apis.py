"""The grids over the network, against a real local server that speaks the four APIs and misbehaves."""

import json
import os
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from traceback import format_exception
from urllib.parse import parse_qs, urlsplit

import pytest
from typing_extensions import override

from tidewatt.domain.signal import Quality
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import SignalMissing, UsageError
from tidewatt.ports import Grid

pytest.importorskip("httpx", reason="needs the grids extra")

from tidewatt.adapters.grids.cache import CachedGrid
from tidewatt.adapters.grids.sources import NAMES, named

START_AT = datetime(2025, 6, 1, 12, tzinfo=UTC).timestamp()
NOW = START_AT + 4 * HOUR_S + 600
SECRET = "s3cret-t0ken"  # noqa: S105 - of the server below alone
WRONG = "wr0ng"
ENVIRONMENT = {
    "TIDEWATT_ELECTRICITY_MAPS_TOKEN": SECRET,
    "TIDEWATT_WATTTIME_USER": "ada",
    "TIDEWATT_WATTTIME_PASSWORD": SECRET,
    "TIDEWATT_ENTSOE_TOKEN": SECRET,
}
ZONE = {"electricity-maps": "DE", "watttime": "CAISO_NORTH", "uk": "GB", "entsoe": "DE"}
VARIABLE = {
    "electricity-maps": "TIDEWATT_ELECTRICITY_MAPS_TOKEN",
    "watttime": "TIDEWATT_WATTTIME_PASSWORD",
    "entsoe": "TIDEWATT_ENTSOE_TOKEN",
}
MAIN_PATH = {
    "electricity-maps": "/carbon-intensity/history",
    "watttime": "/v3/historical",
    "uk": "/intensity",
    "entsoe": "/api",
}


@dataclass
class StillClock:
    """A clock that stands at an instant until it is moved."""

    at: float = NOW
    speed: float = 1.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at


@dataclass
class Api:
    """What the server answers with, and what it was asked."""

    url: str = ""
    faults: list[tuple[int, dict[str, str], bytes | None]] = field(default_factory=list)
    """Answers to the next requests of a main path, first things first."""
    main: dict[str, object] = field(default_factory=dict)
    forecast_issued: str = "2025-06-01T16:00:00Z"
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, query: Mapping[str, list[str]]) -> bytes:
        for name, prefix in MAIN_PATH.items():
            if path.startswith(prefix) and name in self.main:
                body = self.main[name]
                return body if isinstance(body, bytes) else json.dumps(body).encode()
        if path == "/zones":
            return b'{"DE": {"zoneName": "Germany"}, "FR": {"zoneName": "France"}}'
        if path == "/carbon-intensity/forecast":
            rows = [{"carbonIntensity": 500, "datetime": stamp(hour)} for hour in (4, 5, 6)]
            return json.dumps({"zone": "DE", "forecast": rows, "updatedAt": self.forecast_issued}).encode()
        if path == "/login":
            return b'{"token": "bearer-1"}'
        if path == "/v3/my-access":
            types = [{"signal_type": "co2_moer", "regions": [{"region": "CAISO_NORTH"}]}]
            return json.dumps({"signal_types": types}).encode()
        assert path == "/v3/forecast", (path, query)
        answer = moer([(4 * 12 + i, 500.0) for i in range(24)])
        answer["meta"] = {**METADATA, "generated_at": self.forecast_issued}
        return json.dumps(answer).encode()


METADATA = {"units": "lbs_co2_per_mwh", "signal_type": "co2_moer", "data_point_period_seconds": 300}


def stamp(hour: float) -> str:
    return datetime.fromtimestamp(START_AT + hour * HOUR_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def maps(values: list[float | None]) -> dict[str, object]:
    rows = [
        {"zone": "DE", "carbonIntensity": v, "datetime": stamp(i), "isEstimated": i == 1}
        for i, v in enumerate(values)
    ]
    return {"zone": "DE", "history": rows}


def moer(points: list[tuple[int, float | None]]) -> dict[str, object]:
    return {"data": [{"point_time": stamp(i / 12), "value": v} for i, v in points], "meta": METADATA}


def halves(values: list[tuple[float | None, float | None]]) -> dict[str, object]:
    return {
        "data": [
            {
                "from": stamp(i / 2)[:-4] + "Z",
                "to": stamp((i + 1) / 2)[:-4] + "Z",
                "intensity": {"forecast": forecast, "actual": actual, "index": "low"},
            }
            for i, (forecast, actual) in enumerate(values)
        ]
    }


def series(kind: str, points: Mapping[int, float], *, curve: str = "A01", direction: str = "in") -> str:
    listed = "".join(
        f"<Point><position>{p}</position><quantity>{q}</quantity></Point>" for p, q in points.items()
    )
    return (
        f"<TimeSeries><{direction}BiddingZone_Domain.mRID>x</{direction}BiddingZone_Domain.mRID>"
        f"<curveType>{curve}</curveType><MktPSRType><psrType>{kind}</psrType></MktPSRType><Period>"
        f"<timeInterval><start>2025-06-01T12:00Z</start><end>2025-06-01T14:00Z</end></timeInterval>"
        f"<resolution>PT60M</resolution>{listed}</Period></TimeSeries>"
    )


def generation(*parts: str) -> bytes:
    space = "urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"
    inner = "".join(parts)
    return f'<?xml version="1.0"?><GL_MarketDocument xmlns="{space}">{inner}</GL_MarketDocument>'.encode()


def usual() -> dict[str, object]:
    """Two hours of every source: 12 h and 13 h of 1 June 2025."""
    return {
        "electricity-maps": maps([400, 380]),
        "watttime": moer([(i, 1000.0) for i in range(24)]),
        "uk": halves([(100, 110), (100, 130), (100, 120), (100, 120)]),
        "entsoe": generation(series("B04", {1: 100, 2: 100}), series("B19", {1: 300, 2: 100})),
    }


@pytest.fixture
def api() -> Generator[Api]:
    state = Api(main=usual())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            state.asked.append(url.path)
            main = any(url.path.startswith(prefix) for prefix in MAIN_PATH.values())
            if state.faults and main:
                status, headers, body = state.faults.pop(0)
            elif not self._known(url.path, query):
                status, headers, body = 401, {}, b"{}"
            else:
                status, headers, body = 200, {}, None
            body = state.answer(url.path, query) if body is None else body
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def _known(self, path: str, query: Mapping[str, list[str]]) -> bool:
            basic = "Basic " + b64encode(f"ada:{SECRET}".encode()).decode()
            if path == "/login":
                return self.headers["authorization"] == basic
            if path.startswith("/v3/"):
                return self.headers["authorization"] == "Bearer bearer-1"
            if path == "/api":
                return query["securityToken"] == [SECRET]
            return path.startswith("/intensity") or self.headers["auth-token"] == SECRET

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def grid_of(name: str, api: Api, waits: list[float] | None = None, clock: StillClock | None = None) -> Grid:
    return named(
        name,
        environment=ENVIRONMENT,
        clock=clock or StillClock(),
        sleep=(waits if waits is not None else []).append,
        base_url=api.url,
    )


def values(grid: Grid, name: str, hours: int = 2) -> dict[int, float]:
    signal = grid.signal(ZONE[name], START_AT, START_AT + hours * HOUR_S)
    return {int((r.observed_at - START_AT) / HOUR_S): round(r.value, 3) for r in signal.readings}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("electricity-maps", {0: 400, 1: 380}),
        ("watttime", {0: 453.592, 1: 453.592}),
        ("uk", {0: 120, 1: 120}),
        ("entsoe", {0: 130.75, 1: 250.5}),
    ],
)
def test_each_source_gives_its_hours(api: Api, name: str, wanted: dict[int, float]) -> None:
    grid = grid_of(name, api)
    assert values(grid, name) == wanted
    for reading in grid.signal(ZONE[name], START_AT, START_AT + HOUR_S).readings:
        assert 0 <= reading.low < reading.value < reading.high
        assert reading.source == grid.name
    assert ZONE[name] in grid.zones()


def test_marginal_says_so(api: Api) -> None:
    assert "marginal" in grid_of("watttime", api).name


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_zone_is_refused(api: Api, name: str) -> None:
    with pytest.raises(UsageError, match=r"'\.\./x'"):
        grid_of(name, api).signal("../x", START_AT, START_AT)


@pytest.mark.parametrize("name", NAMES)
def test_a_busy_source_is_given_the_time_it_asks_for(api: Api, name: str) -> None:
    api.faults = [(429, {"Retry-After": "7"}, b""), (500, {}, b"oops")]
    waits: list[float] = []
    assert len(values(grid_of(name, api, waits), name)) == 2
    assert waits == [7.0, 2.0]


def test_a_retry_date_is_understood(api: Api) -> None:
    api.faults = [(429, {"Retry-After": "Sun, 01 Jun 2025 16:10:30 GMT"}, b"")]
    waits: list[float] = []
    assert len(values(grid_of("uk", api, waits), "uk")) == 2
    assert waits == [30.0]


def test_a_long_wait_is_not_waited_for(api: Api) -> None:
    api.faults = [(429, {"Retry-After": "3600"}, b"")]
    waits: list[float] = []
    with pytest.raises(SignalMissing, match="429"):
        values(grid_of("uk", api, waits), "uk")
    assert waits == []


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_cannot_be_reached_is_told_in_words(api: Api, name: str) -> None:
    waits: list[float] = []
    grid = named(
        name, environment=ENVIRONMENT, clock=StillClock(), sleep=waits.append, base_url="http://127.0.0.1:1"
    )
    with pytest.raises(SignalMissing, match="no way to reach"):
        values(grid, name)
    assert len(waits) == 3
    assert api.asked == []


@pytest.mark.parametrize("name", NAMES)
def test_tries_are_bounded(api: Api, name: str) -> None:
    api.faults = [(503, {}, b"")] * 9
    waits: list[float] = []
    with pytest.raises(SignalMissing, match="503"):
        values(grid_of(name, api, waits), name)
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("name", VARIABLE)
def test_a_wrong_token_names_its_variable_and_not_itself(
    api: Api, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    wrong = dict.fromkeys(ENVIRONMENT, WRONG)
    grid = named(name, environment=wrong, clock=StillClock(), sleep=list[float]().append, base_url=api.url)
    with pytest.raises(UsageError, match=VARIABLE[name]) as caught:
        values(grid, name)
    told = "".join(format_exception(caught.value))
    assert WRONG not in f"{told}{grid!r}{vars(grid)}"
    assert "refuses the credentials" in told
    assert WRONG not in caplog.text
    with pytest.raises(UsageError, match=VARIABLE[name].rsplit("_", 1)[0]):
        named(name, environment={}, clock=StillClock(), sleep=list[float]().append)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("body", [b"", b'{"data": [{"from', b"<GL_MarketDocument><Time", b"[]", b"\xff\xfe"])
def test_a_malformed_answer_is_refused(api: Api, name: str, body: bytes) -> None:
    api.main[name] = body
    with pytest.raises(SignalMissing):
        values(grid_of(name, api), name)


@pytest.mark.parametrize("value", [-5.0, 1e6])
def test_what_cannot_be_true_is_refused(api: Api, value: float) -> None:
    api.main |= {
        "electricity-maps": maps([value]),
        "watttime": moer([(0, value * 10)]),
        "uk": halves([(1, value)]),
    }
    for name in ("electricity-maps", "watttime", "uk"):
        with pytest.raises(SignalMissing, match="intensity of"):
            values(grid_of(name, api), name)
    api.main["entsoe"] = generation(series("B04", {1: -5, 2: 1}))
    with pytest.raises(SignalMissing, match="-5 MW"):
        values(grid_of("entsoe", api), "entsoe")


def test_hours_with_gaps_stay_absent(api: Api) -> None:
    api.main |= {
        "electricity-maps": maps([None, 380]),
        "watttime": moer([(i, None if i == 5 else 1.0) for i in range(24)]),
        "uk": halves([(None, None), (100, 130), (100, 120), (100, 120)]),
        "entsoe": generation(series("B04", {1: 100, 2: 100}), series("B19", {2: 300})),
    }
    assert {name: list(values(grid_of(name, api), name)) for name in NAMES} == {name: [1] for name in NAMES}


def test_storage_and_consumption_do_not_count_and_a_curve_holds_its_value(api: Api) -> None:
    parts = [
        series("B14", {1: 50}, curve="A03"),
        series("B10", {1: 70, 2: 70}),
        series("B10", {1: 9, 2: 9}, direction="out"),
    ]
    api.main["entsoe"] = generation(*parts)
    assert values(grid_of("entsoe", api), "entsoe") == {0: 12, 1: 12}
    api.main["entsoe"] = (
        b"<Acknowledgement_MarketDocument><Reason><code>999</code></Reason></Acknowledgement_MarketDocument>"
    )
    assert values(grid_of("entsoe", api), "entsoe") == {}


def test_other_units_are_refused(api: Api) -> None:
    api.main["watttime"] = {**moer([]), "meta": {**METADATA, "units": "percentile"}}
    with pytest.raises(SignalMissing, match="percentile"):
        values(grid_of("watttime", api), "watttime")


@pytest.mark.parametrize("name", ["electricity-maps", "watttime"])
def test_a_stale_forecast_is_flagged(api: Api, name: str) -> None:
    at = START_AT + 5 * HOUR_S
    assert grid_of(name, api).signal(ZONE[name], at, at).readings[0].quality is Quality.MODELLED
    api.forecast_issued = "2025-05-31T16:00:00Z"
    assert grid_of(name, api).signal(ZONE[name], at, at).readings[0].quality is Quality.FILLED


@pytest.mark.parametrize("name", NAMES)
def test_kept_hours_outlive_the_source(api: Api, tmp_path: Path, name: str) -> None:
    grid = CachedGrid(grid_of(name, api), tmp_path, StillClock())
    before = values(grid, name, 4)
    assert list(before) == [0, 1]
    assert grid.failure == ""
    api.faults = [(503, {}, b"")] * 99
    assert values(grid, name, 4) == before
    assert "503" in grid.failure
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["2025-06.json"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_what_was_provisional_is_flagged_when_the_source_fails(api: Api, tmp_path: Path) -> None:
    grid = CachedGrid(grid_of("electricity-maps", api), tmp_path, StillClock())
    values(grid, "electricity-maps")
    api.faults = [(503, {}, b"")] * 99
    kept = grid.signal("DE", START_AT, START_AT + 2 * HOUR_S).readings
    assert [reading.quality for reading in kept] == [Quality.MEASURED, Quality.FILLED]
    assert kept[1].high == pytest.approx(380 * 1.5)


def test_settled_hours_are_not_asked_for_again(api: Api, tmp_path: Path) -> None:
    grid = CachedGrid(grid_of("uk", api), tmp_path, StillClock())
    values(grid, "uk")
    asked = len(api.asked)
    assert len(values(grid, "uk")) == 2
    assert len(api.asked) == asked


def test_a_damaged_file_keeps_nothing_and_is_replaced(api: Api, tmp_path: Path) -> None:
    grid = CachedGrid(grid_of("uk", api), tmp_path, StillClock())
    values(grid, "uk")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:20])
    api.faults = [(503, {}, b"")] * 4
    assert values(grid, "uk") == {}
    assert values(grid, "uk") == {0: 120, 1: 120}
    api.faults = [(503, {}, b"")] * 4
    assert values(grid, "uk") == {0: 120, 1: 120}


def test_a_revoked_token_is_told_to_a_person_but_does_not_stop_a_supervisor(api: Api, tmp_path: Path) -> None:
    source = grid_of("electricity-maps", api)
    kept = values(CachedGrid(source, tmp_path, StillClock()), "electricity-maps", 4)
    api.faults = [(401, {}, b"{}")] * 99
    with pytest.raises(UsageError, match="TIDEWATT_ELECTRICITY_MAPS_TOKEN"):
        values(CachedGrid(source, tmp_path, StillClock()), "electricity-maps", 4)
    forgiving = CachedGrid(source, tmp_path, StillClock(), forgiving=True)
    assert values(forgiving, "electricity-maps", 4) == kept
    assert "TIDEWATT_ELECTRICITY_MAPS_TOKEN" in forgiving.failure


def test_commands_take_a_source_by_its_name(api: Api, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TIDEWATT_GRID_URL": api.url,
        "TIDEWATT_HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "tidewatt.cli.main", "grid", "GB", "--carbon", "uk", "--json"]
    done = subprocess.run(
        [*command, "--start", "2025-06-01T14:00"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)["source"] == "Carbon Intensity API (GB)"
    assert [path.name for path in (tmp_path / "cache").rglob("*.json")]
    api.faults = [(503, {}, b"")] * 99
    again = subprocess.run(
        [*command, "--start", "2025-06-01T14:00"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
