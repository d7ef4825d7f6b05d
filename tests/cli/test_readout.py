"""``onetouch incidents readout``: what no report has told 112 is read out, and an incident is shown unmasked."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from telephony.cli import readable_store
from telephony.cli.readout_wording import sentences
from telephony.cli.spoken import Numbering
from telephony.domain.facts import CALLER, PHONE, FactKind, Reach
from telephony.domain.position import LAST_KNOWN, Position
from telephony.domain.report import Report
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.settings import load
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.fact_rows import from_data, to_data
from telephony.store.facts import record_facts
from telephony.store.incidents import close_incident
from telephony.store.positions import record_position
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.readout import UNREADABLE_NUMBER, ReadOut, read_out, unreported
from telephony.store.schema import delivery, fact, incident, position
from telephony.store.schema import press as press_table
from telephony.store.upgrade import take_up, upgrade
from tests.any_fact import FACTS
from tests.doubles import KST, age_by

CHILD, WITHHELD, DRILL, KNOWN = (
    f"sos-20260301-{name}" for name in ("7k3qwz2m9t", "8m4rxa3n0v", "9n5sybc4p1", "0p6tzcd5q2")
)
NAME, MEDICAL, WORDS = "김하늘", "천식", "남편이 문을 두드려요"
PERSON_DATA = {
    "registered": "yes",
    "name": NAME,
    "born": "2015-03-02",
    "medical": MEDICAL,
    "address": "서울 종로구 사직로 8",
    "school": "한국초등학교",
    "guardians": "어머니 +821098760001; 아버지 +821098760002",
}
SECRETS = (NAME, MEDICAL, WORDS, "12345678", "98760001", "사직로", "37.5665")


def press(number, reference, at, text=WORDS, *, test=False):
    return Trigger(
        source="sms", connector="skt-1", carrier="skt", msisdn=number, reference=reference, received_at=at,
        destination="112", text=text, encoding="ucs2", test=test,
    )  # fmt: skip


@pytest.fixture
def house(config):
    """A child of whom all is known, a withheld number, a drill; and one that 112 has acknowledged."""
    settings = load(config)
    KeyFile(settings.key_file).make()
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    upgrade(writing)
    record = PressRecorder(Rules(settings.plan, "onetouch", {}))
    start = datetime.now(UTC) - timedelta(minutes=90)

    def key_of(connection, incident_id):
        return connection.execute(incident.select().where(incident.c.id == incident_id)).scalars().one()

    with writing.begin() as connection:
        record(connection, [NewPress(press(Msisdn("8227654321"), "d", start, test=True), DRILL)])
        at = start + timedelta(minutes=10)
        record(connection, [NewPress(press(Msisdn("821012345678"), "a", at), CHILD)])
        record_facts(connection, settings.plan, CHILD, [from_data(FactKind.PERSON, CALLER, at, PERSON_DATA)])
        found = Position(37.5665349, 126.9779692, 120.0, 67.0, "cell", "lbs:skt", at, at)
        record_position(connection, settings.plan, key_of(connection, CHILD), found, age_by(at))
        at = start + timedelta(minutes=20)
        record(connection, [NewPress(press(Msisdn(""), "c", at, None), WITHHELD)])
        record(connection, [NewPress(press(Msisdn("821055556666"), "e", at), KNOWN)])
        connection.execute(
            update(delivery)
            .where(delivery.c.incident_key == key_of(connection, KNOWN), delivery.c.sequence == 1)
            .values(state="delivered", settled_at=1)
        )
    yield SimpleNamespace(
        config=config, settings=settings, writing=writing, reading=reading, start=start, key_of=key_of
    )
    writing.dispose()
    reading.dispose()


@pytest.fixture
def readout(run, house):
    return lambda *options: run("incidents", "readout", *options, "--config", house.config)


@pytest.fixture
def acts(run, house):
    """What the audit chain says was done, without the look at the chain itself."""

    def entries():
        lines = run("audit", "list", "--config", house.config, "--why", "a test").output.splitlines()
        return [
            line.split("root", 1)[-1].rpartition(" [on ")[0].strip()
            for line in lines
            if "audit chain" not in line
        ]

    return entries


def headings(output):
    return [line.split()[2] for line in output.splitlines() if line.startswith("---- ")]


class TestWhatIsReadOut:
    def test_emergencies_that_112_does_not_know_come_oldest_first_and_drills_last(self, readout):
        assert headings(readout().output) == [CHILD, WITHHELD, DRILL]

    def test_a_block_in_korean_has_all_that_helps_in_the_order_in_which_it_helps(self, readout):
        lines = readout(CHILD).output.splitlines()
        wanted = [
            "원터치 SOS 긴급 신고입니다. 신고자는 말을 할 수 없는 상황일 수 있습니다.",
            "신고자 전화번호는 공일공, 일이삼사, 오육칠팔입니다. (010-1234-5678)",
            "신고자에게 전화하거나 문자를 보내지 마십시오. 소리가 나면 위험합니다.",
            "위치는 북위 37.56653도, 동경 126.97797도, 반경 200미터 이내입니다.",
            "기지국으로 찾은 1시간 20분 전 위치입니다.",
            "등록된 집 주소는 서울 종로구 사직로 8입니다. 지금 그곳에 있다는 뜻은 아닙니다.",
            f"신고자가 보낸 글: “{WORDS}”",
            f"의료 정보: {MEDICAL}",
        ]
        assert [line for line in lines if line in wanted] == wanted
        assert any(line.startswith(f"신고자 이름은 {NAME}, 만 1") for line in lines)
        assert "어머니 공일공, 구팔칠육, 공공공일 (010-9876-0001)" in " ".join(map(str.strip, lines))

    def test_a_block_in_english_says_the_same(self, readout):
        told = " ".join(readout(CHILD, "--language", "en").output.split())
        for sentence in (
            "This is an emergency from a one-touch SOS key.",
            "zero one zero, one two three four, five six seven eight. (010-1234-5678)",
            "Do not call or text the caller.",
            f"The caller's name is {NAME}, 1",
            "1 hour 20 minutes ago, by text message.",
            "The place is 37.56653 degrees north, 126.97797 degrees east, within 200 metres.",
            "It was found by mobile cell, 1 hour 20 minutes ago.",
            f"Medical notes: {MEDICAL}",
        ):
            assert sentence in told

    def test_a_phone_that_is_silent_is_said_to_be_and_since_when(self, readout, house):
        now = datetime.now(UTC)
        with house.writing.begin() as connection:
            for incident_id, known in (
                (CHILD, {"last-answered": (now - timedelta(minutes=12)).isoformat(timespec="seconds")}),
                (WITHHELD, {}),
            ):
                silent = from_data(
                    FactKind.REACH, PHONE, now, {"state": Reach.NOT_ANSWERING, "why": "absent", **known}
                )
                record_facts(connection, house.settings.plan, incident_id, [silent])
        told = readout(CHILD).output
        assert (
            "지금은 전화기가 위치 조회에 응답하지 않습니다.\n마지막으로 응답한 것은 12분 전입니다.\n" in told
        )
        told = " ".join(readout(WITHHELD, "--language", "en").output.split())
        assert "does not answer the location service now. It has not answered since the press." in told

    def test_an_id_that_was_copied_by_hand_is_known(self, readout):
        assert readout(f" {CHILD.upper()} ").output == readout(CHILD).output

    def test_a_drill_says_so_first(self, readout):
        assert readout(DRILL).output.splitlines()[1] == "훈련입니다. 실제 상황이 아닙니다. 출동하지 마십시오."
        assert "This is a drill, not an emergency." in readout(DRILL, "--language", "en").output

    def test_a_withheld_number_and_a_missing_place_are_said_plainly(self, readout):
        told = readout(WITHHELD).output
        assert "발신 번호가 표시되지 않았습니다." in told
        assert "위치는 아직 모릅니다." in told

    def test_an_incident_that_was_closed_untold_is_still_read_out(self, readout, house):
        with house.writing.begin() as connection:
            close_incident(connection, house.settings.plan, WITHHELD, "quiet for 24 h", datetime.now(UTC))
        told = readout().output
        assert headings(told) == [CHILD, WITHHELD, DRILL]
        assert "종료 사유: quiet for 24 h" in told

    def test_all_brings_what_112_has_and_says_what_it_lacks(self, readout, house, run):
        run("incidents", "close", WITHHELD, "--reason", "x", "--config", house.config)
        told = readout("--all", "--language", "en").output
        assert sorted(headings(told)) == sorted((CHILD, KNOWN, WITHHELD, DRILL))
        assert "[112 has acknowledged this one.]" in told
        with house.writing.begin() as connection:
            record_facts(
                connection,
                house.settings.plan,
                KNOWN,
                [from_data(FactKind.CALL, "v/1", datetime.now(UTC), {"state": "ended"})],
            )
        assert "not yet the news since" in readout(KNOWN, "--language", "en").output

    def test_nothing_to_read_is_said(self, readout, house):
        with house.writing.begin() as connection:
            connection.execute(update(delivery).where(delivery.c.sequence == 1).values(state="delivered"))
        assert readout().output == "112가 모르는 신고가 없습니다.\n\n"

    def test_an_unknown_id_is_told_in_a_line_and_all_with_an_id_is_refused(self, readout):
        unknown = readout("sos-none")
        assert (unknown.exit_code, "there is no incident sos-none" in unknown.output) == (1, True)
        assert readout(CHILD, "--all").exit_code == 2

    def test_as_json_it_has_the_facts_beside_the_lines(self, readout):
        first = json.loads(readout("--json").output.splitlines()[0])
        assert (first["incident"], first["number"]) == (CHILD, "+821012345678")
        assert first["number_spoken"] == "공일공, 일이삼사, 오육칠팔"
        assert first["person"]["medical"] == MEDICAL
        assert first["position"]["latitude"] == 37.5665349
        assert first["lines"][1].startswith("신고자 전화번호는 공일공")
        assert (first["damaged"], first["reported"], first["told_by_voice"]) == (False, False, None)


class TestWhoHasReadWhat:
    def test_each_block_is_an_entry_with_a_reason_or_the_usual_one(self, readout, acts):
        readout()
        readout(CHILD, "--why", "desk 4 asked again")
        assert acts() == [
            *(
                f"read an incident out {each}: read out to 112 by telephone"
                for each in (CHILD, WITHHELD, DRILL)
            ),
            f"read an incident out {CHILD}: desk 4 asked again",
        ]

    def test_a_poor_reason_keeps_nobody_from_telling_112(self, readout):
        assert headings(readout(CHILD, "--why", "x").output) == [CHILD]

    def test_what_was_told_is_left_out_until_there_is_news(self, readout, run, house, acts):
        done = run(
            "incidents", "told", CHILD, "--by", "Kim", "--why", "desk 4 of Seoul", "--config", house.config
        )
        assert done.exit_code == 0
        told = readout("--language", "en").output
        assert headings(told) == [WITHHELD, DRILL]
        assert "Left out: 1 told on the telephone already." in told
        assert "just now, by Kim.]" in readout(CHILD, "--language", "en").output
        with house.writing.begin() as connection:
            record = PressRecorder(Rules(house.settings.plan, "onetouch", {}))
            again = press(Msisdn("821012345678"), "z", datetime.now(UTC) + timedelta(seconds=1))
            record(connection, [NewPress(again, CHILD)])
        assert headings(readout().output) == [CHILD, WITHHELD, DRILL]
        assert "There is news since.]" in readout(CHILD, "--language", "en").output
        assert f"told 112 by voice {CHILD}: by Kim: desk 4 of Seoul" in " ".join(acts())

    def test_112_reads_in_its_next_report_that_it_was_told(self, run, house):
        run("incidents", "told", CHILD, "--by", "Kim", "--why", "desk 4", "--config", house.config)
        with house.reading.connect() as connection:
            known = read_out(connection, CHILD, datetime.now(UTC))
            assert CHILD in unreported(connection)
        assert to_data(known.by_voice)["by"] == "Kim"
        assert known.is_owed

    def test_an_unknown_incident_and_an_empty_name_are_refused(self, run, house):
        for incident_id, by, code in (("sos-none", "Kim", 1), (CHILD, " ", 2)):
            result = run("incidents", "told", incident_id, "--by", by, "--why", "x", "--config", house.config)
            assert result.exit_code == code


class TestWhenTheHouseBurns:
    def test_a_damaged_number_or_text_costs_itself_alone(self, readout, house):
        with house.writing.begin() as connection:
            key = house.key_of(connection, CHILD)
            for table in (press_table, fact, position):
                connection.execute(update(table).where(table.c.incident_key == key).values(sealed=b"damaged"))
            connection.execute(update(incident).where(incident.c.id == WITHHELD).values(sealed=b"damaged"))
        told = readout()
        assert told.exit_code == 0
        assert headings(told.stdout) == [CHILD, WITHHELD, DRILL]
        child, withheld, drill = told.stdout.split("---- ")[1:4]
        assert "010-1234-5678" in child
        assert "일부는 저장소에서 읽을 수 없어" in child
        assert "신고자 전화번호를 읽을 수 없습니다. 통신사는 skt입니다." in withheld
        assert WORDS in drill
        assert "일부는" not in drill

    @pytest.mark.parametrize(
        ("table", "missing"), [(position, "37.56653"), (fact, NAME), (press_table, WORDS)]
    )
    def test_one_damaged_row_leaves_the_rest_of_its_incident(self, readout, house, table, missing):
        with house.writing.begin() as connection:
            key = house.key_of(connection, CHILD)
            connection.execute(update(table).where(table.c.incident_key == key).values(sealed=b"damaged"))
        told = readout(CHILD).stdout
        for each in {"37.56653", NAME, WORDS, "010-1234-5678"} - {missing}:
            assert each in told
        assert missing not in told

    def test_an_incident_that_the_disk_does_not_give_is_named_beside_the_others(
        self, readout, house, monkeypatch
    ):
        def broken(connection, incident_id, now):
            if incident_id == CHILD:
                raise sqlite_error()
            return read_out(connection, incident_id, now)

        monkeypatch.setattr("telephony.store.readout.read_out", broken)
        told = readout()
        assert told.exit_code == 1
        assert headings(told.stdout) == [WITHHELD, DRILL]
        assert f"{CHILD} cannot be read: database disk image is malformed" in told.stderr

    def test_an_audit_chain_that_cannot_be_written_keeps_nobody_from_telling_112(
        self, readout, house, monkeypatch
    ):
        logged = []
        monkeypatch.setattr("syslog.syslog", lambda _, line: logged.append(line))
        file = house.settings.service.state_dir / "onetouch.sqlite"
        with sqlite3.connect(file) as store:
            store.execute(
                "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
            )
        store.close()
        told = readout()
        assert headings(told.stdout) == [CHILD, WITHHELD, DRILL]
        assert "NO ENTRY IN THE AUDIT CHAIN" in told.stderr
        assert "disk is full" in told.stderr
        assert [each for each in (CHILD, WITHHELD, DRILL) if any(each in line for line in logged)] == [
            CHILD,
            WITHHELD,
            DRILL,
        ]

    def test_with_a_look_up_key_of_another_all_is_shown_with_the_reason_why_nobody_is_known(
        self, readout, house
    ):
        path = house.settings.key_file
        take_up(house.writing, KeyFile(path))
        plain = json.loads(path.read_text())
        plain["keys"][0]["look_up"] = plain["audit"]
        path.write_text(json.dumps(plain))

        told = readout()

        assert headings(told.stdout) == [CHILD, WITHHELD, DRILL]
        assert "CALLERS CANNOT BE LOOKED UP: in " in told.stderr

    def test_a_store_that_cannot_be_opened_for_writing_is_read_from_a_copy(
        self, readout, house, monkeypatch, tmp_path
    ):
        """Not as root, whom no file refuses: opening is refused by name."""
        opened = readable_store.ready_engines
        own = house.settings.database_url

        def refusing(settings, **which):
            if settings.database_url == own:
                raise readable_store.click.ClickException("the store: attempt to write a readonly database")
            return opened(settings, **which)

        monkeypatch.setattr(readable_store, "ready_engines", refusing)
        monkeypatch.setattr("syslog.syslog", lambda *_: None)
        monkeypatch.setattr(readable_store, "_place", lambda _: str(tmp_path / "copies"))
        (tmp_path / "copies").mkdir()
        told = readout()
        assert headings(told.stdout) == [CHILD, WITHHELD, DRILL]
        assert "a copy of it is read" in told.stderr
        assert list((tmp_path / "copies").iterdir()) == []

    def test_neither_secrets_nor_a_writable_directory_are_needed(self, run, house):
        text = house.config.read_text().replace(
            'system_id = "onetouch"', 'system_id = "onetouch"\npassword = {env = "NOT_SET_ANYWHERE"}'
        )
        house.config.write_text(text)
        assert run("check", "--config", house.config).exit_code == 2
        assert run("incidents", "readout", "--config", house.config).exit_code == 0

    def test_without_the_key_file_one_line_says_what_to_bring_back(self, readout, house):
        house.settings.key_file.unlink()
        told = readout()
        assert told.exit_code == 1
        assert len(told.stderr.splitlines()) == 1


def sqlite_error():
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 - as the store raises it

    return DatabaseError("SELECT", {}, sqlite3.DatabaseError("database disk image is malformed"))


class TestAStoryRevealed:
    def test_everything_is_shown_with_a_reason_and_an_entry(self, run, house, acts):
        for options in ((), ("--json",)):
            told = run(
                "incidents",
                "show",
                CHILD,
                "--reveal",
                "--why",
                "I telephone",
                *options,
                "--config",
                house.config,
            ).output
            for secret in SECRETS:
                assert secret in told
        assert acts() == [f"saw an incident unmasked {CHILD}: I telephone"] * 2

    def test_without_it_nothing_is_and_without_a_reason_it_is_refused(self, run, house):
        told = run("incidents", "show", CHILD, "--config", house.config).output
        assert not [secret for secret in SECRETS if secret in told]
        refused = run("incidents", "show", CHILD, "--reveal", "--config", house.config)
        assert (refused.exit_code, "--why" in refused.output) == (2, True)


def test_the_list_of_what_is_owed_leaves_out_what_112_has(run, house):
    listed = run("incidents", "list", "--owed", "--json", "--config", house.config).output.splitlines()
    assert {json.loads(line)["incident"] for line in listed} == {CHILD, WITHHELD, DRILL}


NOW = datetime(2026, 3, 1, 21, 0, tzinfo=KST)


def known(facts=(), *, language="ko", **changes):
    report = Report(
        report_id="i-2", kind="update", incident_id="i", sequence=2, earlier=(), sent_at=NOW, test=False,
        msisdn=Msisdn("821012345678"), carrier="skt", source="sms", destination="112", opened_at=NOW,
        press_count=1, last_press_at=NOW, facts=tuple(facts), **changes,
    )  # fmt: skip
    return list(sentences(ReadOut(report, False, False, True, False), Numbering("82", "0"), NOW, language))


@pytest.mark.parametrize(
    ("facts", "korean", "english"),
    [
        ([], "이름은 아직 확인되지 않았습니다.", "The name has not been looked up yet."),
        (
            [from_data(FactKind.PERSON, CALLER, NOW, {"registered": "no"})],
            "등록되지 않은 번호라 이름은 모릅니다.",
            "The number is not registered, so the name is not known.",
        ),
        (
            [from_data(FactKind.PERSON, CALLER, NOW, {"registered": "unknown"})],
            "등록 정보를 읽을 수 없습니다. 등록된 사람일 수 있습니다.",
            "The registry cannot be read. The caller may be registered all the same.",
        ),
        (
            [from_data(FactKind.PERSON, CALLER, NOW, {"registered": "yes", "name": NAME})],
            f"신고자 이름은 {NAME}입니다.",
            f"The caller's name is {NAME}.",
        ),
        (
            [
                from_data(
                    FactKind.KNOCK, "v#1", NOW, {"taps": "2", "ko": "말할 수 없음", "en": "cannot speak"}
                )
            ],
            "뜻: 말할 수 없음",
            "That means: cannot speak",
        ),
        (
            [
                from_data(
                    FactKind.GUARDIAN,
                    "1",
                    NOW,
                    {"state": "confirmed", "relation": "어머니", "phone": "8210******01"},
                )
            ],
            "보호자(어머니)에게 알렸고, 보호자가 확인했습니다.",
            "A guardian (어머니) was told, and has confirmed.",
        ),
        (
            [from_data(FactKind.GUARDIAN, "1", NOW, {"state": "words", "words": "help"})],
            "보호자(1)가 문자로 전해 왔습니다: help",
            "A guardian (1) writes: help",
        ),
        (
            [from_data(FactKind.SILENCE, PHONE, NOW, {"state": "lifted", "by": "desk"})],
            "무음은 112 요청으로 해제되었습니다.",
            "Silence was lifted because 112 asked for it.",
        ),
        (
            [from_data(FactKind.FALSE_ALARM, "guardian 1", NOW, {"by": "sms"})],
            "보호자 1: 오신고라고 알림(sms)",
            "Guardian 1 says that it was a false alarm (sms)",
        ),
        (
            [from_data(FactKind.CALL, "v/1", NOW, {"state": "connected"})],
            "신고자의 전화: 112 연결됨",
            "The caller's telephone call: connected to 112",
        ),
    ],
)
def test_what_is_known_is_a_sentence_in_both_languages(facts, korean, english):
    assert korean in known(facts)
    assert english in known(facts, language="en")


def test_a_memory_and_a_bare_point_are_said_to_be_so():
    place = Position(-37.5, -126.25, None, None, "unknown", LAST_KNOWN, NOW - timedelta(days=3), NOW)
    told = known(position=place)
    assert "위치는 남위 37.50000도, 서경 126.25000도입니다." in told
    assert {"이번 신고가 아니라 이전 신고 때의 위치입니다.", "정확도는 알 수 없습니다."} <= set(told)
    assert "찾은 방법을 알 수 없는 3일 전 위치입니다." in told


@given(st.lists(FACTS, max_size=3), st.sampled_from(["ko", "en"]))
def test_whatever_a_fact_brings_there_is_a_block(facts, language):
    assert len(known(facts, language=language)) >= 5


def test_a_number_that_cannot_be_read_is_not_said_to_be_withheld():
    told = ReadOut(
        Report(
            report_id="i-2", kind="update", incident_id="i", sequence=2, earlier=(), sent_at=NOW, test=False,
            msisdn=UNREADABLE_NUMBER, carrier="skt", source="sms", destination="", opened_at=NOW, press_count=1,
            last_press_at=NOW,
        ),
        False, False, True, True,
    )  # fmt: skip
    assert "The caller's number cannot be read. The carrier is skt." in list(
        sentences(told, Numbering("82", "0"), NOW, "en")
    )
