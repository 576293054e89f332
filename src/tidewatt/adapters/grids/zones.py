"""How a grid answers to a zone that it does not know."""

from collections.abc import Sequence
from difflib import get_close_matches

from tidewatt.errors import UsageError

PLACES = {
    "adelaide": "AU-SA",
    "bombay": "IN-WE",
    "britain": "GB",
    "california": "US-CAL-CISO",
    "ciso": "US-CAL-CISO",
    "ercot": "US-TEX-ERCO",
    "france": "FR",
    "germany": "DE",
    "great britain": "GB",
    "italy": "IT-NO",
    "japan": "JP-TK",
    "jutland": "DK-DK1",
    "denmark": "DK-DK1",
    "milan": "IT-NO",
    "mumbai": "IN-WE",
    "norway": "NO-NO1",
    "oslo": "NO-NO1",
    "pjm": "US-MIDA-PJM",
    "poland": "PL",
    "quebec": "CA-QC",
    "south australia": "AU-SA",
    "spain": "ES",
    "stockholm": "SE-SE3",
    "sweden": "SE-SE3",
    "sydney": "AU-NSW",
    "texas": "US-TEX-ERCO",
    "tokyo": "JP-TK",
    "uk": "GB",
    "united kingdom": "GB",
    "virginia": "US-MIDA-PJM",
}
"""What people call a zone; the names are those of Electricity Maps."""

_MOST_SUGGESTIONS = 4


def suggest(asked: str, known: Sequence[str]) -> tuple[str, ...]:
    """Zones of ``known`` that ``asked`` may have meant, likeliest first; empty when nothing is near."""
    folded = {zone.casefold(): zone for zone in known}
    wanted = asked.strip().casefold()
    if wanted in folded:
        return (folded[wanted],)
    place = next(iter(get_close_matches(wanted, PLACES, n=1, cutoff=0.8)), None)
    if place is not None and PLACES[place] in known:
        return (PLACES[place],)
    beginning = [zone for fold, zone in folded.items() if wanted and fold.startswith(f"{wanted}-")]
    near = [folded[fold] for fold in get_close_matches(wanted, folded, n=_MOST_SUGGESTIONS)]
    return tuple(dict.fromkeys([*beginning, *near]))[:_MOST_SUGGESTIONS]


def unknown_zone(asked: str, known: Sequence[str], where: str) -> UsageError:
    """The error to raise when ``asked`` is not among the zones of ``where``."""
    near = suggest(asked, known)
    if near:
        remedy = f"did you mean {' or '.join(near)}?"
    elif len(known) <= 20:
        remedy = f"choose from {', '.join(known)}"
    else:
        remedy = f"zones are named as in Electricity Maps, such as {', '.join(known[:3])}"
    return UsageError(f"zone {asked!r}", f"one of the {len(known)} zones of {where}", remedy)
