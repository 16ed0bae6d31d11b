"""What readers say of answers: kept as events, without personal data, and queued for review."""

from __future__ import annotations

import sqlite3

import pytest

from guardrails.audit.review import REPORTED, QueueItem, ReviewDesk
from rag.access import LOCAL_READER
from rag.errors import NotAllowed, NotRecorded
from rag.feedback import CODES, Feedback, FeedbackRefused
from rag.types import Done, Reader
from rag.web import words
from tests.fakes import BrokenGuard, ScriptedModel
from tests.rag.house import GOOD, LEAVE, House, everything_recorded, gate_of

OTHER = Reader("other", roles=frozenset({"user"}))
NOBODY = Reader("local", roles=frozenset())


def answered(house: House) -> tuple[str, Feedback]:
    (done,) = [item for item in house.ask(LEAVE, ScriptedModel(GOOD)) if isinstance(item, Done)]
    return done.turn, Feedback(house.log, house.parts.gate)


def queued(house: House, state: str = "open") -> list[QueueItem]:
    return ReviewDesk(house.log, house.parts.gate).queue(LOCAL_READER, state)  # type: ignore[arg-type]


def test_a_thumb_down_queues_the_answer_and_changing_ones_mind_takes_it_out(house: House) -> None:
    turn, feedback = answered(house)
    assert queued(house) == []
    feedback.rate(turn, "down", ["outdated", "wrong"], "The rules are those of last year.", LOCAL_READER)
    assert [(item.turn, item.reasons) for item in queued(house)] == [(turn, (REPORTED,))]
    (event,) = house.log.read(turn=turn, kind="rated")
    assert dict(event.facts) == {"thumb": "down", "codes": ["outdated", "wrong"]}
    assert event.payload == {"reason": "The rules are those of last year."}
    feedback.rate(turn, "up", (), "", LOCAL_READER)
    assert queued(house) == []
    assert feedback.thumbs([turn], LOCAL_READER) == {turn: "up"}
    record = ReviewDesk(house.log).record(turn, LOCAL_READER)
    assert [(said.thumb, said.codes) for said in record.ratings] == [("down", ("outdated", "wrong")), ("up", ())]
    assert record.reasons == ()


def test_an_answer_that_was_judged_comes_back_when_its_reader_reports_it(house: House) -> None:
    turn, feedback = answered(house)
    feedback.rate(turn, "down", (), "", LOCAL_READER)
    desk = ReviewDesk(house.log, house.parts.gate)
    desk.judge(turn, "right", "It is wrong", LOCAL_READER)
    assert [item.turn for item in queued(house, "judged")] == [turn]
    feedback.rate(turn, "down", ["wrong"], "", LOCAL_READER)
    assert [item.turn for item in queued(house)] == [turn]


def test_no_personal_data_of_a_reason_is_written(house: House) -> None:
    turn, feedback = answered(house)
    feedback.rate(turn, "down", (), "Write to wanda.quill@posteo.org about it", LOCAL_READER)
    assert "wanda.quill" not in everything_recorded(house)
    assert "<EMAIL_ADDRESS>" in everything_recorded(house)


def test_a_reason_that_cannot_be_checked_is_not_written(house: House) -> None:
    turn, _ = answered(house)
    broken = Feedback(house.log, gate_of([BrokenGuard("pii")]))
    with pytest.raises(FeedbackRefused, match="could not be checked"):
        broken.rate(turn, "down", (), "Anything at all", LOCAL_READER)
    assert house.log.read(kind="rated") == []


def test_nobody_rates_an_answer_of_somebody_else(house: House) -> None:
    turn, feedback = answered(house)
    for reader, known in ((OTHER, turn), (LOCAL_READER, "made-up"), (LOCAL_READER, "")):
        with pytest.raises(FeedbackRefused, match="not known here"):
            feedback.rate(known, "down", (), "", reader)
    with pytest.raises(NotAllowed):
        feedback.rate(turn, "down", (), "", NOBODY)
    with pytest.raises(NotAllowed):
        feedback.thumbs([turn], NOBODY)
    feedback.rate(turn, "up", (), "", LOCAL_READER)
    assert feedback.thumbs([turn], OTHER) == {}


@pytest.mark.parametrize(
    ("thumb", "codes", "reason"),
    [("sideways", (), ""), ("down", ("made up",), ""), ("up", ("wrong",), ""), ("down", (), "x" * 1001)],
)
def test_what_is_no_rating_is_refused(house: House, thumb: str, codes: tuple[str, ...], reason: str) -> None:
    turn, feedback = answered(house)
    with pytest.raises(FeedbackRefused):
        feedback.rate(turn, thumb, codes, reason, LOCAL_READER)
    assert house.log.read(kind="rated") == []


def test_what_is_not_on_disk_is_not_said_to_be_kept(house: House) -> None:
    turn, feedback = answered(house)
    other = sqlite3.connect(house.log.path, isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON payloads BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    with pytest.raises(NotRecorded, match="was not kept"):
        feedback.rate(turn, "up", (), "", LOCAL_READER)
    other.execute("DROP TRIGGER full")
    other.close()
    assert house.log.read(kind="rated") == []


def test_every_reason_has_words() -> None:
    assert set(words.RATINGS) == set(CODES)
    assert REPORTED in words.REASONS
