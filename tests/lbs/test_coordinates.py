"""A coordinate is read in every form that leaves one reading, and in no other."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.lbs.coordinates import is_nowhere, parse_latitude, parse_longitude, read_place
from telephony.lbs.geodesy import Coord

NORTH, EAST = 37.5665, 126.9778


@pytest.mark.parametrize(
    ("parse", "text", "degrees"),
    [
        (parse_latitude, "35 35 24.139N", 35.590038611),
        (parse_longitude, "139 37 47.753E", 139.629931389),
        (parse_longitude, "099 12 15.019W", -99.204171944),
        (parse_latitude, " 35 35 24.139 S ", -35.590038611),
        (parse_latitude, "37 33 59N", 37.566388889),
        (parse_latitude, "37 3 9.N", 37.0525),
        (parse_latitude, "90 00 00.000N", 90.0),
        (parse_longitude, "180 00 00W", -180.0),
        (parse_latitude, "-23.6", -23.6),
        (parse_longitude, "+126.9778", 126.9778),
        (parse_longitude, "127", 127.0),
        (parse_latitude, "37 33N", 37.55),
        (parse_latitude, "-33 51 36.0 S", -33.86),
        (parse_latitude, "n37.5665", NORTH),
    ],
)
def test_a_coordinate_is_read_in_either_form(parse, text, degrees):
    assert parse(text) == pytest.approx(degrees, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("37 33 59.400 N", "126 58 40.080 E"),
        ("N37 33 59.400", "E126 58 40.080"),
        ("N 37 33 59.400", "E 126 58 40.080"),
        ("37\u00b033'59.400\"N", "126\u00b058'40.080\"E"),
        ("37\u00ba33'59.400''N", "126\u00ba58'40.080''E"),
        ("37\u00b0 33\u2032 59.400\u2033 N", "126\u00b0 58\u2032 40.080\u2033 E"),
        ("N 37\u00b033\u201959.4\u201d", "E 126\u00b058\u201940.08\u201d"),
        ("+37 33 59.400", "+126 58 40.080"),
        ("+37 33 59.400N", "+126 58 40.080E"),
        ("37 33 59,400N", "126 58 40,080E"),
        ("37,5665", "126,9778"),
        ("37.5665 N", "126.9778E"),
        ("37.5665\u00b0", "126.9778\u00b0 E"),
        ("3.75665E1", "1.269778e+2"),
        ("3,75665E1", "1,269778E2"),
        ("37 33.990N", "126 58.668E"),
        ("37\u00b033.990'N", "126\u00b058.668'E"),
        ("37  33  59.400N", "126\t58\t40.080E"),
        ("37\u00a033\u00a059.400N", "126\u00a058\u00a040.080E"),
        ("\n37 33 59.400N\n", "\n126 58 40.080E\n"),
        ("37_33_59.400N", "126_58_40.080E"),
        ("37:33:59.400N", "126-58-40.080E"),
        ("373359.400N", "1265840.080E"),
        ("+373359.400", "+1265840.080"),
        ("3733.990N", "12658.668E"),
        ("\uff13\uff17.5665", "126.9778"),
        ("126 58 40.080E", "37 33 59.400N"),
        ("E126.9778", "N37.5665"),
        ("37.5665000000001", "126.9778000000001"),
        ("37d33m59.4sN", "126d58m40.08sE"),
        ("N37D33M59.4S", "e 126d 58m 40.08s"),
        ("37.5665dN", "126d58.668mE"),
        ("37.5665 deg N", "126.9778 degrees East"),
        ("37 deg 33 min 59.4 sec North", "126 DEGREES 58 MINUTES 40.08 SECONDS EAST"),
        ("37도 33분 59.4초 N", "동경 126도 58분 40.08초"),
        ("북위 37.5665도", "동경 126.9778"),
        ("3733.9900,N", "12658.6680, E"),
        ("37 33 59.400N;", "126 58 40.080E,"),
        ("37.33.59.4N", "126.58.40.08E"),
        ("37,33,59,4N", "126/58/40.08E"),
        ("Lat 37.5665", "longitude=126.9778"),
        ('"37.5665"', '"126.9778"'),
        ("\u200e37.5665\u200b", "\ufeff+126.9778"),
        ("3.75665e+001", "1.269778E+002"),
        ("\u0663\u0667\u066b\u0665\u0666\u0666\u0665", "\u0967\u0968\u096c.\u096f\u096d\u096d\u096e"),
    ],
)
def test_one_place_in_the_many_forms_of_live_servers(x, y):
    place = read_place(x, y)
    assert (place.latitude, place.longitude) == (
        pytest.approx(NORTH, abs=1e-9),
        pytest.approx(EAST, abs=1e-9),
    )


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("37 60 00.00N", 38.0),
        ("37 33 60.000N", 37 + 34 / 60),
        ("37 59 60.000N", 38.0),
        ("37 60.000N", 38.0),
        ("89 59 60.0S", -90.0),
    ],
)
def test_what_rounding_made_sixty_of_is_carried(text, degrees):
    assert parse_latitude(text) == pytest.approx(degrees, abs=1e-9)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_latitude, "NaN"),
        (parse_latitude, "nan"),
        (parse_latitude, "inf"),
        (parse_latitude, ""),
        (parse_latitude, "N"),
        (parse_latitude, "37 60 00.1N"),
        (parse_latitude, "37 60 60.0N"),
        (parse_latitude, "37 61 00.0N"),
        (parse_latitude, "37 00 60.1N"),
        (parse_latitude, "91 00 00N"),
        (parse_latitude, "90 00 00.001N"),
        (parse_latitude, "89 60 60N"),
        (parse_latitude, "-90.5"),
        (parse_latitude, "37 33 59.4E"),
        (parse_longitude, "126 58 40.08N"),
        (parse_longitude, "180 00 01E"),
        (parse_longitude, "181"),
        (parse_latitude, "37 33 59.4"),
        (parse_latitude, "37 33.990"),
        (parse_latitude, "37\u00b033'59.4\""),
        (parse_latitude, "373359.4"),
        (parse_latitude, "37'33\u00b059.4N"),
        (parse_latitude, "-37.5N"),
        (parse_latitude, "+37.5S"),
        (parse_latitude, "N37.5N"),
        (parse_latitude, "N37.5S"),
        (parse_latitude, "37.5.6"),
        (parse_latitude, "37.5 33N"),
        (parse_latitude, "1e1"),
        (parse_latitude, "37.5\ufffd665"),
        (parse_latitude, "3\u00b2.5"),
        (parse_longitude, "995840.080E"),
        (parse_latitude, "37d33m59.4s"),
        (parse_latitude, "37D 33M 59.4 S"),
        (parse_latitude, "37deg33min59.4secS"),
        (parse_latitude, "33\u00b0 51m 54.5S"),
        (parse_latitude, "N37 33 59.4S"),
        (parse_latitude, "lon 37.5665"),
        (parse_longitude, "Latitude: 126.9778"),
        (parse_latitude, "37.33,59N"),
        (parse_latitude, "37.33.59"),
        (parse_latitude, "37.566.500N"),
        (parse_latitude, "\u0663\u0667\u00b2"),
        (parse_latitude, "3" * 10_000),
    ],
)
def test_what_is_no_coordinate_or_two_is_malformed(parse, text):
    with pytest.raises(Malformed):
        parse(text)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("126.9778", "37.5665"),
        ("37 33 59.4N", "37 33 59.4N"),
        ("126 58 40.080E", "37.5665"),
        ("37.5665", "37 33 59.400N"),
    ],
)
def test_places_are_never_swapped_on_a_guess(x, y):
    with pytest.raises(Malformed):
        read_place(x, y)


def test_south_of_nothing_is_no_minus_zero():
    assert str(parse_latitude("0 0 0.0S")) == "0.0"


@pytest.mark.parametrize(
    "place",
    [
        (0.0, 0.0),
        (0.000001, 0.000001),
        (-0.00001, 0.00002),
        (0.0, -0.000021),
        (-1.0, -1.0),
        (90.0, 180.0),
        (-90.0, -180.0),
        (90.0, -180.0),
        (0.0, 180.0),
        (0.0, -179.9999),
        (89.99999, 179.99998),
    ],
)
def test_the_ways_of_saying_nothing_are_no_place(place):
    assert is_nowhere(Coord(*place))


@pytest.mark.parametrize("place", [(37.5665, 126.9778), (0.0, 127.0), (5.6, 0.0), (-1.0, -1.1), (90.0, 0.0)])
def test_a_place_on_the_equator_or_the_meridian_is_one(place):
    assert not is_nowhere(Coord(*place))


@given(
    st.one_of(
        st.text(max_size=80),
        st.from_regex(r"[NSEW+-]? ?\d{1,4}([ :\u00b0',.]\d{1,3}){0,3}[\"]? ?[NSEWnsew]?"),
    )
)
def test_any_text_is_a_latitude_on_earth_or_malformed(text):
    with suppress(Malformed):
        assert -90 <= parse_latitude(text) <= 90


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_whatever_the_form_the_place_is_the_same(latitude, longitude):
    """Degrees, minutes and seconds to the millisecond of arc, and decimal degrees, by the same place."""

    def dms(degrees, letters):
        thousandths = round(abs(degrees) * 3_600_000)
        minutes, rest = divmod(thousandths, 60_000)
        return f"{minutes // 60} {minutes % 60} {rest / 1000:.3f}{letters[degrees < 0]}"

    letters = read_place(dms(latitude, "NS"), dms(longitude, "EW"))
    decimal = read_place(f"{latitude:.7f}", f"{longitude:.7f}".replace(".", ","))
    assert letters == (pytest.approx(decimal.latitude, abs=2e-7), pytest.approx(decimal.longitude, abs=2e-7))
