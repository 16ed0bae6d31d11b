"""The journey of a question, on real parts; only what writes is scripted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text as sql

from guardrails.audit.log import AuditLog
from guardrails.audit.review import NotAllowed, ReviewDesk, ReviewError
from guardrails.database import writing
from guardrails.grounding.guard import GroundingGuard
from guardrails.pii.guard import PiiGuard
from guardrails.policy import load
from guardrails.policy_tables import Unsupported
from rag.access import LOCAL_READER
from rag.assistant import (
    EMPTY,
    NOT_FOUND,
    QUOTED,
    QUOTED_DOWN,
    QUOTED_UNSUPPORTED,
    TOO_LONG,
    WITHHELD,
    Assistant,
)
from rag.errors import AnswerFailed, NotRecorded
from rag.generation.prompt import NOT_ANSWERED
from rag.generation.turns import Turn
from rag.types import Done, Passage, Reader, Sentence, Shown
from tests.fakes import BrokenGuard, ScriptedModel
from tests.rag.house import GOOD, LEAVE, House, everything_recorded, notices, outcome, text_of


class RepeatingModel(ScriptedModel):
    """Outside; says again the words of what it was told that have this shape."""

    def __init__(self, shape: str) -> None:
        super().__init__(inside=False)
        self._shape = re.compile(shape)

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        self.replies = self._shape.findall("\n".join(text for _, text in turns))
        return super().stream(turns)


def test_an_answer_carries_the_passage_that_supports_it(house: House) -> None:
    shown = house.ask(LEAVE, ScriptedModel(GOOD))
    sentence = next(piece for piece in shown if isinstance(piece, Sentence))
    citation = sentence.citations[0]
    assert (text_of(shown), outcome(shown)) == (GOOD, "answered")
    assert (citation.number, citation.source, citation.title) == (1, "leave.md", "Annual leave")
    assert any("28 days" in citation.text[start:end] for start, end in citation.spans)


def test_what_is_shown_is_on_disk_before(house: House) -> None:
    assistant = Assistant(replace(house.parts, model=lambda: ScriptedModel(f"{GOOD} They lapse on 31 March.")))
    seen = 0
    for piece in assistant.ask(LEAVE, "c", LOCAL_READER):
        if isinstance(piece, Sentence):
            seen += 1
            last = AuditLog(house.log.path).read(newest=1)[0]
            assert (last.kind, last.payload["quoted"]["shown"]) == ("sentence", piece.text)  # type: ignore[index]
    assert seen == 2


@pytest.mark.parametrize("events", [0, 1, 2, 3])
def test_what_cannot_be_recorded_is_not_shown(house: House, events: int) -> None:
    """The log breaks after so many events of the turn: asked, searched, first sentence, second."""
    with writing(house.log._engine) as connection:
        connection.execute(
            sql(
                f"CREATE TRIGGER full BEFORE INSERT ON events WHEN new.seq > {events} "
                "BEGIN SELECT RAISE(ABORT, 'disk full, as it were'); END"
            )
        )
    answer = Assistant(replace(house.parts, model=lambda: ScriptedModel(f"{GOOD} They lapse on 31 March."))).ask(
        LEAVE, "c", LOCAL_READER
    )
    shown: list[Shown] = []
    with pytest.raises(NotRecorded):
        shown += answer
    with pytest.raises(StopIteration):
        next(answer)
    recorded = [event.payload["quoted"]["shown"] for event in house.log.read(kind="sentence")]  # type: ignore[index]
    assert [piece.text for piece in shown if isinstance(piece, Sentence)] == recorded


def test_with_the_model_down_the_documents_are_quoted(house: House) -> None:
    shown = house.ask(LEAVE, None)
    sentences = [piece for piece in shown if isinstance(piece, Sentence)]
    assert (outcome(shown), notices(shown)) == ("quoted", [QUOTED_DOWN])
    assert "28 days" in text_of(shown)
    assert all(sentence.quoted and sentence.citations for sentence in sentences)


def test_without_a_model_by_choice_nothing_is_called_missing(house: House) -> None:
    generation = house.parts.settings.generation.model_copy(update={"model": "none"})
    settings = house.parts.settings.model_copy(update={"generation": generation})
    shown = House(replace(house.parts, settings=settings), house.log).ask(LEAVE, None)
    assert (outcome(shown), notices(shown)) == ("quoted", [QUOTED])


def test_far_from_the_documents_the_model_decides_and_they_answer(house: House) -> None:
    model = ScriptedModel(GOOD, NOT_ANSWERED, GOOD)
    model.worded_from = 1.1  # above any relevance
    shown = house.ask(LEAVE, model)
    sentences = [piece for piece in shown if isinstance(piece, Sentence)]
    assert (outcome(shown), notices(shown)) == ("quoted", [QUOTED])
    assert sentences
    assert all(sentence.quoted for sentence in sentences)
    assert outcome(house.ask(LEAVE, model)) == "refused"
    model.worded_from = 0.0
    assert outcome(house.ask(LEAVE, model)) == "answered"


def test_a_model_that_breaks_off_costs_the_wording_not_the_answer(house: House) -> None:
    at_once = house.ask(LEAVE, ScriptedModel(GOOD, breaks_after=0))
    assert outcome(at_once) == "quoted"
    later = house.ask(LEAVE, ScriptedModel(f"{GOOD} Up to five days may be", breaks_after=16))
    assert text_of(later).startswith(GOOD)
    assert "broke off" in notices(later)[-1]
    assert any(event.facts["error"] == "ModelError" for event in house.log.read(kind="failed"))


def test_an_invention_is_replaced_by_the_documents_words(house: House) -> None:
    shown = house.ask(LEAVE, ScriptedModel("Unicorns receive 900 golden coins every Tuesday in Atlantis."))
    assert (outcome(shown), notices(shown)) == ("quoted", [QUOTED_UNSUPPORTED])
    assert "Unicorns" not in text_of(shown)
    record = ReviewDesk(house.log).queue(LOCAL_READER)[0]
    assert "not supported" in record.reasons


def test_an_invented_sentence_is_left_out_and_said(house: House) -> None:
    shown = house.ask(LEAVE, ScriptedModel(f"{GOOD} Unicorns receive 900 golden coins every Tuesday in Atlantis."))
    assert text_of(shown) == GOOD
    assert "left out" in notices(shown)[0]


def test_a_flagged_sentence_shows_what_the_sources_do_say_and_no_source(
    house: House, guards: tuple[PiiGuard, GroundingGuard]
) -> None:
    marking = load().model_copy(update={"unsupported": Unsupported(drop_from=1.0)})
    wrong = GOOD.replace("28", "31")
    shown = house.with_guards(*guards, policy=marking).ask(LEAVE, ScriptedModel(wrong))
    (sentence,) = [piece for piece in shown if isinstance(piece, Sentence)]
    (citation,) = sentence.citations
    assert (citation.source, citation.verdict, citation.supports) == ("leave.md", "contradicts", False)
    assert any("28 days" in citation.text[start:end] for start, end in citation.spans)
    (event,) = house.log.read(kind="sentence")
    assert event.facts["cited"] == []
    assert event.facts["compared"] == [[1, "contradicts"]]
    record = ReviewDesk(house.log).record(ReviewDesk(house.log).queue(LOCAL_READER)[0].turn, LOCAL_READER)
    spans = [span for finding in record.sentences[0].findings for span in finding.support]
    assert {span.verdict for span in spans} == {"contradicts"}


@pytest.mark.parametrize(
    "marker", [" [1]", " [7]", " [Source 1]", " [sources 1 and 3]", " [1-3]", " [1][2]", " [1; 2]"]
)
def test_citations_are_the_guards_own_and_never_the_models(house: House, marker: str) -> None:
    shown = house.ask(LEAVE, ScriptedModel(f"{GOOD.rstrip('.')}{marker}."))
    assert text_of(shown) == GOOD
    assert [c.source for piece in shown if isinstance(piece, Sentence) for c in piece.citations] == ["leave.md"]


@pytest.mark.parametrize("sound", [0, 1])
@pytest.mark.parametrize("name", ["pii", "grounding"])
def test_a_guard_that_fails_withholds_the_answer(
    house: House, guards: tuple[PiiGuard, GroundingGuard], name: str, sound: int
) -> None:
    others = [guard for guard in guards if guard.name != name]
    broken = house.with_guards(BrokenGuard(name, sound), *others)
    shown = broken.ask(LEAVE, ScriptedModel(f"{GOOD} They lapse on 31 March."))
    assert len([piece for piece in shown if isinstance(piece, Sentence)]) <= sound
    assert (notices(shown)[-1], outcome(shown)) == (WITHHELD, "withheld")
    if name == "pii":
        assert not any(event.payload["quoted"]["written"] for event in house.log.read(kind="sentence")[sound:])  # type: ignore[index]
    assert "guard failure" in ReviewDesk(house.log).queue(LOCAL_READER)[0].reasons


def test_what_nobody_wrote_about_is_refused_with_the_nearest_titles(house: House) -> None:
    shown = house.ask("Which kangaroo won the Eurovision song contest?", ScriptedModel("A grey one."))
    done = shown[-1]
    assert isinstance(done, Done)
    assert (done.outcome, notices(shown)) == ("refused", [NOT_FOUND])
    assert set(done.nearest) <= {"Annual leave", "Directory", "Help desk", "Salary bands"}


@pytest.mark.parametrize(
    ("message", "said"),
    [("", EMPTY), (" \n\t", EMPTY), ("?!", EMPTY), ("leave " * 20_000, TOO_LONG), ("\x00\x07\x1b[31m", "")],
    ids=["empty", "white space", "no words", "120 000 characters", "control characters"],
)
def test_odd_messages_get_a_clear_word_and_a_record(house: House, message: str, said: str) -> None:
    shown = house.ask(message, ScriptedModel("I cannot say."))
    assert outcome(shown) == "refused"
    assert said in notices(shown)[-1]
    assert house.log.read()[0].kind == "asked"


@pytest.mark.parametrize(
    "message", ["leave?", "' OR 1=1 --", "leave AND NOT OR", "title:leave", '"leave', "leave*^()", "\ud800 leave"]
)
def test_query_syntax_is_only_words(house: House, message: str) -> None:
    assert outcome(house.ask(message, None)) in ("quoted", "refused")


def test_a_question_in_another_language_is_answered_or_refused_clearly(house: House) -> None:
    shown = house.ask("Wie viele Tage bezahlten Urlaub haben Vollzeitkräfte?", None)
    assert outcome(shown) in ("quoted", "refused")


def test_a_follow_up_is_understood_from_the_store(house: House) -> None:
    house.ask(LEAVE, ScriptedModel(GOOD))
    shown = house.ask("And for part-timers?", None)
    assert "proportion" in text_of(shown)


def test_a_conversation_of_somebody_else_is_not_its_history(house: House) -> None:
    house.ask(LEAVE, ScriptedModel(GOOD))
    assert house.parts.memory.messages("c", Reader("somebody else")) == []


def test_private_values_of_documents_are_masked_everywhere(house: House) -> None:
    shown = house.ask(
        "What is the home telephone of Helen Moxon?", ScriptedModel("Her home telephone is +44 20 7946 0871.")
    )
    assert "0871" not in repr(shown)
    assert "<PHONE_NUMBER>" in text_of(shown)
    assert "7946 0871" not in everything_recorded(house)
    sentence = next(piece for piece in shown if isinstance(piece, Sentence))
    assert [mark.kind for mark in sentence.marks] == ["redacted"]


def test_public_contacts_are_shown(house: House) -> None:
    shown = house.ask(
        "On which number does the help desk answer?",
        ScriptedModel("The help desk answers on +44 20 7946 0100 on weekdays."),
    )
    assert "+44 20 7946 0100" in text_of(shown)


def test_an_invented_value_is_masked_and_flagged(house: House) -> None:
    shown = house.ask(
        "On which number does the help desk answer?",
        ScriptedModel("The help desk answers on +44 20 7946 0999 on weekdays."),
    )
    assert "0999" not in repr(shown)
    assert "7946 0999" not in everything_recorded(house)
    assert "not supported" in ReviewDesk(house.log).queue(LOCAL_READER)[0].reasons


def test_the_readers_own_values_reach_no_record(house: House) -> None:
    house.ask("My number is +44 20 7946 0555. How many days of leave do I have?", ScriptedModel(GOOD))
    assert "7946 0555" not in everything_recorded(house)


def test_a_model_outside_sees_no_personal_data(house: House) -> None:
    outside = RepeatingModel(r"Her home telephone is <PHONE_NUMBER_\d+>\.")
    question = "I am on +44 20 7946 0555. What is the home telephone of Helen Moxon?"
    shown = house.ask(question, outside)
    assert "0555" not in outside.told[0]
    assert "0871" not in outside.told[0]
    assert "+44 20 7946 0100" in outside.told[0]  # a public contact is no secret
    assert "Her home telephone is <PHONE_NUMBER>" in text_of(shown)


def test_what_a_reader_may_not_read_is_never_found(house: House) -> None:
    question = "What is the salary band of a senior engineer?"
    stranger = house.ask(question, ScriptedModel("52 000 to 61 000 pounds."))
    assert "52 000" not in repr(stranger)  # "52" alone may stand in the name of the turn
    assert "Salary" not in repr(stranger)
    hr = replace(LOCAL_READER, id="hr", groups=LOCAL_READER.groups | {"hr"})
    assert "52 000" in text_of(house.ask(question, None, reader=hr))


def test_stopping_ends_the_model_and_closes_the_turn(house: House) -> None:
    model = ScriptedModel(f"{GOOD} They lapse on 31 March. " + "And so on. " * 50)
    answer = Assistant(replace(house.parts, model=lambda: model)).ask(LEAVE, "c", LOCAL_READER)
    for piece in answer:
        if isinstance(piece, Sentence):
            break
    answer.close()  # type: ignore[attr-defined]
    assert model.stopped
    assert house.log.read(newest=1)[0].facts["outcome"] == "stopped"


def test_a_model_that_loops_is_stopped(house: House) -> None:
    model = ScriptedModel(f"{GOOD} " * 30)
    assert text_of(house.ask(LEAVE, model)) == GOOD
    assert model.stopped


def test_words_in_a_circle_are_stopped_and_replaced(house: House) -> None:
    model = ScriptedModel("The Council of" + " the Council of" * 50)
    shown = house.ask(LEAVE, model)
    assert (outcome(shown), "Council of the Council" in text_of(shown)) == ("quoted", False)


def test_words_that_claim_nothing_wait_for_those_that_do(house: House) -> None:
    assert "Here is what I found" not in text_of(house.ask(LEAVE, ScriptedModel("Here is what I found:")))
    both = house.ask(LEAVE, ScriptedModel(f"Here is what I found:\n\n{GOOD}"))
    assert text_of(both) == f"Here is what I found:\n\n{GOOD}"


def test_a_part_that_breaks_is_recorded_and_not_quoted(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> list[Passage]:
        raise RuntimeError("canary words")

    with caplog.at_level("DEBUG"), pytest.raises(AnswerFailed) as error:
        House(replace(house.parts, retrieve=broken), house.log).ask(LEAVE, None)  # type: ignore[arg-type]
    assert "canary" not in f"{error.value} {caplog.text} {everything_recorded(house)}"
    assert ReviewDesk(house.log).queue(LOCAL_READER)[0].reasons == ("assistant failure",)


def test_an_answer_stands_when_the_conversation_cannot_be_kept(house: House) -> None:
    with writing(house.parts.memory._engine) as connection:
        connection.execute(
            sql("CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'disk full, as it were'); END")
        )
    assert outcome(house.ask(LEAVE, ScriptedModel(GOOD))) == "answered"


def test_many_readers_at_once_get_their_own_answers(house: House) -> None:
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = text_of(house.ask(LEAVE, ScriptedModel(GOOD), conversation=f"c{number}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers.values()) == {GOOD}


def test_a_record_opens_as_it_was_and_takes_a_verdict(house: House) -> None:
    reply = "Her home telephone is +44 20 7946 0871. She rides a unicorn in Atlantis."
    house.ask("What is the home telephone of Helen Moxon?", ScriptedModel(reply))
    desk = ReviewDesk(house.log, house.parts.gate)
    item = desk.queue(LOCAL_READER)[0]
    record = desk.record(item.turn, LOCAL_READER)
    supported = next(f for sentence in record.sentences for f in sentence.findings if f.kind == "supported")
    evidence = {seen.id: seen.text for seen in record.evidence}
    assert all(0 <= span.start < span.end <= len(evidence[span.evidence_id]) for span in supported.support)
    desk.judge(item.turn, "right", "left out with good reason; my number is +44 20 7946 0555", LOCAL_READER)
    assert desk.queue(LOCAL_READER) == []
    written = desk.record(item.turn, LOCAL_READER).reviews[0].reason
    assert written == "left out with good reason; my number is <PHONE_NUMBER>"
    assert desk.queue(LOCAL_READER, "judged")[0].verdict == "right"


@pytest.mark.parametrize("call", ["queue", "record", "judge", "turns"])
def test_only_reviewers_review(house: House, call: str) -> None:
    desk, reader = ReviewDesk(house.log), Reader("somebody")
    calls: dict[str, Callable[[], object]] = {
        "queue": lambda: desk.queue(reader),
        "turns": lambda: desk.turns(reader),
        "record": lambda: desk.record("t", reader),
        "judge": lambda: desk.judge("t", "right", "so", reader),
    }
    with pytest.raises(NotAllowed):
        calls[call]()


def test_a_verdict_needs_a_turn_and_a_reason(house: House) -> None:
    turn = house.ask(LEAVE, ScriptedModel(GOOD))[-1]
    assert isinstance(turn, Done)
    desk = ReviewDesk(house.log, house.parts.gate)
    with pytest.raises(ReviewError, match="no turn"):
        desk.judge("none", "right", "so", LOCAL_READER)
    with pytest.raises(ReviewError, match="reason"):
        desk.judge(turn.turn, "right", " ", LOCAL_READER)


def test_a_reason_that_cannot_be_checked_is_not_written(house: House) -> None:
    turn = house.ask(LEAVE, ScriptedModel(GOOD))[-1]
    assert isinstance(turn, Done)
    broken = house.with_guards(BrokenGuard("pii"))
    with pytest.raises(ReviewError, match="could not be checked"):
        ReviewDesk(house.log, broken.parts.gate).judge(turn.turn, "right", "so", LOCAL_READER)
    with pytest.raises(ReviewError, match="only reads"):
        ReviewDesk(house.log).judge(turn.turn, "right", "so", LOCAL_READER)
    assert house.log.read(kind="reviewed") == []
