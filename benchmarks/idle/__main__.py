"""Cold calls against memory kept warm: `python -m benchmarks.idle [--data DIR] [--json FILE] [--quick]`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.idle.azure import traces
from benchmarks.idle.front import Front, Played, cost_j, played, standing
from benchmarks.idle.made import made
from benchmarks.table import Figure, drawn, parser, write
from tidewatt.accounting.factors import CPU_MAX_WATTS, CPU_MIN_WATTS, MEMORY_WATTS
from tidewatt.errors import UsageError
from tidewatt.policy.idle.calls import Calls
from tidewatt.policy.idle.priced import Price

_START_CPU_S = 1.6
"""Processor seconds until a zygote has loaded torch: median of 5, a machine with 2 cores, 2026-11-21."""
PRICE = Price(
    start_j=_START_CPU_S * (CPU_MAX_WATTS.value - CPU_MIN_WATTS.value),
    wait_j=0.0,
    idle_w_per_gb=MEMORY_WATTS.value,
)
_AGAINST = ("fixed_10", "fixed_20", "hybrid_5_99")
_SEED = 1
_SHOWN = 4
"""One in so many of our points is printed; all are in the JSON."""
_RULE = """\
A call comes at the beginning of its minute and keeps its function busy through it; a minute without calls
is spent warm or not; a call is cold if the minute before was neither busy nor warm, and a function's first
always is. One instance for each function. Ours at the number of warm minutes that a cold call is worth,
for a function of mean memory; floors know the future, those that stay never start ahead of a call.
"""


def sets(data: Path | None, functions: int) -> Iterator[tuple[str, Calls]]:
    """All sets of calls by name.

    Of a trace all functions, those that no figure of ours was chosen on (every second one), and all taken
    to be of one size; then calls made here.
    """
    found = traces(data) if data is not None else {}
    for name, calls in found.items():
        yield name, calls
        yield f"{name}_held_out", calls.of(np.arange(1, len(calls.busy), 2))
        yield f"{name}_equal_memory", Calls(calls.busy, np.ones(len(calls.busy)))
    yield from made(_SEED, functions).items()


def table(name: str, front: Front) -> str:
    """The fronts of one set, to be read: of ours some points."""
    lines = [f"\n{name}: {len(front.calls.busy)} functions, {int(front.calls.busy.sum())} busy minutes\n"]
    lines.append("| policy             | cold % | idle GB h | starts |  energy MJ |")
    lines.append("|--------------------|-------:|----------:|-------:|-----------:|")
    for each in (*front.peers, *front.ours[::_SHOWN], *front.floors):
        tally = each.tally
        starts = int(tally.cold.sum() + tally.ahead.sum())
        lines.append(
            f"| {each.name:18} | {tally.cold_pct:6.3f} | {tally.idle_gb_h:9.1f} | {starts:6} "
            f"| {tally.joules(front.price) / 1e6:10.3f} |"
        )
    return "\n".join(lines) + "\n"


def points(name: str, front: Front) -> Iterator[Figure]:
    """Every point of every front, for the JSON."""
    functions = len(front.calls.busy)
    for each in (*front.peers, *front.ours, *front.floors):
        yield from (
            Figure(name=f"{name}.{each.name}.{what}", value=value, unit=unit, source="played", n=functions)
            for what, value, unit in (
                ("cold_pct", each.tally.cold_pct, "%"),
                ("idle_gb_h", each.tally.idle_gb_h, "GB h"),
                ("energy_mj", each.tally.joules(front.price) / 1e6, "MJ"),
            )
        )


def summary(name: str, front: Front, draws: int) -> Iterator[Figure]:
    """Ours over each peer, and over the floor."""
    functions = len(front.calls.busy)
    for peer in _AGAINST:
        ours = standing(front, peer, draws)
        for what, values, source in (
            ("idle", ours.idle, "least idle memory at no more cold calls, over the peer's"),
            ("energy", ours.energy, "energy at that point, starts included, over the peer's"),
            ("cold", ours.cold, "fewest cold calls at no more idle memory, over the peer's"),
        ):
            low, high = np.quantile(values[1:], (0.05, 0.95), method="nearest")
            yield Figure(
                name=f"{name}.{what}_over_{peer}",
                value=float(values[0]),
                unit="x",
                source=source,
                n=functions,
                spread=f"{low:.2f} to {high:.2f}",
            )
    yield from _over_floor(name, front)


def _over_floor(name: str, front: Front) -> Iterator[Figure]:
    for floor in front.floors:
        if floor.worth_min is None or "staying" in floor.name:
            continue
        price = front.worth(floor.worth_min)
        least = cost_j(floor.tally, price)
        yield Figure(
            name=f"{name}.price_over_{floor.name}",
            value=cost_j(_nearest(front.ours, floor.worth_min).tally, price) / least,
            unit="x",
            peer=min(cost_j(each.tally, price) for each in front.peers) / least,
            source=f"energy and waiting, a cold call at {floor.worth_min:.0f} warm minutes; peer: the best",
            n=len(front.calls.busy),
        )


def _nearest(ours: Sequence[Played], worth_min: float) -> Played:
    return min(ours, key=lambda each: abs(np.log((each.worth_min or 0.0) / worth_min)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Play all sets, print the fronts and the table, write the JSON."""
    made_by = parser("Cold calls against memory kept warm, under idle policies.")
    made_by.add_argument(
        "--data", type=Path, metavar="DIR", help="a folder with traces (*_inv.csv.gz and *_mem.csv.gz)"
    )
    options = made_by.parse_args(arguments)
    told: list[Figure] = []
    every: list[Figure] = []
    try:
        for name, calls in sets(options.data, 10 if options.quick else 100):
            front = played(calls, PRICE)
            sys.stdout.write(table(name, front))
            told += summary(name, front, 20 if options.quick else 400)
            every += points(name, front)
    except UsageError as error:
        sys.stderr.write(f"benchmarks.idle: {error}\n")
        sys.exit(2)
    if options.data is None:
        sys.stdout.write("\nNo real trace was played: no --data DIR was given.\n")
    sys.stdout.write(f"\n{_RULE}\n{drawn(told)}")
    if options.json is not None:
        write(options.json, [*told, *every])


if __name__ == "__main__":
    main()
