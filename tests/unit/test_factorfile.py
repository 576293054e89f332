"""A file of factors: what it may say, and what is refused in words."""

from pathlib import Path

import pytest

from tidewatt.accounting.factors import DEFAULTS, KINDS, OWN
from tidewatt.adapters.factorfile import read_factors
from tidewatt.errors import UsageError

OURS = """
[pue]
id = "pue/our-hall/1"
value = 1.21
low = 1.18
high = 1.25
source = "meter of the hall"
valid = "2026"

[ewif.DE]
id = "ewif/de/1"
value = 1.95
source = "our utility"

[ewif.FR]
id = "ewif/fr/1"
value = 3
source = "our utility"
licence = "CC BY 4.0"

[machine]
id = "machine/rent/1"
value = 3.4
unit = "USD for an hour of the whole machine"
source = "invoice"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "factors.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_known_replaces_a_default_everywhere_or_in_a_zone(tmp_path: Path) -> None:
    known = read_factors(written(tmp_path, OURS))
    assert (known.pue.id, known.pue.low, known.pue.valid, known.pue.licence) == (
        "pue/our-hall/1",
        1.18,
        "2026",
        OWN,
    )
    assert known.of("pue", "DE") == known.pue
    assert known.of("ewif", "DE").value == 1.95
    assert known.of("ewif", "FR").licence == "CC BY 4.0"
    assert known.of("ewif", "PL") == DEFAULTS.ewif
    assert known.machine is not None
    assert (known.wue, known.market) == (DEFAULTS.wue, None)
    ids = frozenset({"ewif/de/1", "pue/our-hall/1", "machine/rent/1"})
    assert {factor.id for factor in known.by_id(ids)} == ids


def test_every_kind_can_be_told(tmp_path: Path) -> None:
    text = "".join(f'[{kind}]\nid = "{kind}/x/1"\nvalue = 2\nsource = "us"\n' for kind in KINDS)
    known = read_factors(written(tmp_path, text))
    assert [getattr(known, kind).id for kind in KINDS] == [f"{kind}/x/1" for kind in KINDS]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[puu]\n", r"\[puu\].*did you mean \[pue\]"),
        ("pue = 1.2\n", r"pue = 1.2.*wanted a table"),
        ("[pue]\n", r"wanted a table \[pue\]"),
        ('[pue]\nvalue = 1.2\nsource = "x"\n', "without id"),
        ('[pue]\nid = "x"\nvalue = 1.2\n', "without source"),
        ('[pue]\nid = "x"\nvalue = "1.2"\nsource = "x"\n', "value = '1.2'.*a number"),
        ('[pue]\nid = "x"\nvalue = nan\nsource = "x"\n', "value = nan"),
        ('[wue]\nid = "x"\nvalue = -1\nsource = "x"\n', "value = -1"),
        ('[pue]\nid = "x"\nvalue = 0.9\nsource = "x"\n', "a PUE of 0.9"),
        ('[lifespan]\nid = "x"\nvalue = 0\nsource = "x"\n', "a lifespan of 0 h"),
        ('[pue]\nid = "x"\nvalue = 1.2\nlow = 1.3\nsource = "x"\n', "a range of 1.3 to 1.2"),
        ('[price]\nid = "x"\nvalue = 0.2\nunit = "EUR/kWh"\nsource = "x"\n', "unit = 'EUR/kWh'.*USD/kWh"),
        ('[pue]\nid = "x"\nvalue = 1.2\nsource = "x"\nbest = 3\n', "best in"),
        ("[pue\n", "wanted factors as TOML"),
    ],
)
def test_what_is_wrong_is_refused_in_words(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(UsageError, match=found):
        read_factors(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_factors(tmp_path / "none.toml")
