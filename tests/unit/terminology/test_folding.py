from hypothesis import given
from hypothesis import strategies as st

from terminology.folding import fold, holds, words


def test_case_and_accents_do_not_matter() -> None:
    assert fold("Ménière") == "meniere"
    assert fold("STRASSE") == fold("straße")


def test_sara_am_is_one_letter_however_it_is_typed() -> None:
    assert fold("น้ำ") == fold("น้ํา") == fold("นํ้า")


def test_tone_marks_tell_words_apart() -> None:
    assert fold("ไข่") != fold("ไข้")


def test_invisible_characters_do_not_matter() -> None:
    assert fold("เบา\u200bหวาน") == fold("เบาหวาน")


def test_every_word_must_occur_in_any_order() -> None:
    assert holds(("E11", "Type 2 diabetes mellitus", "เบาหวานชนิดที่ 2"), words("diabetes เบาหวาน e11"))
    assert not holds(("E11", "Type 2 diabetes mellitus"), words("diabetes insipidus"))
    assert holds(("E11",), words("   "))


@given(st.text(max_size=50))
def test_a_text_holds_itself(text: str) -> None:
    assert holds((text,), words(text))
