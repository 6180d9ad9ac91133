from collections import Counter

import pytest

from domain.currencies import MINOR_DIGITS, read_currency
from domain.errors import Invalid


def test_list_one_is_complete() -> None:
    assert Counter(MINOR_DIGITS.values()) == {0: 17, 2: 139, 3: 7, 4: 2}
    assert all(len(code) == 3 and code.isupper() for code in MINOR_DIGITS)


@pytest.mark.parametrize(("currency", "digits"), [
    ("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("CLP", 0), ("ISK", 0), ("UGX", 0), ("VND", 0), ("XOF", 0), ("UYI", 0),
    ("KWD", 3), ("BHD", 3), ("IQD", 3), ("JOD", 3), ("LYD", 3), ("OMR", 3), ("TND", 3), ("CLF", 4), ("UYW", 4),
    ("HUF", 2), ("IDR", 2), ("MGA", 2), ("MRU", 2), ("XCG", 2), ("XAD", 2), ("ZWG", 2), ("SLE", 2), ("VED", 2), ("USN", 2),
])  # fmt: skip
def test_minor_units(currency: str, digits: int) -> None:
    assert read_currency(currency) == currency
    assert MINOR_DIGITS[currency] == digits


@pytest.mark.parametrize("currency", [
    *("XAU", "XAG", "XPT", "XPD", "XDR", "XUA", "XSU", "XBA", "XTS", "XXX"),   # without minor units
    *("ANG", "BGN", "CUC", "HRK", "SLL", "ZWL", "DEM", "MRO"),                 # withdrawn
    *("usd", "Usd", "US", "USDT", " USD", "", "ABC", "$"),
    *(None, 840, True, ["USD"], {"code": "USD"}),
])  # fmt: skip
def test_what_is_no_currency(currency: object) -> None:
    with pytest.raises(
        Invalid, match=r"^must be an ISO 4217 currency code in upper case, like USD$"
    ):
        read_currency(currency)
