"""Texts: every data_coding, user data headers and parts, national tables, and segments to send."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telephony.alphabets import gsm0338
from telephony.domain.errors import Malformed
from telephony.domain.trigger import DOUBTFUL_TEXT, PARTLY_UNREADABLE_TEXT, UNREADABLE_TEXT, Part, PartKind
from telephony.smpp.wire.text import Text, read_text
from telephony.smpp.wire.text_parts import segments

KOREAN = "살려주세요"
UDHI = 0x40
GSM_CHARACTERS = "".join(sorted(set(gsm0338.LOCKING_SHIFT[0]) - {"\x1b"})) + "^{}\\[~]|€\f"
ALPHABETS = ("gsm0338", "gsm0338-packed", "latin-1", "ascii", "cp949", "utf-8")


def read(data_coding, octets, *, esm_class=0, default_alphabet="gsm0338", sar=None) -> Text:
    return read_text(data_coding, esm_class, octets, default_alphabet=default_alphabet, sar=sar)


def pack(septets, fill_bits=0):
    """Septets packed into octets, in the plainest way there is: as a string of bits."""
    bits = "0" * fill_bits + "".join(f"{septet:07b}"[::-1] for septet in septets)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[start : start + 8][::-1], 2) for start in range(0, len(bits), 8))


class TestDataCoding:
    @pytest.mark.parametrize(
        ("data_coding", "octets", "text", "encoding"),
        [
            (0x00, b"help", "help", "gsm0338"),
            (0x00, b"\x00\x05\x7b\x1b\x65", "@éä€", "gsm0338"),
            (0x01, b"help {now}", "help {now}", "ascii"),
            (0x01, b"a\x00b\x1b(", "a@b{", "gsm0338"),
            (0x02, KOREAN.encode(), KOREAN, "utf-8"),
            (0x02, KOREAN.encode("cp949"), KOREAN, "cp949"),
            (0x03, b"caf\xe9", "café", "latin-1"),
            (0x04, KOREAN.encode("cp949"), KOREAN, "cp949"),
            (0x05, "助けて".encode("iso2022_jp"), "助けて", "iso2022_jp_ext"),
            (0x05, "助けて".encode("shift_jis"), "助けて", "shift_jis"),
            (0x06, "помощь".encode("iso8859-5"), "помощь", "iso8859-5"),
            (0x07, "עזרה".encode("iso8859-8"), "עזרה", "iso8859-8"),
            (0x08, KOREAN.encode("utf-16-be"), KOREAN, "utf-16-be"),
            (0x09, "助けて".encode("shift_jis"), "助けて", "shift_jis"),
            (0x0A, "助けて".encode("iso2022_jp"), "助けて", "iso2022_jp_ext"),
            (0x0D, "助けて".encode("iso2022_jp_ext"), "助けて", "iso2022_jp_ext"),
            (0x0D, "助けて".encode("euc_jp"), "助けて", "euc_jp"),
            (0x0E, KOREAN.encode("cp949"), KOREAN, "cp949"),
            (0x0F, b"*112#", "*112#", "gsm0338"),
            (0x10, b"flash", "flash", "gsm0338"),
            (0x11, b"class 1", "class 1", "gsm0338"),
            (0x14, KOREAN.encode("cp949"), KOREAN, "cp949"),
            (0x18, KOREAN.encode("utf-16-be"), KOREAN, "utf-16-be"),
            (0x48, KOREAN.encode("utf-16-be"), KOREAN, "utf-16-be"),
            (0x44, b"binary?", "binary?", "utf-8"),
            (0x94, b"binary?", "binary?", "utf-8"),
            (0xC8, b"voice mail", "voice mail", "gsm0338"),
            (0xD0, b"voice mail", "voice mail", "gsm0338"),
            (0xE0, KOREAN.encode("utf-16-be"), KOREAN, "utf-16-be"),
            (0xEF, KOREAN.encode("utf-16-be"), KOREAN, "utf-16-be"),
            (0xF0, b"class 0", "class 0", "gsm0338"),
            (0xF1, b"\x00", "@", "gsm0338"),
            (0xF4, b"eight bits", "eight bits", "utf-8"),
            (0xF6, KOREAN.encode("cp949"), KOREAN, "cp949"),
        ],
    )
    def test_each_coding_is_read_in_its_alphabet(self, data_coding, octets, text, encoding):
        assert read(data_coding, octets) == Text(text, encoding, None, (), octets)

    @pytest.mark.parametrize(
        ("data_coding", "octets"),
        [
            (0x00, b"\xff\xfe\x00"),
            (0x01, b"\xff"),
            (0x02, b"\x00\x01\x02\x03"),
            (0x04, b"\x89PNG\r\n\x1a\n"),
            (0x05, b"\xa0\xff"),
            (0x07, b"\xa1\xbf"),
            (0x08, b"\xd8\x00"),
            (0x0A, b"\x80"),
            (0x0E, b"\xbb"),
            (0x0E, b"\xff\xff"),
            (0x60, b"\x9a\x01\xff\x80\x17"),
            (0xF4, b"\x80\x81"),
        ],
    )
    def test_what_makes_no_text_in_any_alphabet_is_none_and_keeps_its_octets(self, data_coding, octets):
        assert read(data_coding, octets) == Text(None, None, None, (), octets, (UNREADABLE_TEXT,))

    def test_what_nobody_writes_is_given_as_declared_and_called_doubtful(self):
        assert read(0x03, pack(b"sos"))[:2] == ("ó÷\x1c", "latin-1")
        assert read(0x03, pack(b"sos")).remarks == (DOUBTFUL_TEXT,)

    @pytest.mark.parametrize("data_coding", [0x00, 0x01, 0x0B, 0x0C, 0x0F, 0x80, 0xBF, 0xC0, 0xF0])
    def test_korean_in_a_coding_of_seven_bits_is_read_as_korean(self, data_coding):
        """Octets above 127 cannot be GSM 03.38; handsets that put cp949 there exist."""
        octets = f"{KOREAN} 112!".encode("cp949")

        assert read(data_coding, octets)[:2] == (f"{KOREAN} 112!", "cp949")

    @pytest.mark.parametrize("octets", [b"\xe9t\xe9", "漢字漢字".encode("cp949")])
    def test_octets_that_are_cp949_by_accident_are_not_guessed_to_be_korean(self, octets):
        assert read(0x00, octets).text is None

    def test_latin_1_in_a_coding_of_seven_bits_is_not_guessed_to_be_korean(self):
        assert read(0x00, b"na\xefve caf\xe9")[:2] == ("naïve café", "cp1252")

    @pytest.mark.parametrize(
        ("alphabet", "octets", "text"),
        [
            ("gsm0338", b"\x00", "@"),
            ("gsm0338-packed", pack(b"help me"), "help me"),
            ("latin-1", b"@\xe9", "@é"),
            ("ascii", b"@{}", "@{}"),
            ("cp949", KOREAN.encode("cp949"), KOREAN),
            ("utf-8", KOREAN.encode(), KOREAN),
        ],
    )
    def test_coding_0_is_the_carriers_default_alphabet(self, alphabet, octets, text):
        assert read(0, octets, default_alphabet=alphabet)[:2] == (text, alphabet)

    def test_the_carriers_alphabet_is_for_coding_0_alone(self):
        assert read(0x0F, b"\x00", default_alphabet="cp949").text == "@"

    @pytest.mark.parametrize("syllable", ["뷁", "똠", "쌰"])
    def test_syllables_beyond_ks_x_1001_are_read(self, syllable):
        octets = syllable.encode("cp949")

        assert len(octets) == 2
        assert read(0x0E, octets).text == syllable

    @pytest.mark.parametrize("data_coding", range(256))
    def test_no_text_at_all_is_an_empty_text_in_every_coding_but_compressed_ones(self, data_coding):
        assert read(data_coding, b"").text == (None if 0x60 <= data_coding <= 0x7F else "")

    @given(
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=300),
        st.sampled_from(ALPHABETS),
        st.none() | st.tuples(st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255)),
    )
    def test_no_octets_raise(self, data_coding, esm_class, octets, alphabet, sar):
        text = read(data_coding, octets, esm_class=esm_class, default_alphabet=alphabet, sar=sar)

        assert (text.text is None) == (text.encoding is None)
        assert octets.endswith(text.payload)
        assert "\0" not in (text.text or "")
        assert (PARTLY_UNREADABLE_TEXT in text.remarks) == ("\ufffd" in (text.text or ""))
        assert (UNREADABLE_TEXT in text.remarks) == (text.text is None and text.payload != b"")


class TestUcs2:
    def test_a_surrogate_pair_is_one_character(self):
        assert read(0x08, "🆘".encode("utf-16-be")).text == "🆘"

    @pytest.mark.parametrize(
        ("octets", "encoding"),
        [
            (b"\xfe\xff" + KOREAN.encode("utf-16-be"), "utf-16-be"),
            (b"\xff\xfe" + KOREAN.encode("utf-16-le"), "utf-16-le"),
        ],
    )
    def test_a_byte_order_mark_is_honoured_and_dropped(self, octets, encoding):
        assert read(0x08, octets)[:2] == (KOREAN, encoding)

    def test_an_odd_octet_at_the_end_is_dropped(self):
        assert read(0x08, KOREAN.encode("utf-16-be") + b"\0").text == KOREAN
        assert read(0x08, b"\0").text == ""

    def test_half_a_pair_at_the_border_of_parts_is_dropped(self):
        pair = "🆘".encode("utf-16-be")
        first, second = b"\0a" + pair[:2], pair[2:] + b"\0b"

        assert read(0x08, first, sar=(1, 2, 1)).text == "a"
        assert read(0x08, second, sar=(1, 2, 2)).text == "b"
        assert read(0x08, pair[:2], sar=(1, 2, 1)).text == ""
        assert read(0x08, first).text == "a\ufffd"

    def test_half_a_pair_is_found_in_little_endian_too(self):
        pair = "🆘".encode("utf-16-le")

        assert read(0x08, b"\xff\xfea\0" + pair[:2], sar=(1, 2, 1)).text == "a"
        assert read(0x08, b"\xff\xfe" + pair[2:] + b"b\0", sar=(1, 2, 2)).text == "b"


class TestHeader:
    @pytest.mark.parametrize(
        ("header", "part"),
        [
            (b"\x05\x00\x03\x2a\x03\x02", Part(0x2A, 3, 2)),
            (b"\x06\x08\x04\x01\x2a\x03\x02", Part(0x012A, 3, 2, PartKind.CONCATENATED_16)),
            (b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x2a\x03\x02", Part(0x2A, 3, 2)),
            (b"\x08\x24\x01\x01\x00\x03\x2a\x03\x02", Part(0x2A, 3, 2)),
            (b"\x0a\x00\x03\x01\x02\x01\x00\x03\x2a\x03\x02", Part(0x2A, 3, 2)),
        ],
        ids=["8 bit", "16 bit", "behind ports", "behind a shift table", "twice: the last counts"],
    )
    def test_the_place_in_a_long_message_is_found_wherever_it_stands(self, header, part):
        text = read(0x08, header + KOREAN.encode("utf-16-be"), esm_class=UDHI)

        assert text.part == part
        assert text.text == KOREAN
        assert text.payload == KOREAN.encode("utf-16-be")

    @pytest.mark.parametrize(
        "header",
        [
            b"\x05\x00\x03\x2a\x00\x00",
            b"\x05\x00\x03\x2a\x02\x00",
            b"\x05\x00\x03\x2a\x02\x03",
            b"\x04\x00\x02\x2a\x02",
            b"\x05\x08\x03\x2a\x02\x01",
        ],
        ids=["0 of 0", "0 of 2", "3 of 2", "too short", "16 bit of 3 octets"],
    )
    def test_a_place_that_cannot_be_is_no_part_and_the_text_is_read(self, header):
        text = read(0x00, header + b"help", esm_class=UDHI)

        assert text.part is None
        assert text.text == "help"

    def test_information_elements_are_kept_in_order(self):
        text = read(0x00, b"\x07\x70\x00\x05\x03abchelp", esm_class=UDHI)

        assert text.udh == ((0x70, b""), (0x05, b"abc"))
        assert text.text == "help"

    @pytest.mark.parametrize(
        "octets",
        [
            b"\x06\x70\x00\x00\x09abhelp",
            b"\x05\x00\x09\x01\x02\x01help",
            b"\x1e\x00\x03\x01\x02\x01help",
            b"\nhelp",
        ],
        ids=["behind another", "longer than the header", "longer than the message", "a line feed"],
    )
    def test_elements_that_do_not_end_with_the_header_make_none_and_everything_is_text(self, octets):
        text = read(0x00, octets, esm_class=UDHI)

        assert (text.udh, text.part, text.payload) == ((), None, octets)
        assert text.text.endswith("help")

    @pytest.mark.parametrize("octets", [b"\xff", b"\x05\x00\x03", b"HELP", b""])
    def test_a_header_longer_than_the_message_is_none(self, octets):
        text = read(0x00, octets, esm_class=UDHI)

        assert (text.udh, text.payload) == ((), octets)

    @pytest.mark.parametrize(
        ("data_coding", "octets", "text"),
        [
            (0x00, b"He has a knife and he is at the door of my room, please come to 12 Mapo-daero", ...),
            (0x00, b"\nhelp he is at the door now", ...),
            (0x08, "SOS help".encode("utf-16-be"), "SOS help"),
            (0x08, KOREAN.encode("utf-16-be"), KOREAN),
            (0x00, b"\0help me", "help me"),
        ],
        ids=["english", "line feed", "latin in UCS2", "hangul in UCS2", "an empty header"],
    )
    def test_the_bit_alone_makes_no_header(self, data_coding, octets, text):
        assert read(data_coding, octets, esm_class=UDHI).text == (octets.decode() if text is ... else text)

    @pytest.mark.parametrize(
        ("header", "part"),
        [
            (b"\x05\x00\x03\x2a\x03\x02", Part(0x2A, 3, 2)),
            (b"\x06\x08\x04\x01\x2a\x03\x02", Part(0x012A, 3, 2, PartKind.CONCATENATED_16)),
            (b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x2a\x03\x02", Part(0x2A, 3, 2)),
        ],
    )
    @pytest.mark.parametrize(
        ("data_coding", "words"), [(0x00, b"help me now"), (0x08, KOREAN.encode("utf-16-be")), (0x00, b"")]
    )
    def test_a_place_in_a_long_message_is_a_header_without_the_bit_too(
        self, header, part, data_coding, words
    ):
        text = read(data_coding, header + words)

        assert (text.part, text.payload) == (part, words)

    @pytest.mark.parametrize(
        "octets", [b"\x05\x00\x03\x2a\x03\x04help", b"\x04\x24\x02\x01\x01help", b"\x05t\x05"]
    )
    def test_without_the_bit_any_other_header_is_text(self, octets):
        assert read(0x00, octets).payload == octets

    def test_reply_path_beside_the_bit_changes_nothing(self):
        assert read(0x00, b"\x05\x00\x03\x2a\x03\x02hi", esm_class=0xC0).part == Part(0x2A, 3, 2)

    def test_sar_parameters_tell_the_place_unless_the_header_does(self):
        assert read(0x00, b"hi", sar=(0x1234, 3, 2)).part == Part(0x1234, 3, 2, PartKind.SAR)
        assert read(0x00, b"hi", sar=(0x1234, 3, 4)).part is None
        assert read(0x00, b"\x05\x00\x03\x2a\x03\x01hi", esm_class=UDHI, sar=(9, 3, 2)).part == Part(
            0x2A, 3, 1
        )

    def test_a_part_that_cannot_be_read_alone_keeps_its_octets_for_its_neighbours(self):
        data = b"\x89PNG\xff\xfe\xff"
        text = read(0x00, bytes((5, 0, 3, 7, 3, 2)) + data, esm_class=0x40)

        assert (text.text, text.part.octets, text.part.alphabet) == (None, data, None)


class TestGsm0338:
    @given(st.text(st.sampled_from(GSM_CHARACTERS)))
    def test_every_character_of_the_alphabet_goes_there_and_back(self, text):
        septets = gsm0338.encode(text)

        assert septets is not None
        assert gsm0338.decode(septets) == text

    @pytest.mark.parametrize("text", ["`", "ç", KOREAN, "\x1b", "a\0"])
    def test_characters_outside_of_it_are_not_written(self, text):
        assert gsm0338.encode(text) is None

    @pytest.mark.parametrize(
        ("septets", "text"),
        [
            (b"\x1b\x14\x1b(\x1b)\x1b/\x1b<\x1b=\x1b>\x1b@\x1be\x1b\x0a", "^{}\\[~]|€\f"),
            (b"a\x1bAb", "aAb"),
            (b"\x1b\x00", "@"),
            (b"a\x1b\x1bb", "a b"),
            (b"a\x1b\x1b\x1b(", "a {"),
            (b"a\x1b", "a"),
            (b"\x1b", ""),
        ],
    )
    def test_escapes_are_read_as_the_clause_says(self, septets, text):
        assert gsm0338.decode(septets) == text

    @pytest.mark.parametrize("octets", [b"\x80", b"a\xff", b"\x1b\x80", b"\x1b\x1b\xe9"])
    def test_an_octet_above_127_is_no_septet(self, octets):
        with pytest.raises(UnicodeDecodeError):
            gsm0338.decode(octets)

    @pytest.mark.parametrize(
        ("language", "single", "locking"),
        [
            (
                1,
                (b"\x1bG\x1bI\x1bS\x1bc\x1be\x1bg\x1bi\x1bs", "ĞİŞç€ğış"),
                (b"\x04\x07\x0b\x0c\x1c\x1d@`", "€ıĞğŞşİç"),
            ),
            (2, (b"\x1b\x09\x1bA\x1bI\x1bO\x1bU\x1ba\x1bi\x1bo\x1bu", "çÁÍÓÚáíóú"), None),
            (
                3,
                (b"\x1b\x05\x1b\x09\x1b{\x1b|\x1b\x7f\x1b\x1f", "êçãõâÊ"),
                (b"\x04\x09\x0b\x15\x16\x17\x18[`}", "êçÔ∞^\\€Ã~`"),
            ),
            (
                4,
                (b"\x1b\x19\x1b\x1c\x1bA", "\N{BENGALI DIGIT ZERO}\N{BENGALI DIGIT TWO}A"),
                (b"\x15\x16(", "কখ)"),
            ),
            (5, (b"\x1b\x1c", "\N{GUJARATI DIGIT ZERO}"), (b"\x15\x16", "કખ")),
            (6, (b"\x1b\x20\x1b\x19", "४।"), (b"\x00\x3c\x7f", "ँऩॿ")),
            (7, (b"\x1b\x26", "ೞ"), (b"\x23\x24\x25\x3d", "ಠಡಢಪ")),
            (8, (b"\x1b\x30", "ൻ"), (b"\x4f\x7f", "ഽ൹")),
            (9, (b"\x1b\x2b", "୰"), (b"\x46\x47", "ଲଳ")),
            (10, (b"\x1b\x2d", "ੵ"), (b"\x7b\x7f", "ੰੴ")),
            (11, (b"\x1b\x24", "௮"), (b"\x60\x7f", "ௐ௹")),
            (12, (b"\x1b\x22", "౬"), (b"\x60\x7f", "ౕౣ")),
            (
                13,
                (b"\x1b\x3f\x1b\x33", "\N{ARABIC FULL STOP}\N{ARABIC QUESTION MARK}"),
                (b"\x00\x01\x7f", "اآٰ"),
            ),
        ],
    )
    def test_each_national_table_is_found_by_its_identifier(self, language, single, locking):
        for iei, case in ((0x24, single), (0x25, locking)):
            if case is not None:
                header = bytes((3, iei, 1, language))
                text = read(0x00, header + case[0], esm_class=UDHI)
                assert (text.text, text.encoding) == (case[1], "gsm0338")

    def test_both_shifts_work_together(self):
        assert read(0x00, b"\x06\x25\x01\x01\x24\x01\x03\x04\x1b\x05", esm_class=UDHI).text == "€ê"

    def test_a_language_without_a_table_is_read_with_the_default_one(self):
        """Turkish would read 0x04 as the euro sign; the default table has è there."""
        assert read(0x00, b"\x06\x25\x01\x7f\x24\x01\x7f\x04\x1b(", esm_class=UDHI).text == "è{"
        assert read(0x00, b"\x04\x25\x02\x01\x01\x04", esm_class=UDHI).text == "è"

    def test_shift_tables_do_not_touch_ucs2(self):
        assert read(0x08, b"\x03\x25\x01\x01\0\x04", esm_class=UDHI).text == "\x04"

    @pytest.mark.parametrize("language", sorted(gsm0338.LOCKING_SHIFT))
    def test_every_table_has_128_places_and_its_escape(self, language):
        table = gsm0338.LOCKING_SHIFT[language]

        assert len(table) == 128
        assert table[gsm0338.ESC] == "\x1b"
        assert table[0x0A], table[0x0D] == ("\n", "\r")
        assert "0123456789" in table

    @pytest.mark.parametrize("language", sorted(gsm0338.SINGLE_SHIFT))
    def test_every_extension_has_the_signs_of_the_default_one(self, language):
        extension = gsm0338.SINGLE_SHIFT[language]

        assert [extension[septet] for septet in b"()/<=>@"] == list("{}\\[~]|")
        assert gsm0338.ESC not in extension


class TestPacking:
    @given(st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets)))
    def test_packed_septets_are_unpacked(self, septets):
        assume(not (len(septets) % 8 == 0 and septets[-1:] in (b"\0", b"\r")))

        unpacked = gsm0338.unpack(pack(septets))

        assert unpacked == septets

    @pytest.mark.parametrize("octets", [b"\xc8\x32\x9b\xfd\x06", pack(b"Hello")])
    def test_a_known_packing_is_read(self, octets):
        assert gsm0338.unpack(octets) == b"Hello"

    @pytest.mark.parametrize("last", [0x00, 0x0D])
    def test_padding_in_seven_spare_bits_is_no_character(self, last):
        assert gsm0338.unpack(pack(b"help me" + bytes((last,)))) == b"help me"

    @given(
        st.sampled_from((b"\x05\x00\x03\x2a\x02\x01", b"\x06\x08\x04\x01\x2a\x02\x01", b"\x03\x25\x01\x00")),
        st.text(st.sampled_from("help me now"), max_size=150),
    )
    def test_packed_text_begins_at_a_septet_border_behind_its_header(self, header, words):
        octets = header + pack(words.encode(), fill_bits=-len(header) * 8 % 7)

        text = read(0x00, octets, esm_class=UDHI, default_alphabet="gsm0338-packed")

        assert (text.text, text.encoding) == (words, "gsm0338-packed")


class TestSegments:
    @given(st.text(st.sampled_from(GSM_CHARACTERS), max_size=2000), st.integers(0, 70_000))
    def test_a_text_of_the_gsm_alphabet_is_read_back_from_its_parts(self, text, reference):
        cut = segments(text, reference)

        read_back = [read(cut.data_coding, part, esm_class=cut.esm_class) for part in cut.parts]
        assert "".join(part.text for part in read_back) == text
        assert cut.data_coding == 0
        assert all(len(part.payload) <= (160 if len(cut.parts) == 1 else 153) for part in read_back)

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=600), st.integers(0, 255))
    def test_any_text_is_read_back_from_its_parts_each_whole_in_itself(self, text, reference):
        assume(gsm0338.encode(text) is None and not text.startswith("\ufeff") and "\ufffe" not in text)
        assume("\ufeff" not in text and "\0" not in text)
        cut = segments(text, reference)

        read_back = [read(cut.data_coding, part, esm_class=cut.esm_class) for part in cut.parts]
        assert "".join(part.payload.decode("utf-16-be") for part in read_back) == text
        assert all(len(part) <= 140 for part in cut.parts)

    @given(st.text(st.sampled_from("가나힣요뷁똠ㄱ漢 a1.\n…🆘"), max_size=600), st.integers(0, 255))
    def test_a_text_that_people_write_is_read_back_from_its_parts_each_whole_in_itself(self, text, reference):
        cut = segments(text, reference)

        read_back = [read(cut.data_coding, part, esm_class=cut.esm_class) for part in cut.parts]
        assert "".join(part.text or "" for part in read_back) == text

    @pytest.mark.parametrize(
        "text",
        [
            "뷁ㄱ힣",
            "힣漢요",
            "힣ㄱ뷁漢",
            "요ㄱㄱ힣",
            "漢………",
            "漢힣漢…",
            "………힣…🆘힣힣힣힣",
            "똠나나똠" * 40,
            "뷁1뷁뷁ㄱ" * 30,
            "똠똠뷁똠뷁" * 30,
            "\n똠똠" * 30,
            "…뷁뷁" * 30,
        ],
    )
    def test_seldom_syllables_and_signs_do_not_look_like_another_alphabet(self, text):
        """The octets of the first are "슷11龍" in cp949, those of the second "ףo\"Ɣ" in UTF-8."""
        cut = segments(text, 0)

        read_back = [read(cut.data_coding, part, esm_class=cut.esm_class) for part in cut.parts]
        assert "".join(part.text or "" for part in read_back) == text
        assert all(part.encoding == "utf-16-be" for part in read_back)

    def test_parts_are_numbered_under_one_reference(self):
        cut = segments("가" * 200, 0x1FF)

        parts = [read(cut.data_coding, part, esm_class=cut.esm_class).part for part in cut.parts]
        assert parts == [Part(0xFF, 3, 1), Part(0xFF, 3, 2), Part(0xFF, 3, 3)]

    @pytest.mark.parametrize(
        ("text", "sizes"),
        [
            ("", [0]),
            ("a" * 160, [160]),
            ("a" * 161, [153, 8]),
            ("a" * 306, [153, 153]),
            ("a" * 307, [153, 153, 1]),
            ("가" * 70, [140]),
            ("가" * 71, [134, 8]),
            ("a" * 152 + "{" + "b" * 10, [152, 12]),
            ("가" * 66 + "🆘" + "나" * 10, [132, 24]),
        ],
    )
    def test_texts_are_cut_where_they_must_and_never_within_a_pair(self, text, sizes):
        cut = segments(text, 1)

        assert [len(part) - (6 if cut.esm_class else 0) for part in cut.parts] == sizes

    @given(st.sampled_from(ALPHABETS), st.text(st.sampled_from("aZ 0.,!?@$_[]{}\\é가"), max_size=200))
    def test_a_carrier_of_any_default_alphabet_reads_the_same_text(self, alphabet, text):
        cut = segments(text, 1, default_alphabet=alphabet)

        read_back = [
            read(cut.data_coding, part, esm_class=cut.esm_class, default_alphabet=alphabet)
            for part in cut.parts
        ]
        assert "".join(part.text for part in read_back) == text

    def test_what_cannot_be_sent_is_refused(self):
        with pytest.raises(Malformed):
            segments("half a pair \ud83c", 1)
        with pytest.raises(Malformed):
            segments("a" * (153 * 255 + 1), 1)
        assert len(segments("a" * (153 * 255), 1).parts) == 255


def test_a_text_shows_nothing_of_itself():
    assert "help" not in repr(read(0x00, b"help"))
