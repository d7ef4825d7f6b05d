"""Every key of a settings file has its line, however it is written."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from telephony.settings.lines import lines_of
from tests.test_settings import ROOT

EVERYTHING = '''a.b = 1  # [c]
"x.y" . 'z z' = [ # a list over lines
  1.5,
  [2, {q = "]", r = 'a#'}],
  """
,\\"""
""", 1979-05-27 07:32:28,
]
[t]
u = {}
v = {a.b = {c = 1}, d = [
]}
w = '''
EVERYTHING += """'''
[l]
'''
[[l]]
[[l.m]]
k=1
[l.n]
[[l]]
[[l.m]]
[[ l . m ]]
\tk = 2
[p.q]
[p]
"""
WHERE = {
    ("a", "b"): 1,
    ("x.y", "z z"): 2,
    ("x.y", "z z", 0): 3,
    ("x.y", "z z", 1, 1, "r"): 4,
    ("x.y", "z z", 2): 5,
    ("x.y", "z z", 3): 7,
    ("t",): 9,
    ("t", "v", "a", "b", "c"): 11,
    ("t", "v", "d"): 11,
    ("t", "w"): 13,
    ("l", 0): 16,
    ("l", 0, "m", 0, "k"): 18,
    ("l", 0, "n"): 19,
    ("l", 1): 20,
    ("l", 1, "m", 0): 21,
    ("l", 1, "m", 1): 22,
    ("l", 1, "m", 1, "k"): 23,
    ("p", "q"): 24,
    ("p",): 25,
}


def paths(value, at=()):
    """Return the path of all that `tomllib` has read."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*at, step)
        yield from paths(inner, (*at, step))


def test_a_key_is_found_on_its_line_however_it_is_written():
    lines = lines_of(EVERYTHING)

    assert {path: lines.get(path) for path in WHERE} == WHERE
    assert set(lines) == set(paths(tomllib.loads(EVERYTHING)))


def test_lines_that_end_as_on_windows_count_once():
    assert lines_of("a = 1\r\n\r\n[t]\r\nb = '''x\r\ny'''\r\nc = 2\r\n") == {
        ("a",): 1,
        ("t",): 3,
        ("t", "b"): 4,
        ("t", "c"): 6,
    }


@pytest.mark.parametrize("name", ["onetouch.toml", "carriers.example.toml"])
def test_the_shipped_files_have_a_line_for_each_key_that_bears_it(name):
    text = (ROOT / "config" / name).read_text()
    written = text.splitlines()

    lines = lines_of(text)

    assert set(lines) == set(paths(tomllib.loads(text)))
    for path, line in lines.items():
        assert str(next(step for step in reversed(path) if isinstance(step, str))) in written[line - 1]


KEYS = st.sampled_from(["a", "b", "c-1", '"q.r"', "'s t'"])
INNER = st.recursive(
    st.sampled_from(["1", "-1.5", "true", '"x"', "'#['", '"""\n]\n"""', "'''\n=\n'''", "1979-05-27 07:32:28", '"\\""']),
    lambda inner: st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
    | st.lists(inner, max_size=3).map(lambda each: "[ # a\n" + ",\n".join(each) + "\n]")
    | st.lists(st.tuples(KEYS, inner), max_size=2).map(lambda each: f"{{{', '.join(f'{k} = {v}' for k, v in each)}}}"),
    max_leaves=6,
)  # fmt: skip
HEADERS = st.lists(KEYS, min_size=1, max_size=3).map(".".join)
LINES = st.lists(
    st.one_of(
        st.tuples(HEADERS, INNER).map(lambda pair: f"{pair[0]} = {pair[1]} # c"),
        HEADERS.map(lambda header: f"[{header}]"),
        HEADERS.map(lambda header: f"[[{header}]]"),
        st.sampled_from(["", "# x = 1", "  "]),
    ),
    max_size=12,
)


@hypothesis_settings(deadline=None)
@given(LINES)
def test_what_tomllib_reads_is_what_has_lines(lines):
    """Of a text that is TOML every path is found and no other; of any other nothing is raised."""
    text = "\n".join(lines)

    found = lines_of(text)

    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(found) == set(paths(read))


@given(st.text() | st.text(alphabet="[]{}=,.\"'\\\n# a1"))
def test_any_text_gives_lines_that_it_has(text):
    assert all(1 <= line <= text.count("\n") + 1 for line in lines_of(text).values())
