# ruff: noqa: RUF001 - the letters of many scripts look alike
"""Octets of every alphabet under every declaration: what is clean stays itself, what is damaged loses no more than that."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.alphabets import gsm0338
from telephony.alphabets.decoding import Edges, Shifts
from telephony.alphabets.plausibility import CLEAN, is_plain, worth
from telephony.alphabets.reading import Doubtful, read

SAID = {
    "Korean": (
        "살려주세요",
        "집에 강도가 들었어요. 칼을 들고 있습니다",
        "서울시 마포구 공덕동 12-3 2층이에요!",
        "ㅠㅠ 제발",
        "예",
        "🆘 살려주세요 😭",
        "쫓아와요 뒤에",
        "뷁 똠방각하 펲시콜라",
        "차 번호 12가3456 흰색 카니발",
        "“도와주세요”라고 했어요…",
    ),
    "English": (
        "help",
        "please help he has a knife",
        "Call 112, 3rd floor, room #302",
        "I'm at kim@naver.com {now} [x]",
        "OK",
        "he hit me... 2 men & a car",
    ),
    "Vietnamese": ("Cứu tôi với, anh ấy đánh tôi", "Làm ơn giúp tôi, chồng tôi có dao"),
    "Chinese": ("救命", "救命啊，有人拿刀", "我在首尔站附近", "慢慢", "水", "請幫幫我，他有刀"),
    "Japanese": ("助けてください", "今すぐ来てください、ナイフを持っています", "タスケテ"),
    "Thai": ("ช่วยด้วย", "เขามีมีด ช่วยฉันด้วย"),
    "Russian": ("Помогите", "Помогите, у него нож!"),
    "Ukrainian": ("Допоможіть мені, він має ніж",),
    "Mongolian": ("Намайг авраарай", "Тусалж өгөөч"),
    "Arabic": ("ساعدوني من فضلك",),
    "Urdu": ("میری مدد کریں",),
    "Hebrew": ("הצילו בבקשה",),
    "Hindi": ("मेरी मदद करो",),
    "Nepali": ("मलाई बचाउनुहोस्",),
    "Bengali": ("আমাকে বাঁচান",),
    "Tamil": ("எனக்கு உதவுங்கள்",),
    "Sinhala": ("මට උදව් කරන්න",),
    "Burmese": ("ကူညီပါ",),
    "Khmer": ("ជួយខ្ញុំផង",),
    "Lao": ("ຊ່ວຍຂ້ອຍແດ່",),
    "Tibetan": ("ང་ལ་རོགས་རམ་གནང་རོགས།",),
    "Amharic": ("እርዱኝ",),
    "Georgian": ("დამეხმარეთ",),
    "Armenian": ("Օգնեցեք ինձ",),
    "Greek": ("Βοήθεια παρακαλώ",),
    "Turkish": ("Yardım edin lütfen, bıçağı var",),
    "Uzbek": ("Iltimos, yordam bering, o‘g‘ri",),
    "Tagalog": ("Tulungan ninyo ako, may kutsilyo siya",),
    "Indonesian": ("Tolong saya, dia punya pisau",),
    "French": ("Aidez-moi, il frappe à la porte", "créée où ça ?"),
    "German": ("Hilfe, er schlägt mich! Größe über Straße",),
    "Spanish": ("¡Ayuda! ¿Dónde está la policía? Mi señor",),
    "Polish": ("Pomóż mi, proszę, on ma nóż",),
}
EVERYTHING = [text for texts in SAID.values() for text in texts]
WRITABLE = (
    "gsm0338",
    "latin-1",
    "cp949",
    "utf-8",
    "utf-16-be",
    "ascii",
    "iso8859-5",
    "iso8859-8",
    "shift_jis",
    "euc_jp",
)
HELP = "살려주세요 집에 강도가 들었어요"
ENGLISH = "please help he has a knife"
HANGUL = [chr(code) for code in range(0xAC00, 0xD7A4) if min(chr(code).encode("cp949")) > 0xA0]
"""The syllables of KS X 1001."""


def written(text, alphabet):
    """The octets of a text, None where the alphabet lacks a character."""
    if alphabet == "gsm0338":
        return gsm0338.encode(text)
    try:
        return text.encode(alphabet)
    except UnicodeEncodeError:
        return None


def packed(text):
    bits = "".join(f"{septet:07b}"[::-1] for septet in gsm0338.encode(text))
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[start : start + 8][::-1], 2) for start in range(0, len(bits), 8))


class TestCleanTexts:
    @pytest.mark.parametrize("alphabet", WRITABLE)
    @pytest.mark.parametrize("text", EVERYTHING)
    def test_in_its_declared_alphabet_a_text_of_any_language_is_itself(self, alphabet, text):
        octets = written(text, alphabet)
        if octets is not None:
            assert read(octets, (alphabet,)) == (text, alphabet, True)

    @pytest.mark.parametrize("text", EVERYTHING)
    def test_a_text_of_any_language_is_worth_something(self, text):
        assert worth(text) >= min(CLEAN, 0.5 if text.startswith("뷁") else CLEAN)

    @given(st.lists(st.sampled_from(EVERYTHING), min_size=1, max_size=4), st.sampled_from(WRITABLE))
    def test_several_languages_in_one_text_are_no_reason_to_read_it_otherwise(self, texts, alphabet):
        text = " ".join(texts)
        octets = written(text, alphabet)
        if octets is not None:
            assert read(octets, (alphabet,)).text == text

    @given(st.data())
    def test_any_run_of_letters_of_one_script_is_itself(self, data):
        script = data.draw(st.sampled_from([t for t in SAID.values() if t is not SAID["English"]]))
        letters = sorted({letter for text in script for letter in text if letter.isalpha()})
        text = data.draw(st.text(st.sampled_from([*letters, " "]), min_size=1, max_size=70))

        assert read(text.encode("utf-16-be"), ("utf-16-be",)).text == text

    @pytest.mark.parametrize("times", [2, 3, 4, 6, 12, 30])
    @pytest.mark.parametrize("syllable", "힝악휴쾌펜춥훔큉솔휨풀잖")
    @pytest.mark.parametrize("alphabet", ["utf-16-be", "cp949"])
    def test_a_syllable_that_is_repeated_proves_no_more_than_once(self, alphabet, syllable, times):
        assert read(syllable.encode(alphabet) * times, (alphabet,)) == (syllable * times, alphabet, True)

    @given(st.text(st.sampled_from([*HANGUL, *HELP * 400]), min_size=1, max_size=70))
    @example("겆갑갈갈갈갉")
    def test_syllables_in_any_order_are_themselves(self, text):
        assert read(text.encode("utf-16-be"), ("utf-16-be",)).text == text
        assert read(text.encode("cp949"), ("cp949",)).text == text

    @pytest.mark.parametrize("text", [HELP, ENGLISH, "112 help 살려주세요"])
    def test_what_koreans_write_is_read_the_quick_way(self, text):
        assert is_plain(text)


class TestAnotherAlphabet:
    """The declared alphabet yields rubbish, another one makes sense."""

    @pytest.mark.parametrize(
        ("octets", "declared", "text", "alphabet"),
        [
            (packed(ENGLISH), "gsm0338", ENGLISH, "gsm0338-packed"),
            (packed("SOS"), "gsm0338", "SOS", "gsm0338-packed"),
            (
                "Aidez-moi, il frappe à la porte".encode("latin-1"),
                "gsm0338",
                "Aidez-moi, il frappe à la porte",
                "cp1252",
            ),
            (HELP.encode(), "gsm0338", HELP, "utf-8"),
            ("예".encode(), "gsm0338", "예", "utf-8"),
            (HELP.encode("cp949"), "gsm0338", HELP, "cp949"),
            ("예".encode("cp949"), "gsm0338", "예", "cp949"),
            (HELP.encode("utf-16-be"), "gsm0338", HELP, "utf-16-be"),
            (b"\xfe\xff" + HELP.encode("utf-16-be"), "gsm0338", HELP, "utf-16-be"),
            ("HELP ME".encode("utf-16-be"), "gsm0338", "HELP ME", "utf-16-be"),
            ("SOS".encode("utf-16-be"), "gsm0338", "SOS", "utf-16-be"),
            ("Помогите".encode("utf-16-be"), "gsm0338", "Помогите", "utf-16-be"),
            (HELP.encode("utf-16-le"), "gsm0338", HELP, "utf-16-le"),
            (HELP.encode(), "latin-1", HELP, "utf-8"),
            (HELP.encode("cp949"), "latin-1", HELP, "cp949"),
            (HELP.encode("utf-16-be"), "latin-1", HELP, "utf-16-be"),
            (HELP.encode("utf-16-le"), "utf-16-be", HELP, "utf-16-le"),
            ("SOS help".encode("utf-16-le"), "utf-16-be", "SOS help", "utf-16-le"),
            (HELP.encode(), "utf-16-be", HELP, "utf-8"),
            (HELP.encode("cp949"), "utf-16-be", HELP, "cp949"),
            (b"HELP he has a knife!", "utf-16-be", "HELP he has a knife!", "ascii"),
            (b"help me", "utf-16-be", "help me", "ascii"),
            (b"HELP", "utf-16-be", "HELP", "ascii"),
            ("SOS".encode("utf-16-le"), "utf-16-be", "SOS", "utf-16-le"),
            ("112".encode("utf-16-le"), "utf-16-be", "112", "utf-16-le"),
            ("살려줘".encode("utf-16-le"), "utf-16-be", "살려줘", "utf-16-le"),
            (b"I\x92m here, he\x92s at the door", "gsm0338", "I’m here, he’s at the door", "cp1252"),
            (HELP.encode(), "cp949", HELP, "utf-8"),
            (HELP.encode("utf-16-be"), "cp949", HELP, "utf-16-be"),
            (HELP.encode("cp949"), "utf-8", HELP, "cp949"),
            (HELP.encode(), "iso8859-5", HELP, "utf-8"),
            (b"help me", "gsm0338-packed", "help me", "ascii"),
            (b"help", "utf-16-be", "help", "ascii"),
            ("hi".encode("utf-16-le"), "utf-16-be", "hi", "utf-16-le"),
            ("ok".encode("utf-16-be"), "gsm0338", "ok", "utf-16-be"),
            ("1".encode("utf-16-be"), "cp949", "1", "utf-16-be"),
            ("예".encode("utf-16-be"), "gsm0338", "예", "utf-16-be"),
            ("네".encode("utf-16-be"), "ascii", "네", "utf-16-be"),
            ("ㅅㅏㄹㄹㅕ".encode("utf-16-be"), "gsm0338", "ㅅㅏㄹㄹㅕ", "utf-16-be"),
            ("ㅅㅏㄹㄹㅕ".encode("utf-16-le"), "gsm0338", "ㅅㅏㄹㄹㅕ", "utf-16-le"),
            ("ㅅㅏㄹㄹㅕㅈㅜ".encode("utf-16-be"), "ascii", "ㅅㅏㄹㄹㅕㅈㅜ", "utf-16-be"),
            ("たすけて".encode("utf-16-be"), "gsm0338", "たすけて", "utf-16-be"),
            ("ช่วย".encode("utf-16-be"), "gsm0338", "ช่วย", "utf-16-be"),
            ("ㅠㅠ".encode(), "utf-16-be", "ㅠㅠ", "utf-8"),
            ("살려".encode(), "utf-16-be", "살려", "utf-8"),
            ("🆘".encode(), "utf-16-be", "🆘", "utf-8"),
            ("ㅠㅠㅠㅠㅠㅠ".encode(), "cp949", "ㅠㅠㅠㅠㅠㅠ", "utf-8"),
            ("살려".encode("cp949"), "utf-16-be", "살려", "cp949"),
            ("밟혔어요".encode("cp949"), "utf-16-be", "밟혔어요", "cp949"),
            ("아아아아아악".encode("cp949"), "utf-16-be", "아아아아아악", "cp949"),
            ("아아아아아악".encode("utf-16-be"), "cp949", "아아아아아악", "utf-16-be"),
            ("SOS 살려줘 SOS".encode("cp949"), "latin-1", "SOS 살려줘 SOS", "cp949"),
            ("Помогите".encode("cp949"), "gsm0338", "Помогите", "cp949"),
            ("助けてください".encode("cp949"), "gsm0338", "助けてください", "cp949"),
            ("Hilfe, er schlägt mich".encode(), "latin-1", "Hilfe, er schlägt mich", "utf-8"),
            (b"kim@naver.com", "gsm0338", "kim@naver.com", "ascii"),
        ],
    )
    def test_it_is_taken_and_named_as_another(self, octets, declared, text, alphabet):
        assert read(octets, (declared,)) == (text, alphabet, False)

    @pytest.mark.parametrize("text", ["救命", "慢慢", "中国", "水", "Кто", "…똠", "……힣", "떵"])
    def test_short_texts_whose_octets_happen_to_be_letters_stay_what_they_are(self, text):
        assert read(text.encode("utf-16-be"), ("utf-16-be",)) == (text, "utf-16-be", True)

    @pytest.mark.parametrize("length", [8, 20, 60, 140])
    def test_of_random_data_hardly_anything_is_taken_for_a_text(self, length):
        chance = random.Random(length)
        texts = [read(chance.randbytes(length), ("utf-8", "cp949"), is_text=False).text for _ in range(200)]

        assert sum(text is not None for text in texts) <= 30

    @pytest.mark.parametrize(
        "text", ["약을 먹었어요", "쫓겨요 뒷골목", "ㅋㅋㅋㅋ 아니 진짜에요", "(T_T) 살려줘"]
    )
    @pytest.mark.parametrize("alphabet", ["utf-16-be", "utf-16-le", "utf-8", "cp949"])
    def test_a_sentence_that_came_as_data_is_one(self, alphabet, text):
        assert read(text.encode(alphabet), ("utf-8", "cp949"), is_text=False).text == text

    def test_a_table_of_a_national_language_leaves_no_doubt(self):
        assert read(b"\x15\x16", ("gsm0338",), shifts=Shifts(locking=5)) == ("કખ", "gsm0338", True)


class TestDoubt:
    """No alphabet gives sense: the declared one stands, and says that it does not know."""

    @pytest.mark.parametrize(
        ("octets", "declared"),
        [
            (packed("sos"), "latin-1"),
            (b"\x04\x14\x040", "cp949"),
            ("ꓐꆈ㗎䶮".encode("utf-16-be"), "utf-16-be"),
        ],
    )
    def test_what_nobody_writes_is_doubtful(self, octets, declared):
        reading = read(octets, (declared,))

        assert isinstance(reading, Doubtful) or not reading.is_declared

    @pytest.mark.parametrize(
        "text",
        [
            "─────",
            "☎☎",
            "ﷺ",
            "①②③",
            "ﾡﾢﾤﾥ",
            "∑∑∑",
            "1A1B1C1D",
            "0101010101",
            "살려주세요 빨리\x0b",
            "Ж",
            "Да",
        ],
    )
    def test_signs_that_are_seldom_stay_what_they_are_and_are_not_doubtful(self, text):
        reading = read(text.encode("utf-16-be"), ("utf-16-be",))

        assert (reading, isinstance(reading, Doubtful)) == ((text, "utf-16-be", True), False)

    @pytest.mark.parametrize("alphabet", WRITABLE)
    @pytest.mark.parametrize("text", EVERYTHING)
    def test_a_clean_text_of_any_language_is_never_doubtful(self, alphabet, text):
        octets = written(text, alphabet)
        if octets is not None:
            assert not isinstance(read(octets, (alphabet,)), Doubtful)


class TestDamage:
    """One bad octet costs one character."""

    @pytest.mark.parametrize("alphabet", ["utf-16-be", "utf-8", "cp949"])
    @pytest.mark.parametrize("text", [HELP, "문을 부수고 있어요 빨리 와주세요"])
    def test_one_octet_that_cannot_be_costs_one_character_wherever_it_stands(self, alphabet, text):
        octets = text.encode(alphabet)
        for place in range(len(octets)):
            damaged = octets[:place] + b"\xff" + octets[place + 1 :]

            said = read(damaged, (alphabet,)).text

            assert said is not None
            kept = [letter for letter in text if letter in said]
            assert len(kept) >= len(text) - 1, (place, said)

    @pytest.mark.parametrize("alphabet", ["utf-16-be", "cp949"])
    def test_one_octet_that_is_missing_or_too_many_costs_two_characters_at_most(self, alphabet):
        octets = HELP.encode(alphabet)
        for place in range(len(octets)):
            for damaged in (octets[:place] + octets[place + 1 :], octets[:place] + b"\xff" + octets[place:]):
                said = read(damaged, (alphabet,)).text

                assert said is not None
                assert sum(letter in said for letter in HELP) >= len(HELP) - 2, (place, said)

    @pytest.mark.parametrize(
        ("octets", "declared", "text"),
        [
            (b"help m\x81", "gsm0338", "help m\ufffd"),
            (
                "살려주세요 ".encode("utf-16-be") + b"\xde\x31" + "집이에요".encode("utf-16-be"),
                "utf-16-be",
                "살려주세요 \ufffd집이에요",
            ),
            ("살려주세요".encode("utf-16-be") + b"\xd8\x3d", "utf-16-be", "살려주세요\ufffd"),
            ("살려주세요".encode("utf-16-be") + b"\xc6", "utf-16-be", "살려주세요\ufffd"),
            (b"\0" + "살려주세요".encode("utf-16-be"), "utf-16-be", "살려주세요"),
            ("살려주세요".encode()[:-1], "utf-8", "살려주세\ufffd"),
            ("살려주세요".encode("cp949")[:-1], "cp949", "살려주세\ufffd"),
            (b"\xed\xa0\xbd\xed\xb8\xb1 " + "살려주세요".encode(), "utf-8", "😱 살려주세요"),
            (b"\xed\xa0\xbd " + "살려주세요".encode(), "utf-8", "\ufffd 살려주세요"),
        ],
    )
    def test_the_rest_is_read(self, octets, declared, text):
        reading = read(octets, (declared,))

        assert reading.text == text
        assert reading.is_damaged == ("\ufffd" in text)

    @pytest.mark.parametrize("count", [1, 2, 3])
    @pytest.mark.parametrize("alphabet", ["latin-1", "ascii", "cp949", "utf-8", "utf-16-be"])
    def test_nuls_at_the_end_are_no_words(self, alphabet, count):
        text = HELP if alphabet in {"cp949", "utf-8", "utf-16-be"} else ENGLISH

        assert read(text.encode(alphabet) + bytes(count), (alphabet,)).text == text

    def test_nuls_in_the_middle_are_none_either(self):
        assert read("살려\0주세요".encode("utf-16-be"), ("utf-16-be",)).text == "살려주세요"

    @pytest.mark.parametrize(
        "octets",
        [
            b"\xfe\xff" + HELP.encode("utf-16-be"),
            b"\xff\xfe" + HELP.encode("utf-16-be"),
            b"\xff\xfe" + HELP.encode("utf-16-le"),
            HELP.encode("utf-16-be") + b"\xfe\xff",
        ],
        ids=["right", "wrong", "the other order", "at the end"],
    )
    def test_a_byte_order_mark_is_no_word_and_a_wrong_one_is_not_believed(self, octets):
        assert read(octets, ("utf-16-be",)).text == HELP

    def test_a_mark_in_utf_8_is_none_either(self):
        assert read(b"\xef\xbb\xbf" + HELP.encode(), ("utf-8",)).text == HELP


class TestEdges:
    @pytest.mark.parametrize("alphabet", ["utf-16-be", "utf-16-le", "utf-8", "cp949"])
    def test_a_character_that_is_cut_between_two_parts_is_left_out_of_both(self, alphabet):
        octets = HELP.encode(alphabet)
        for place in range(6, len(octets) - 6):
            first = read(octets[:place], (alphabet,), edges=Edges(starts=True, ends=False))
            second = read(octets[place:], (alphabet,), edges=Edges(starts=False, ends=True))

            assert HELP.startswith(first.text or "?"), place
            assert HELP.endswith(second.text or "?"), place
            assert len((first.text or "") + (second.text or "")) >= len(HELP) - 1

    def test_a_part_of_a_few_characters_is_read_though_both_its_edges_are_cut(self):
        part = "명이고 칼".encode("cp949")[1:-1]

        assert read(part, ("gsm0338",), edges=Edges(starts=False, ends=False)).text == "이고 "


@given(
    st.binary(max_size=300),
    st.lists(st.sampled_from([*WRITABLE, "gsm0338-packed"]), max_size=2),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_any_octets_are_read_without_a_nul(octets, declared, starts, ends, is_text):
    reading = read(octets, tuple(declared), edges=Edges(starts, ends), is_text=is_text)

    assert (reading.text is None) == (reading.alphabet is None)
    assert "\0" not in (reading.text or "")
