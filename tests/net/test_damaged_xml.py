"""Damaged XML is read as far as it has one meaning, and what has none is marked."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.net.xml.damaged import parse_damaged
from telephony.net.xml.hardened import MAX_DEPTH, MAX_ELEMENTS, parse


def outline(element):
    """Name, text and whether it is whole, children in a list."""
    children = [outline(child) for child in element.children]
    return (
        element.name,
        element.text.strip(),
        *(() if element.is_whole else ("cut",)),
        *([children] if children else []),
    )


@pytest.mark.parametrize(
    ("document", "read"),
    [
        ("<a>AT&T &amp; &lt;&#65;&#x42;&deg;</a>", ("a", "AT&T & <AB\u00b0")),
        ("<a>x &unknown; y</a>", ("a", "x \ufffd y")),
        ("<a>37&#0;5</a>", ("a", "37\ufffd5")),
        ("<a>37\x005</a>\0\0", ("a", "37\ufffd5")),
        ("<a>375\0</a>", ("a", "375")),
        ("<a>5 < 6 <7</a>", ("a", "5 < 6 <7")),
        ("<a><![CDATA[<x>&]]></a>", ("a", "<x>&")),
        ("<a>37<!-- & -->.5</a>", ("a", "37.5")),
        ("<a>37<b/>.5</a>", ("a", "37\ufffd.5", [("b", "")])),
        ("<a><b>x</a>", ("a", "", [("b", "x\ufffd", "cut")])),
        ("<a><b>x</b>", ("a", "", "cut", [("b", "x")])),
        ("<a>x<b", ("a", "x<b\ufffd", "cut")),
        ("<a>x</b></a>", ("a", "x\ufffd")),
        ("<a>x<!-- y</a>", ("a", "x\ufffd", "cut")),
        ("before<a>x</a>behind</b>", ("a", "x")),
        ("<p:a><p:b/><v:c/></p:a>&", ("a", "", [("b", "")])),
        ('<!DOCTYPE a SYSTEM "x" [<?y?>]><a>&</a>', ("a", "&")),
    ],
)
def test_what_cannot_be_read_is_marked_and_the_rest_is_read(document, read):
    assert outline(parse_damaged(document.encode())) == read


def test_attributes_are_read_without_quotes_and_twice_only_where_they_agree():
    element = parse_damaged(b"<a x=1 y='2&gt;' z='1' z='2' q=\"3\" q='3'/>&")
    assert element.attributes == {"x": "1", "y": "2>", "z": "\ufffd", "q": "3"}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "&",
        "{}",
        "<a",
        "</a>",
        "<a/><b/>&",
        "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
        "<!DOCTYPE a [<a>",
        "<a>" * (MAX_DEPTH + 1),
        "<a>" + "<b/>" * MAX_ELEMENTS,
        "<a " + "b=c " * 101 + ">&",
    ],
)
def test_what_is_no_document_or_attacks_is_malformed(document):
    with pytest.raises(Malformed):
        parse_damaged(document.encode())


NAMES = st.sampled_from(["a", "b", "p:c", "v:d"])
TREES = st.recursive(
    st.tuples(NAMES, st.sampled_from(["", "x", "1 &amp; 2", "\u00e9&#176;", "<![CDATA[<]]>", "<!-- - -->y"])),
    lambda inner: st.tuples(NAMES, st.lists(inner, max_size=4)),
    max_leaves=12,
)


def written(tree):
    name, content = tree
    return f"<{name}>{content if isinstance(content, str) else ''.join(map(written, content))}</{name}>"


@given(TREES)
def test_an_undamaged_document_is_read_as_the_strict_reader_reads_it(tree):
    document = f'<r xmlns:p="urn:p" at="1&lt;">{written(tree)}</r>'.encode()
    assert parse_damaged(document) == parse(document)


@given(st.text(alphabet="<>/&;!?-[]ab=:'\" \0\u00e9", max_size=60))
def test_any_text_is_an_element_or_malformed(text):
    with suppress(Malformed):
        parse_damaged(text.encode())


def test_sixty_thousand_damaged_documents_are_elements_or_malformed():
    rng = random.Random(112)
    whole = (
        b'<?xml version="1.0"?><p:a xmlns:p="u"><p:b c="d&amp;">e<![CDATA[f]]></p:b><!-- g --><h/>&#65;</p:a>'
    )
    for _ in range(60_000):
        octets = bytearray(whole)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(len(octets))
            octets[at : at + rng.choice((0, 1, 1, 8))] = rng.choice(
                (b"<", b">", b"&", b"'", b"</", b"", b"\0", b"<b>")
            )
        with suppress(Malformed):
            parse_damaged(bytes(octets))
