"""Reading dialplans, and the rules that need no Asterisk: one sentence of a dialplan, one finding."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.asterisk.dialplan.configuration_files import read_settings
from telephony.asterisk.dialplan.files import read_dialplan
from telephony.asterisk.dialplan.loaded import logged, read_applications, read_functions, read_shown, vanished
from telephony.asterisk.dialplan.places import check_files
from telephony.asterisk.dialplan.rules import unfiltered, unknown
from telephony.asterisk.dialplan.targets import endpoints, extension, matches, split, targets

DIALPLANS = Path(__file__).parents[3] / "dialplans"


@pytest.fixture
def write(tmp_path: Path):
    """A folder with these files; gives its dialplan."""

    def write_them(extensions: str, **files: str):
        (tmp_path / "extensions.conf").write_text(extensions)
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_conf", ".conf")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return read_dialplan(tmp_path)

    return write_them


def findings_in(dialplan, **others):
    return check_files(dialplan, others.get("modules", []), others.get("pjsip", []), others.get("rooms", []))


def told(findings):
    return [(finding.where, finding.what) for finding in findings]


def one_about(findings, words):
    found = [finding for finding in findings if words in finding.what]
    assert len(found) == 1, told(findings)
    return found[0]


def test_steps_have_their_file_line_priority_and_label(write):
    dialplan = write(
        '[globals]\nA = 1\n#include "more/*.conf"\n',
        more__1_conf="[one]\nexten => s,1,Answer()\n same => n(up),Wait(1) ; why\n",
        more__2_conf=";--\n[no]\n--;\n[two]\nexten => _X.,1,Set(X=a\\;b)\nexten => _X.,n+2,Hangup\n",
    )

    steps = [
        (s.file, s.line, s.context, s.exten, s.priority, s.label, s.application, s.argument)
        for s in dialplan.steps
    ]
    assert steps == [
        ("more/1.conf", 2, "one", "s", 1, "", "Answer", ""),
        ("more/1.conf", 3, "one", "s", 2, "up", "Wait", "1"),
        ("more/2.conf", 5, "two", "_X.", 1, "", "Set", "X=a;b"),
        ("more/2.conf", 6, "two", "_X.", 4, "", "Hangup", ""),
    ]
    assert dialplan.globals["A"].value == "1"
    assert dialplan.findings == ()


def test_the_lines_that_asterisk_counted_before_a_file_of_one_include_are_known(write):
    dialplan = write('#include "more/*.conf"\n', more__1_conf="[one]\n\n", more__2_conf="[two]\n")

    assert dialplan.counted_before == {"extensions.conf": 0, "more/1.conf": 0, "more/2.conf": 3}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[one\nexten => s,1,Answer()\n", 1, "no closing bracket"),
        ("[one]\nexten s,1,Answer()\n", 2, "without '='"),
        ("[one]\nexten => s\n", 2, "without a priority"),
        ("[one]\nexten => s,x,Answer()\n", 2, "'x' is no priority"),
        ("[one]\nexten => s,n,Answer()\n", 2, "begins with n"),
        ("[one]\nsame => n,Answer()\n", 2, "before the first exten"),
        ("[one]\nextn => s,1,Answer()\n", 2, "no directive"),
        ("exten => s,1,Answer()\n", 1, "before the first context"),
        ("[one]\nexten => s,1,Answer(\n", 2, "no closing parenthesis"),
        ("[one]\nexten => s,1,\n", 2, "no application"),
        ("[one]\nexten => s,1,Set(A=${CUT(B,.,1)\n", 2, "${CUT(B,.,1) is not closed"),
        ("[one]\nexten => s,1,GotoIf($[${A} > 3?x)\n", 2, "$[${A} > 3?x) is not closed"),
        ("[globals]\nA = ${B\n", 2, "${B is not closed"),
        ("[one]\nexten => s,1,Answer()\nexten => s,1,Hangup()\n", 3, "has a priority 1 already"),
        ('#include "not-there.conf"\n', 1, "there is no file not-there.conf"),
        ('#exec "date"\n', 1, "runs a program"),
        ('#include "extensions.conf"\n', 1, "includes inside each other"),
    ],
)
def test_a_line_that_asterisk_would_drop_is_found(write, text, line, words):
    finding = one_about(write(text).findings, words)

    assert finding.where == f"extensions.conf:{line}"


def test_a_missing_bracket_does_not_hide_what_comes_after_it(write):
    """Asterisk loses the rest of the file; we have to know what is lost."""
    dialplan = write(
        "[one]\nexten => s,1,Answer()\n[two\nexten => s,1,Answer()\n[three]\nexten => s,1,Answer()\n"
    )

    assert list(dialplan.contexts) == ["one", "two", "three"]


def test_tryinclude_of_nothing_and_unreadable_octets_are_no_fault(write, tmp_path):
    dialplan = write('#tryinclude "site.conf"\n[one]\nexten => s,1,NoOp(\u00e9)\n')
    (tmp_path / "extensions.conf").write_bytes(b"[one]\nexten => s,1,NoOp(\xff\xfe)\n")

    assert dialplan.findings == ()
    assert len(read_dialplan(tmp_path).steps) == 1


@pytest.mark.parametrize(
    ("step", "places"),
    [
        ("Goto(up)", ["one,s,up"]),
        ("Goto(t,1)", ["one,t,1"]),
        ("Gosub(sos,s,1(a,${EXTEN},b))", ["sos,s,1"]),
        ('GotoIf($["${A}" = "x,y"]?a:two,s,b)', ["one,s,a", "two,s,b"]),
        ("ExecIf($[1 > 0]?ChannelRedirect(${C},sos,s,left):Goto(three,s,1))", ["sos,s,left", "three,s,1"]),
        (
            "Dial(PJSIP/112@centre,6,gb(to-112^s^1)G(room^phone^1))",
            ["to-112,s,1", "room,phone,1", "room,phone,2"],
        ),
        ("Dial(PJSIP/x,6,U(asked^a))", ["asked,s,1"]),
        ("Dial(Local/s@sos-up/n,1,gL(1))", ["sos-up,s,1"]),
        ("Set(CHANNEL(hangup_handler_push)=sos-end,s,1(x))", ["sos-end,s,1"]),
        ("Originate(PJSIP/x,exten,call,55,1)", ["call,55,1"]),
        ("GotoIf($[1]?${WHERE})", ["one,s,${WHERE}"]),
    ],
)
def test_the_places_that_a_step_names(write, step, places):
    dialplan = write(f"[one]\nexten => s,1,{step}\n")

    assert [target.shown for target in targets(dialplan.steps[0])] == places


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("Goto(nowhere,s,1)", "there is no context nowhere"),
        ("Goto(t,1)", "context one has no extension t"),
        ("Goto(up)", "s in one has no label up"),
        ("Goto(7)", "s in one has no priority 7"),
        ("Dial(Local/x@one,5)", "context one has no extension x"),
        ("ExecIf($[1]?Goto(up))", "s in one has no label up"),
    ],
)
def test_a_place_that_does_not_exist_is_found(write, step, words):
    finding = one_about(findings_in(write(f"[one]\nexten => s,1,{step}\n")), words)

    assert finding.where == "extensions.conf:2"


@pytest.mark.parametrize(
    ("context", "step", "words"),
    [
        ("one", "System(ls)", "System is forbidden"),
        ("one", "ExecIf($[1]?TrySystem(ls))", "TrySystem is forbidden"),
        ("one", "Set(X=${SHELL(ls)})", "SHELL() is forbidden"),
        ("one", "Set(FILE(/tmp/x)=1)", "FILE() is forbidden"),
        ("one", "NoOp(${ENV(HOME)})", "ENV() is forbidden"),
        ("one", "NoOp(${EVAL(${X})})", "EVAL() is forbidden"),
        ("one", "Exec(${WHAT}(x))", "only the call knows"),
        ("one", "MixMonitor(a.wav,,rm a)", "runs a command"),
        ("sos", "Playback(beep)", "makes a sound"),
        ("sos-x", "ExecIf($[1]?Playback(beep))", "makes a sound"),
        ("to-112", "MusicOnHold()", "makes a sound"),
        ("from-x", "Ringing()", "makes a sound"),
        ("sos", "Read(X,beep,1)", "plays a prompt"),
        ("sos", "Dial(PJSIP/a,6,gr)", "Dial with r"),
        ("sos", "Dial(PJSIP/a,6,b(x^r^1)m)", "Dial with m"),
        ("sos", "Dial(PJSIP/a,6,A(beep))", "Dial with A"),
        ("sos", "MixMonitor(a.wav,B(5))", "beeps"),
        ("sos", "ConfBridge(a)", "without a user profile"),
        ("one", "Dial(PJSIP/a)", "without a number of seconds"),
        ("one", "Dial(PJSIP/a,,g)", "without a number of seconds"),
        ("one", "UserEvent(X,Name: ${CALLERID(name)})", "goes unfiltered into UserEvent"),
        ("one", "Set(X=${CALLERID(num):1})", "goes unfiltered into Set"),
        ("one", "ExecIf($[1]?Set(X=${CALLERID(all)}))", "goes unfiltered into ExecIf"),
    ],
)
def test_what_a_dialplan_of_ours_must_not_say_is_found(write, context, step, words):
    finding = one_about(findings_in(write(f"[{context}]\nexten => s,1,{step}\n")), words)

    assert finding.where == "extensions.conf:2"


@pytest.mark.parametrize(
    ("context", "step"),
    [
        ("service", "Playback(beep)"),
        ("sos", "Read(X,,1,,1,6)"),
        ("sos", "Dial(PJSIP/a,6,gb(m^A^1))"),
        ("sos", "Dial(PJSIP/a,${SECONDS},g)"),
        ("sos", "MixMonitor(${SOS_ID}.wav)"),
        ("one", "Set(X=${FILTER(0-9+*#,${CALLERID(num)})})"),
        ("one", 'Set(CALLERID(all)="SOS" <${X}>)'),
        ("one", "GotoIf($[${LEN(${CALLERID(num)})} > 0]?1)"),
        ("one", "NoOp(${CALLERID(num-pres)})"),
        ("one", "Gosub(one,s,1(${EXTEN}))"),
    ],
)
def test_what_it_may_say_is_not_found(write, context, step):
    findings = findings_in(write(f"[{context}]\nexten => s,1,{step}\n"))

    assert [
        each for each in findings if "nothing leads" not in each.what and "leads nowhere" not in each.what
    ] == []


def test_the_number_dialled_is_the_callers_choice_in_a_pattern_alone(write):
    dialplan = write(
        "[one]\nexten => 112,1,NoOp(${EXTEN})\nexten => _X!,1,NoOp(${EXTEN})\nexten => _.,1,Hangup()\n"
    )

    assert one_about(findings_in(dialplan), "EXTEN").where == "extensions.conf:3"
    assert one_about(findings_in(dialplan), "the pattern _.").where == "extensions.conf:4"


def test_filter_protects_its_inside_and_nothing_beside_it():
    assert unfiltered("${FILTER(0-9,${EXTEN})}${EXTEN:1}", is_pattern=True) == ["EXTEN:1"]
    assert unfiltered("${FILTER(0-9,${A})}${CALLERID(name)}", is_pattern=False) == ["CALLERID(name)"]
    assert unfiltered("${EXTENSIVE}", is_pattern=True) == []
    assert unfiltered("${TOLOWER(${CALLERID(name)})}", is_pattern=False) == ["CALLERID(name)"]


def test_a_context_that_nothing_leads_to_is_found(write, tmp_path):
    dialplan = write(
        "[from-a]\nexten => 112,1,Goto(b,s,1)\n[b]\nexten => s,1,Hangup()\n[c]\nexten => s,1,Goto(c,s,1)\n[guardian]\n",
        pjsip_conf="[a]\ntype = endpoint\ncontext = from-a\n[z]\ncontext = gone\n",
    )

    findings = findings_in(dialplan, pjsip=read_settings(tmp_path, "pjsip.conf"))

    assert one_about(findings, "nothing leads to the context").where == "extensions.conf:5"
    assert one_about(findings, "context gone, which does not exist").where == "pjsip.conf:5"


def test_an_endpoint_or_profile_that_no_file_has_is_found(write, tmp_path):
    dialplan = write(
        "[globals]\nR = PJSIP/112@one\nS = PJSIP/112@two\n[guardian]\nexten => s,1,ConfBridge(x,room,${P})\n",
        pjsip_conf="[one]\ntype = endpoint\ncontext = guardian\n",
    )

    findings = findings_in(dialplan, pjsip=read_settings(tmp_path, "pjsip.conf"))

    assert one_about(findings, "no endpoint two").where == "extensions.conf:3"
    assert one_about(findings, "no profile room").where == "extensions.conf:5"
    assert endpoints("PJSIP/${N}@a&PJSIP/b/sip:112@192.0.2.1:5060,6") == {"a", "b"}


def test_routes_of_112_need_a_second_one_and_seconds(write):
    use = "[guardian]\nexten => s,1,Dial(${SOS_ROUTE_${N}},5)\n"
    dialplan = write(f"[globals]\nSOS_ROUTE_1 = PJSIP/112@a\nSOS_ROUTE_1_SECONDS = x\nSOS_ROUTE_2 =\n{use}")

    findings = findings_in(dialplan)

    assert one_about(findings, "112 has no route 2").where == "extensions.conf:4"
    assert one_about(findings, "no number of seconds").where == "extensions.conf:3"


def test_modules_that_must_not_be_there_are_found(write, tmp_path):
    dialplan = write(
        "", modules_conf="[modules]\nautoload = yes\nload = func_env.so\npreload = app_system\nload = a.so\n"
    )

    findings = findings_in(dialplan, modules=read_settings(tmp_path, "modules.conf"))

    assert [finding.where for finding in findings] == ["modules.conf:2", "modules.conf:3", "modules.conf:4"]


def test_names_that_no_module_brings_are_found_with_the_module(write):
    dialplan = write(
        "[a]\nexten => s,1,Gosup(a,s,1)\n same => n,ExecIf($[1]?Set(MUTEAUDIO(out)=${LEN(x)}))\n"
    )

    findings = list(unknown(dialplan, {"ExecIf", "Set"}, {"LEN"}))

    assert one_about(findings, "application Gosup").where == "extensions.conf:2"
    assert "res_mutestream.so" in one_about(findings, "function MUTEAUDIO").write


SHOWN = """\
[ Context '__func_periodic_hook_context__' created by 'func_periodic_hook' ]
  'beep' (CID match '') =>  1. Answer()                                   [func_periodic_hook]
[ Context 'a' created by 'pbx_config' ]
  '112' =>          1. Gosub(sos,s,1(x))                          [10.conf:12]
     [up]           2. Hangup()                                   [10.conf:13]
  '_[+*#0-9]!' =>   1. NoOp(9. 2. x)                              [10.conf:14]
-= 2 extensions (3 priorities) in 1 contexts. =-
""".splitlines()


def test_what_asterisk_shows_is_compared_with_the_files(write):
    dialplan = write(
        "[a]\nexten => 112,1,Gosub(sos,s,1(x))\n same => n(up),Hangup()\n same => n,Hangup()\n"
        "exten => _[+*#0-9]!,1,NoOp(x)\n[b]\nexten => s,1,Hangup()\n"
    )
    loaded = read_shown(SHOWN)

    found = list(vanished(dialplan, loaded))

    assert loaded.contexts == {"a": {"112": {1, 2}, "_[+*#0-9]!": {1}}}
    assert one_about(found, "2 of the 3 priorities of 112").where == "extensions.conf:4"
    assert one_about(found, "the context b is in the file").where == "extensions.conf:6"
    assert len(found) == 2


def test_a_line_that_asterisk_logged_is_put_where_it_belongs(write, tmp_path):
    dialplan = write('#include "more/*.conf"\n', more__1_conf="[one]\n\n", more__2_conf="[two]\n[three\n")
    log = (
        "[2026-01-01 00:00:00.000] WARNING[1] res_musiconhold.c: No music\n"
        f"[2026-01-01 00:00:00.000] WARNING[1] config.c: parse error: no closing ']', line 5 of {tmp_path}/more/2.conf\n"
        "[2026-01-01 00:00:00.000] ERROR[1][C-00000001] loader.c: Error loading module 'x.so': gone\n"
    )
    (tmp_path / "modules.conf").write_text("[modules]\nload = x.so\n")

    found = list(logged(log, dialplan, tmp_path, read_settings(tmp_path, "modules.conf")))

    assert [finding.where for finding in found] == ["more/2.conf:2", "modules.conf:2"]


def test_lists_of_applications_and_functions_are_read():
    assert read_applications(["    -= Registered =-", "     ConfBridge: Conference.", " -= 63 =-"]) == {
        "ConfBridge"
    }
    assert read_functions(["Installed Custom Functions:", "-----", "CUT                   CUT(a) b"]) >= {
        "CUT"
    }


@pytest.mark.parametrize(
    ("pattern", "dialled", "fits"),
    [
        ("_1XX", "112", True),
        ("_1XX", "1129", False),
        ("_[+*#0-9]!", "+", True),
        ("_NZ.", "21", False),
        ("_[9-0]", "9", False),
    ],
)
def test_patterns_take_what_asterisk_would_take(pattern, dialled, fits):
    assert matches(pattern, dialled) is fits


def test_an_extension_is_found_in_an_included_context_too(write):
    dialplan = write("[a]\ninclude => b\ninclude => a\n[b]\nexten => 5,1,Hangup()\n")

    assert extension(dialplan, dialplan.contexts["a"], "5") is not None
    assert extension(dialplan, dialplan.contexts["a"], "6") is None


def test_arguments_are_cut_outside_of_brackets_and_quotes_alone():
    assert split('a(b,c),"d,e",${F(g,h)},$[i , j]') == ["a(b,c)", '"d,e"', "${F(g,h)}", "$[i , j]"]


def everything_said_of(folder: Path) -> None:
    dialplan = read_dialplan(folder)
    findings_in(
        dialplan,
        modules=read_settings(folder, "extensions.conf"),
        pjsip=read_settings(folder, "extensions.conf"),
    )
    list(unknown(dialplan, set(), set()))
    list(vanished(dialplan, read_shown([])))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet='[]()${}=>,;\\\n"?:^|_.!nsab1 extn#include-', max_size=200))
def test_no_text_breaks_the_reader(tmp_path, text):
    (tmp_path / "extensions.conf").write_text(f"[sos]\nexten => s,1,{text}")

    everything_said_of(tmp_path)


def test_no_mutation_of_the_real_files_breaks_the_reader(tmp_path):
    rng = random.Random(112)
    octets = b"".join(path.read_bytes() for path in sorted((DIALPLANS / "onetouch").glob("*.conf")))
    for _ in range(40):
        mutated = bytearray(octets)
        for _ in range(30):
            mutated[rng.randrange(len(mutated))] = rng.choice(b'[](){}$,;=>\n\x00\xff"')
        (tmp_path / "extensions.conf").write_bytes(mutated)

        everything_said_of(tmp_path)
