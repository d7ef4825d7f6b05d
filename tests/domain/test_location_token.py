"""The location token by its digests."""

from __future__ import annotations

from telephony.domain.location_token import digest_of, is_digest, kept_digest, sought_digests

TOKEN = b"123456789" * 5


def test_a_token_is_found_by_what_is_kept_of_it_now_and_by_what_an_earlier_release_kept():
    now, before = sought_digests(TOKEN)

    assert now == kept_digest(digest_of(TOKEN))
    assert before != now


def test_neither_a_token_nor_what_is_kept_of_it_is_taken_for_a_digest():
    assert is_digest(digest_of(TOKEN))
    assert not any(
        is_digest(each)
        for each in (TOKEN.decode(), "", digest_of(TOKEN).upper(), sought_digests(TOKEN)[0].hex())
    )


def test_the_digest_of_the_journal_does_not_find_the_call():
    """Asked for at the location URL in place of the token, it opens nothing."""
    assert kept_digest(digest_of(TOKEN)) not in sought_digests(digest_of(TOKEN).encode())
