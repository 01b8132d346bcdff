"""Amounts of money: what is read, what is refused, what is printed, and that sums are exact."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.errors import InvalidField
from llmring_core.money import MAX_RECORD_USD, plain, rounded, total, usd_from_number, usd_from_text

amounts = st.decimals(0, MAX_RECORD_USD, places=12)
NO_AMOUNT = [
    "",
    " ",
    "abc",
    "NaN",
    "nan",
    "sNaN",
    "Infinity",
    "-Infinity",
    "inf",
    "0x10",
    "1_000",
    "1,5",
    "1.",
    ".5",
    "+1",
    "--1",
    " 1",
    "1 ",
    "1\n",
    "1\0",
    "١٢٣",  # Arabic digits
    "\uff11",  # full-width digit
    "½",
    "$1",
    "1e",
    "1" * 10_000,
    "0." + "0" * 10_000,
]


class TestText:
    @pytest.mark.parametrize(
        ("text", "amount"),
        [
            ("0", "0"),
            ("0.0025", "0.0025"),
            ("0.000000000001", "1e-12"),
            ("1000000", "1000000"),
            ("1000000.000000000000", "1000000"),
            ("0000001.10", "1.1"),
        ],
    )
    def test_is_read_exactly(self, text: str, amount: str) -> None:
        assert usd_from_text("cost", text) == Decimal(amount)

    @pytest.mark.parametrize(
        "text",
        [*NO_AMOUNT, "1e-3", "-1", "-0", "1000000.000000000001", "9999999", "0.0000000000001"],
    )
    def test_is_refused_when_it_is_no_amount_of_a_record(self, text: str) -> None:
        with pytest.raises(InvalidField) as refusal:
            usd_from_text("cost", text)
        assert refusal.value.field == "cost"


class TestNumber:
    @pytest.mark.parametrize(
        ("literal", "amount"),
        [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0.1", "0.1"),
            ("0.00030000000000000003", "0.0003"),  # float noise
            ("0.0008749999999999999", "0.000875"),
            ("1e-12", "1e-12"),
            ("2.5E-3", "0.0025"),
            ("1e6", "1000000"),
            ("1E+2", "100"),
            ("0e999", "0"),
            ("1e-999", "0"),
            ("-1e-13", "0"),
            ("5e-324", "0"),
            ("0.0000000000005", "0"),  # half to even
            ("0.0000000000015", "2e-12"),
            ("0.0000000000025", "2e-12"),
            ("0.00000000000250000001", "3e-12"),
            ("1000000.0000000000004", "1000000"),
        ],
    )
    def test_is_rounded_half_even_to_12_decimals(self, literal: str, amount: str) -> None:
        read = usd_from_number("cost", literal)
        assert (read, read.is_signed()) == (Decimal(amount), False)

    @pytest.mark.parametrize(
        "literal",
        [
            *NO_AMOUNT,
            "-1",
            "-1e-12",
            "1000000.0000000000006",
            "1000001",
            "1e7",
            "1e48",
            "1e999",
            "-1e999",
            "1.7976931348623157e+308",
            "1e1000",
        ],
    )
    def test_is_refused_when_it_is_no_amount_of_a_record(self, literal: str) -> None:
        with pytest.raises(InvalidField):
            usd_from_number("cost", literal)

    @given(amounts)
    def test_survives_the_floats_of_published_clients(self, amount: Decimal) -> None:
        cents = amount.quantize(Decimal("0.01"))  # what a float carries to 12 decimals
        assert usd_from_number("cost", repr(float(cents))) == cents

    @given(amounts)
    def test_means_what_the_same_text_means_to_the_last_digit(self, amount: Decimal) -> None:
        as_number = usd_from_number("cost", str(amount))
        assert str(as_number) == str(usd_from_text("cost", plain(amount)))


class TestPlain:
    @pytest.mark.parametrize(
        ("amount", "least_decimals", "text"),
        [
            ("1e-12", 0, "0.000000000001"),
            ("1E+6", 0, "1000000"),
            ("0E-12", 0, "0"),
            ("0E+3", 2, "0.00"),
            ("-0.5", 0, "-0.5"),
            ("10", 0, "10"),
            ("10.50", 0, "10.5"),
            ("10.50", 2, "10.50"),
            ("10", 2, "10.00"),
            ("0.0025", 2, "0.0025"),
            ("9" * 40 + ".000000000001", 0, "9" * 40 + ".000000000001"),
        ],
    )
    def test_prints_what_a_person_would_write(
        self, amount: str, least_decimals: int, text: str
    ) -> None:
        assert plain(Decimal(amount), least_decimals) == text

    @given(
        st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30),
        st.integers(0, 12),
    )
    def test_never_prints_an_exponent_and_loses_nothing(
        self, amount: Decimal, least_decimals: int
    ) -> None:
        text = plain(amount, least_decimals)
        assert set(text) <= set("-.0123456789")
        assert Decimal(text) == amount


class TestSums:
    def test_are_exact_far_beyond_64_bits_of_picodollars(self) -> None:
        amounts = [Decimal("999999.999999999999")] * 100_000
        assert total(amounts) == Decimal("99999999999.9999999")

    def test_of_nothing_is_zero(self) -> None:
        assert total([]) == 0

    def test_a_million_tenths_of_a_microdollar_are_a_dime(self) -> None:
        assert total([Decimal("0.0000001")] * 1_000_000) == Decimal("0.1")

    @given(st.lists(amounts, max_size=20))
    def test_do_not_depend_on_the_order(self, amounts: list[Decimal]) -> None:
        assert total(amounts) == total(sorted(amounts)) == total(amounts[::-1])

    @given(st.integers(-(10**24), 10**24))
    def test_rounding_is_to_the_even_neighbour_of_a_half(self, halves: int) -> None:
        exact = Decimal(halves).scaleb(-13) * 5  # multiples of half a picodollar
        down, odd = divmod(halves, 2)
        nearest = down + (odd and down % 2)
        assert rounded(exact) == Decimal(nearest).scaleb(-12)
