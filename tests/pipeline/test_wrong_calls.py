"""Wrong calls of every verb: the exit status, and one line that names what was found and what is wanted."""

from __future__ import annotations

import logging
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.cli import main, xlmr
from pipeline.cli.verbs import MODULES
from pipeline.errors import EXIT_DONE, EXIT_FAULT, EXIT_TRY_AGAIN, EXIT_WRONG

NO_STORE = ("--store none", r"none: no such folder: name an existing store")
NOT_THERE = r"/x: not in the store"
NO_SUCH_STORE = ("--store ftp://x", r"'ftp://x' is no store: wanted file:///folder, a plain folder, or s3://bucket")
SETTINGS = [
    ("--settings none.json", r"none\.json: No such file or directory: wanted a JSON file of settings"),
    ("--settings cut.json", r"cut\.json: Expecting .*: wanted a JSON file of settings"),
    ("--settings list.json", r"list\.json: wanted a JSON object of settings, found list"),
    ("--settings empty", r"empty: Is a directory: wanted a JSON file of settings"),
    ("--set nonsense=1", r"nonsense: no such setting; `xlmr settings` lists them"),
    ("--set nonsense", r"--set 'nonsense': wanted NAME=VALUE"),
    ("--place nonsense=1", r"nonsense: no such entry; wanted some of alerts, "),
    ("--deployment none.json", r"none\.json: No such file or directory: wanted a JSON file of the deployment"),
    ("--workers 0", r"'--workers': 0 is not in the range"),
]
UNITS = [
    ("--until nonsense", r"'nonsense' is not a stage of the .* run: wanted "),
    ("--unit x", r"--unit x: wanted --until STAGE as well"),
]
CCNET = "--recipe ccnet --input page.warc.gz --language-models empty --output out"
# verb -> its arguments (words of file names: see `place`) and what the line says
WRONG: dict[str, list[tuple[str, str]]] = {
    "benchmarks": [
        ("nonsense", r"benchmark 'nonsense': wanted one of xnli, ner"), ("--to out", r"--to: wanted NAME as well"),
        ("panx --to out", r"panx: its authors publish it in a cloud drive: get "),
        ("xnli --to page.warc.gz", r"'--to': Directory 'page\.warc\.gz' is a file"),
        ("--mirror http://x", r"--mirror: wanted --to FOLDER as well"),
    ],
    "card": [NO_STORE, NO_SUCH_STORE, ("--nonsense", "No such option")],
    "fertility": [("", "Missing argument 'VOCABULARY'"), ("x --store ftp://x", NO_SUCH_STORE[1])],
    "report": [NO_STORE, NO_SUCH_STORE, ("--nonsense", "No such option")],
    "clean": [NO_STORE, NO_SUCH_STORE, ("--older-than-hours nan", "'nan' is no number"),
              ("--older-than-hours -1", "is not in the range")],
    "compare": [("none none --store none", NO_STORE[1]), ("none none --store store", r"none"),
                ("empty empty", r"empty: "),
                ("empty empty --alpha nan", "'nan' is no number"), ("empty", "Missing argument 'B'")],
    "corpus": [
        *SETTINGS,
        ("", r"crawl: must be given"),
        ("--crawl CC-2019", r"crawl: String should match pattern .*, found 'CC-2019'"),
        ("--crawl CC-MAIN-2019-35 --languages xx", r"'xx' is no language of CC-100"),
        ("--crawl CC-MAIN-2019-35 --store page.warc.gz", r"page\.warc\.gz: is a file: wanted a folder"),
        ("--crawl CC-MAIN-2019-35 --set slices=0", r"slices: .* greater than or equal to 1, found 0"),
        ("--crawl CC-MAIN-2019-35 --threshold 0.4", r"--threshold: belongs to --recipe ccnet"),
        ("--crawl CC-MAIN-2019-35 --output out", r"--output: belongs to --recipe ccnet"),
        ("--recipe none", "'none' is not one of"),
        ("--recipe ccnet", r"wants --input FILE\.\.\., --language-models DIR and --output DIR"),
        (f"{CCNET} --store none", r"--store: --recipe ccnet works on local files"),
        (f"{CCNET} --dry-run", r"--dry-run: --recipe ccnet works on local files"),
        (f"{CCNET} --threshold nan", r"'--threshold': 'nan' is no number"),
        (f"{CCNET} --cut-offs empty", r"'--cut-offs': File 'empty' is a directory"),
        (f"{CCNET} none.warc.gz --language-identifier list.json", r"none\.warc\.gz: no such file"),
        (f"{CCNET} empty --language-identifier list.json", r"empty: is a folder: wanted a file"),
        (f"{CCNET} --language-identifier list.json", r"empty: holds no model"),
    ],
    "crawls": [
        ("--file out.json", r"--file out\.json: wanted --update as well"),
        ("--place crawl_list=cut.json", r"cut\.json: wanted Common Crawl's collinfo\.json"),
        ("--place crawl_list=list.json", r"list\.json: has no dump such as CC-MAIN-2019-35"),
        ("--update --store store --place collection_info=none.json", r"none\.json: No such file or directory: wanted"),
    ],
    "end-to-end": [*SETTINGS, ("", r"dumps: must be given")],
    "evaluate": [*SETTINGS, *UNITS[1:], ("--store store", r"no checkpoint .*: make it with xlmr pretrain"),
                 ("--benchmark none", r"benchmarks\.0: Input should be 'xnli', [^;]* found 'none'$")],
    "export": [("x --to out --store store", r"no checkpoint 'x'"), ("x", "Missing option '--to'"), ("", "Missing")],
    "export-results": [
        ("--to out --organization x --store none", NO_STORE[1]),
        ("--to out --organization x --store store", r"no such score \(nothing is scored yet\): run `xlmr evaluate`"),
        ("--to out --store store", "Missing option '--organization'"),
        ("--to page.warc.gz --organization x --store store", r"'--to': Directory 'page\.warc\.gz' is a file"),
        ("--organization x --store store", "Missing option '--to'"),
    ],
    "export-text": [("none out", r"none: holds no lang="), ("bad out", r"bad/.*\.parquet: .*wanted a Parquet file"),
                    ("bad out --buckets heads", r"--buckets heads: wanted some of head, middle, tail, all")],
    "extend": [("--store none", "Missing"), ("x --release y --store store", "Missing option")],
    "import": [("none --name x --store store", r"none"), ("empty --name A --store store", r"'A': wanted lower-case")],
    "language-models": [*SETTINGS, *UNITS, ("--set languages=xx", r"'xx' is no language of CC-100")],
    "list": [NO_STORE, NO_SUCH_STORE, ("nonsense --store store", r"'nonsense' is no stage: wanted one of ingest, ")],
    "minify": [("none out", r"none: holds no lang="), ("empty out", r"empty: holds no lang="),
               ("bad out", r"bad/.*\.parquet: .*wanted a Parquet file"), ("bad empty", r"empty: already exists"),
               ("bad page.warc.gz/out", r"page\.warc\.gz/out: Not a directory: wanted a folder")],
    "plan": [*SETTINGS[:-1], ("nonsense", "'nonsense' is not one of"), ("corpus", r"crawl: must be given"),
             ("vocabulary --store store", r"no release 'cc100' in file:.*: make it with xlmr release")],
    "pretrain": [("--set clip_norm=inf", "clip_norm: Input should be a finite number, found 'inf'"),
                 ("--set steps=true", "steps: true: wanted a number"),
                 (f"--set steps={10**300}", "steps: a number of 301 digits: wanted one up to 9007199254740992"),
                 *SETTINGS, *UNITS[1:], ("--store store", r"no vocabulary .*: make it with xlmr vocabulary"),
                 ("--recipe nonsense", "'nonsense' is not one of")],
    "reevaluate": [*SETTINGS, ("nonsense --store store", r"nonsense")],
    "release": [*SETTINGS, *UNITS[1:], ("--store store", r"the store has no finished dump"),
                ("--set dumps=foo", r"dumps: 'foo' is no id of a dump")],
    "reproduce": [
        ("bad out --source none", r"--source none: no such folder"),
        ("bad out --source ftp://x", r"--source ftp://x: wanted https://…"),
        ("none out --source empty", r"none: holds no lang="), ("bad empty --source empty", r"empty: already exists"),
        ("bad out --source empty", r"bad/.*\.parquet: .*wanted a Parquet file"),
    ],
    "score": [("", "Missing option"), ("--benchmark nonsense --gold x --predictions x", "'nonsense' is not one of"),
              ("--benchmark mlqa --gold none --predictions none", r"none: no such file"),
              ("--benchmark mlqa --gold cut.json --predictions list.json", r"cut\.json: .*wanted SQuAD v1\.1's JSON")],
    "settings": [("nonsense", "'nonsense' is not one of"), ("corpus --csv", "No such option '--csv'")],
    "show": [("", "Missing argument 'URI'"), ("x --store none", NO_STORE[1]), ("x --store store", NOT_THERE),
             ("../x --store store", r"'\.\./x' leaves the store")],
    "stats": [NO_STORE, ("--store store", r"no release and no finished dump"), ("none", r"none: holds no lang="),
              ("bad", r"bad/.*\.parquet: .*wanted a Parquet file"), ("bad --name x", r"--name: it chooses in a store"),
              ("--json --csv", r"--json and --csv: wanted one of them"),
              ("bad --store store", r"--store: it chooses in a store")],
    "trace": [("", "Missing argument 'URI'"), ("x --store none", NO_STORE[1]), ("x --store store", NOT_THERE)],
    "trim": [("--store none", "Missing"), ("x --store store --name y --languages xx", r"no release 'cc100' in ")],
    "vocabulary": [*SETTINGS, *UNITS[1:], ("--store store", r"no release 'cc100' in .*: make it with xlmr release")],
    "wikipedia": [("xx out", r"'xx' has no Wikipedia here"), ("sw, out", r"'' has no Wikipedia here"),
                  ("sw out --source none", r"none: no such file"), ("sw out --max-articles 0", r"not in the range")],
}  # fmt: skip
CALLS = [(verb, arguments, told) for verb, calls in WRONG.items() for arguments, told in calls]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a call is typed in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XLMR_DEPLOYMENT", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    for folder in ("empty", "store", "bad/lang=en"):
        Path(folder).mkdir(parents=True)
    for name, text in {"page.warc.gz": "<html>", "cut.json": "{", "list.json": "[]",
                       "bad/lang=en/head-00000.parquet": "PAR1"}.items():  # fmt: skip
        Path(name).write_text(text)
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["xlmr", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code if isinstance(ended.value.code, int) else EXIT_DONE


def test_every_command_of_a_module_is_a_verb_of_it() -> None:
    commands = {name: import_module(f"pipeline.cli.{name}").COMMANDS for name in MODULES}
    assert {name: tuple(command.name for command in found) for name, found in commands.items()} == MODULES


def test_wrong_calls_of_every_verb_are_known() -> None:
    assert sorted(WRONG) == sorted(xlmr.commands), "a new verb: write its wrong calls into WRONG"


@pytest.mark.parametrize(("verb", "arguments", "told"), CALLS)
def test_a_wrong_call_is_one_line_that_says_what_is_wanted(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    verb: str, arguments: str, told: str,
) -> None:  # fmt: skip
    before = sorted(place.iterdir())
    assert call(monkeypatch, verb, *arguments.split()) == EXIT_WRONG
    said = capsys.readouterr()
    assert re.search(told, said.err), said.err
    assert not said.out
    assert "Traceback" not in said.err
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize("verb", sorted(xlmr.commands))
def test_every_verb_takes_v(verb: str) -> None:
    assert "-v" in [name for option in xlmr.commands[verb].params for name in option.opts]


@pytest.mark.parametrize("arguments", [("-v", "settings"), ("settings", "-v")])
def test_the_log_can_be_asked_for_before_and_after_the_verb(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    assert call(monkeypatch, *arguments) == EXIT_DONE
    assert logging.getLogger().level == logging.INFO


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (OSError(28, "No space left on device", "out/x"), EXIT_TRY_AGAIN, "xlmr: out/x: the disk is full"),
        (OSError(13, "Permission denied", "out/x"), EXIT_WRONG, "xlmr: out/x: permission denied"),
        (OSError(20, "Not a directory", "out/x"), EXIT_WRONG, "xlmr: out/x: Not a directory"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_the_system_refuses_is_told_in_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    error: BaseException, status: int, told: str,
) -> None:  # fmt: skip
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("pipeline.corpus_command.transform", refuse)
    assert call(monkeypatch, "minify", "bad", "out") == status
    assert capsys.readouterr().err.strip().startswith(told)


def test_a_fault_of_the_program_keeps_its_traceback_and_is_no_regression(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "of our own")

    monkeypatch.setattr("pipeline.corpus_command.transform", broken)
    monkeypatch.setattr(sys, "argv", ["xlmr", "minify", "bad", "out"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_FAULT
    assert "Traceback" in (said := capsys.readouterr().err)
    assert "of our own" in said
