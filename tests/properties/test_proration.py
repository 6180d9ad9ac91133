from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Period
from domain.proration import Mode, share_of

ZONES = ("UTC", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe")
MODES: tuple[Mode, ...] = ("second", "day")

START = datetime(2011, 12, 1, 9, 30, tzinfo=UTC)
seconds = st.integers(1, 40 * 86_400)


@given(st.sets(seconds, min_size=2), st.sampled_from(MODES), st.sampled_from(ZONES))
def test_the_shares_of_all_parts_are_the_whole(cuts: set[int], mode: Mode, zone: str) -> None:
    instants = [START, *(START + timedelta(seconds=cut) for cut in sorted(cuts))]
    whole = Period(instants[0], instants[-1])
    parts = [Period(start, end) for start, end in pairwise(instants)]
    assert sum(share_of(part, whole, mode, zone) for part in parts) == 1
