"""The command as its user runs it: real processes, one state folder, no network but loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from guardrails.audit.log import AuditLog
from guardrails.audit.review import ReviewDesk
from rag.access import LOCAL_READER
from rag.owner import address_of_owner

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "How many days of paid annual leave do full-time staff have?"

# Every connection to another machine fails, by name or by number, as without a network.
OFFLINE = """
import socket, sys
real = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        sys.stderr.write(f"REFUSED {address}\\n")
        raise OSError("no network")
    return real(self, address)
socket.socket.connect = connect
from rag.cli import main
main()
"""


class Home:
    """A state folder and a folder of documents."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.documents = folder / "documents"
        self.documents.mkdir()
        (self.documents / "leave.md").write_text(
            "# Annual leave\n\nFull-time staff have 28 days of paid annual leave a year.\n", encoding="utf-8"
        )

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"CANDOR_STATE": str(self.state), "PYTHONPATH": str(ROOT)}

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OFFLINE, *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=self.environment, cwd=self.documents)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=240)
        assert "REFUSED" not in err
        assert "Traceback" not in err, err
        return process.returncode, out, err


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def page(home: Home) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running page, ready to answer."""
    port = free_port()
    with home.start("run", "--port", str(port), "--empty") as process:
        url = f"http://127.0.0.1:{port}"
        wait_for_page(url)
        yield process, url
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def wait_for_page(url: str, seconds: float = 120) -> float:
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            if httpx.get(url).status_code == 200:
                return time.monotonic() - begun
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError("the page did not come up")


def test_the_whole_way_from_the_command_line(home: Home) -> None:
    status, _, err = home.run("audit", "list")
    assert (status, "there is no log" in err) == (2, True)
    (home.documents / "broken.pdf").write_bytes(b"%PDF-1.7 cut")
    status, out, _ = home.run("ingest", str(home.documents))
    assert status == 1
    assert "broken.pdf" in out
    assert "1 added, 0 replaced, 0 moved, 0 unchanged, 0 removed, 1 failed" in out
    (home.documents / "broken.pdf").unlink()
    status, out, _ = home.run("ingest", str(home.documents))
    assert (status, out.strip()) == (0, "0 added, 0 replaced, 0 moved, 1 unchanged, 0 removed, 0 failed")

    status, out, _ = home.run("ask", QUESTION, "--json")
    answer = json.loads(out)
    assert status == 0
    assert "28 days" in answer["answer"]
    assert answer["sources"][0]["source"] == "leave.md"
    status, out, _ = home.run("ask", "Which kangaroo won the Eurovision song contest?")
    assert (status, "do not answer" in out) == (1, True)

    status, out, _ = home.run("audit", "list", "--every", "--json")
    turns = json.loads(out)
    assert [turn["question"] for turn in turns][-1] == QUESTION
    status, out, _ = home.run("audit", "show", turns[-1]["turn"])
    assert "28 days" in out
    status, out, _ = home.run("audit", "export")
    assert all(json.loads(line)["hash"] for line in out.splitlines()[1:])
    status, out, _ = home.run("audit", "verify")
    assert (status, "holds" in out) == (0, True)


def test_ingesting_and_asking_work_while_the_page_runs(home: Home, page: tuple[subprocess.Popen[str], str]) -> None:
    (home.documents / "canteen.md").write_text(
        "# Canteen\n\nThe canteen closes at 14:15 on Fridays.\n", encoding="utf-8"
    )
    status, out, err = home.run("ingest", str(home.documents))
    assert (status, "1 added" in out) == (0, True), err
    status, out, _ = home.run("ask", "When does the canteen close on Fridays?", "--json")
    assert "14:15" in json.loads(out)["answer"]


def hold(home: Home, source: str) -> None:
    """Have every passage of a document set aside, whatever stands in it."""
    with sqlite3.connect(home.state / "index.sqlite") as connection:
        of_it = "SELECT id FROM documents WHERE source = ?"
        connection.execute(f"UPDATE chunks SET quarantine = 'held' WHERE document_id = ({of_it})", [source])  # noqa: S608


def test_what_is_set_aside_is_released_through_the_page(home: Home, page: tuple[subprocess.Popen[str], str]) -> None:
    home.run("ingest", str(home.documents))
    hold(home, "leave.md")
    status, out, _ = home.run("ask", QUESTION)
    assert (status, "28 days" in out) == (1, False)
    status, out, _ = home.run("ingest", "--release", "leave.md")
    assert (status, out.strip()) == (0, "1 chunk of leave.md released: answers may rest on it from now on")
    status, out, _ = home.run("ask", QUESTION)
    assert (status, "28 days" in out) == (0, True)
    status, _, err = home.run("ingest", "--release", "leave.md")
    assert (status, "no passage of leave.md is set aside" in err) == (2, True)


def test_what_is_set_aside_is_released_without_a_page(home: Home) -> None:
    hold(home, "leave.md")
    status, out, _ = home.run("ingest", "--release", "leave.md", "--json")
    assert (status, json.loads(out)) == (0, {"source": "leave.md", "released": 1})


def test_the_owners_door_wants_the_key(home: Home, page: tuple[subprocess.Popen[str], str]) -> None:
    _, url = page
    address = address_of_owner(home.state)
    assert address is not None
    assert address.key not in repr(address)
    body = {"question": "x", "conversation": "c"}
    assert httpx.post(f"{url}/owner/ask", json=body).status_code == 403
    assert (home.state / "owner.json").stat().st_mode & 0o077 == 0


def test_a_page_in_the_way_is_named(home: Home, page: tuple[subprocess.Popen[str], str]) -> None:
    port = page[1].rpartition(":")[2]
    status, _, err = home.run("run", "--port", port)
    assert (status, f"port {port} is in use; choose another with --port" in err) == (2, True)
    status, _, err = home.run("run", "--port", str(free_port()))
    assert (status, "in use by another candor process" in err) == (2, True)


def test_killed_in_the_middle_of_an_answer_the_next_start_is_sound(home: Home) -> None:
    home.run("ingest", str(home.documents))
    with home.start("ask", QUESTION) as process:
        assert process.stdout
        process.stdout.readline()  # the first sentence, or a notice: it was shown
        process.kill()
    log = AuditLog(home.state / "audit.sqlite")
    assert log.verify() == []
    last = ReviewDesk(log).turns(LOCAL_READER)[0]
    assert last.question == QUESTION
    log.close()
    status, out, _ = home.run("ask", QUESTION)
    assert (status, "28 days" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ingest", "nowhere"], "it does not exist"),
        (["ask", "x", "--settings", "nowhere.toml"], "does not exist"),
        (["ingest"], "name files and folders to bring in; or one of --verify, --release SOURCE"),
        (["audit", "show", "none"], "there is no turn none"),
    ],
)
def test_what_goes_wrong_is_one_clear_line(home: Home, words: list[str], said: str) -> None:
    status, _, err = home.run(*words)
    assert status == 2
    assert said in err
    assert len(err.strip().splitlines()) <= 3


def test_the_doctor_finds_everything_well_without_a_network(home: Home) -> None:
    status, out, err = home.run("doctor")
    assert status == 0, out + err
    assert "Everything works." in out


def test_models_are_listed_with_hash_and_licence(home: Home) -> None:
    status, out, _ = home.run("models", "--json")
    assert status == 0
    assert {row["name"] for row in json.loads(out)} >= {"all-MiniLM-L6-v2", "SmolLM2-135M-Instruct"}


def test_every_command_explains_itself(home: Home) -> None:
    for words in (
        ["--help"],
        ["run", "--help"],
        ["ingest", "--help"],
        ["ask", "--help"],
        ["audit", "--help"],
        ["evaluate", "--help"],
    ):
        status, out, _ = home.run(*words)
        assert (status, "Usage" in out) == (0, True)


def test_all_state_lies_in_one_folder(home: Home, tmp_path: Path) -> None:
    empty = tmp_path / "home"
    empty.mkdir()
    environment = home.environment | {
        "HOME": str(empty),
        "XDG_CACHE_HOME": str(empty / "cache"),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, "-c", OFFLINE, "ask", QUESTION]
    done = subprocess.run(command, env=environment, cwd=home.documents, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path for path in empty.rglob("*") if path.is_file()] == []
