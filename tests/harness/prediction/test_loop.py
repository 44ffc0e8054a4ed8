"""Many questions at once: answered, answered without an answer, and not answered are never mixed."""

from __future__ import annotations

import asyncio
import json
import random
import time

import pytest

import harness
from harness.errors import HarnessError, IncompleteError, UsageError
from harness.prediction.asker import NotAnswered, Setting
from harness.prediction.loop import in_flight
from harness.prediction.loop.pace import Pace, pause
from harness.prediction.predictor import Reply

LIMIT = 24
ANSWER = {
    "dominant_operation": "Pack",
    "temporal_segment": {"start_frame": 30, "end_frame": 95},
    "next_operation": "Tape",
}
CARD = {"description": "a model of the tests"}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(in_flight, "pause", lambda attempt, retry_after, generator: 0.001)


class Server:
    """Asker that fails as `failures` says: clip's place among those asked -> kinds of its first attempts."""

    wants, training, connections, card = None, None, 4, CARD

    def __init__(self, failures=None, usage=None, agreed=None):
        self.failures, self.usage, self.agreed = failures or {}, usage, agreed or {"served_model": "m-1"}
        self.asked, self.order, self.settings, self.closed = [], [], [], 0

    async def prepare(self, setting: Setting):
        self.settings.append(setting)
        return self.agreed if setting.agreed is None else setting.agreed

    async def answer(self, question):
        clip = question.clip_id
        if clip not in self.order:
            self.order.append(clip)
        self.asked.append(clip)
        await asyncio.sleep(0)
        kinds = self.failures.get(self.order.index(clip), [])
        if self.asked.count(clip) <= len(kinds):
            raise NotAnswered(kinds[self.asked.count(clip) - 1], "the server's words")
        return Reply(answer=ANSWER, usage=self.usage)

    async def close(self):
        self.closed += 1


def predict(server, folder, **choices):
    return harness.predict(server, folder, **{"limit": LIMIT, **choices})


def attempts(folder):
    path = folder / "attempts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def lines(folder, name="predictions.jsonl"):
    return {line["clip_id"]: line for line in map(json.loads, (folder / name).read_text().splitlines())}


def test_every_clip_is_answered_once_and_the_entry_is_in_the_order_of_clips(tmp_path):
    server = Server()
    assert predict(server, tmp_path / "e").answered == LIMIT
    assert sorted(server.asked) == sorted(set(server.asked)) == sorted(lines(tmp_path / "e"))
    assert list(lines(tmp_path / "e")) == sorted(server.asked)
    assert server.closed == len(server.settings) == 2 and not (tmp_path / "e" / "attempts.jsonl").exists()
    assert all(line["attempts"] == 1 and line["wait_ms"] >= 0 for line in lines(tmp_path / "e").values())


def test_what_may_pass_is_asked_again_and_each_attempt_is_kept(tmp_path):
    server = Server({3: ["rate limit", "server error", "connection"], 5: ["unreadable reply"]})
    assert predict(server, tmp_path / "e").answered == LIMIT
    found = attempts(tmp_path / "e")
    assert [entry["kind"] for entry in found if entry["clip_id"] == server.order[3]] == [
        "rate limit",
        "server error",
        "connection",
    ]
    assert found[0].keys() == {"at", "clip_id", "kind", "words"} and found[0]["words"] == "the server's words"
    by_clip = lines(tmp_path / "e")
    assert by_clip[server.order[3]]["attempts"] == 4 and by_clip[server.order[5]]["attempts"] == 2


def test_a_clip_without_an_answer_has_no_line_and_is_asked_about_by_the_next_start(tmp_path):
    server, folder = Server({0: ["refused by the provider"], 7: ["cut off"]}), tmp_path / "e"
    with pytest.raises(IncompleteError, match="2 of 24 clips not answered") as incomplete:
        predict(server, folder)
    assert incomplete.value.exit_code == 3
    assert "cut off 1" in str(incomplete.value) and "--give-up" in str(incomplete.value)
    missing = {server.order[0], server.order[7]}
    assert set(lines(folder, "predictions.jsonl.part")) == set(server.asked) - missing
    assert not (folder / "predictions.jsonl").exists() and not (folder / "card.toml").exists()
    again = Server()
    assert predict(again, folder).answered == LIMIT
    assert set(again.asked) == missing and again.settings[0].agreed == {"served_model": "m-1"}
    assert len(attempts(folder)) == 2 and not (folder / "run.json").exists()


def test_giving_up_makes_an_entry_whose_missing_clips_are_on_the_card(tmp_path):
    server, folder = Server({0: ["refused by the provider"], 7: ["cut off"], 9: ["cut off"]}), tmp_path / "e"
    made = predict(server, folder, give_up=True)
    assert made.unanswered == {"cut off": 2, "refused by the provider": 1}
    assert len(lines(folder)) == LIMIT - 3 == made.answered
    from harness.cards import read_card

    card = read_card(folder)
    assert card.run["unanswered"] == made.unanswered and card.run["agreed"] == {"served_model": "m-1"}
    assert "3 clips given up: cut off 2, refused by the provider 1" in repr(made)


def test_so_many_failures_end_a_start(tmp_path):
    server = Server({place: ["cut off"] for place in range(LIMIT)})
    with pytest.raises(IncompleteError, match="stopped at --max-failures 3"):
        predict(server, tmp_path / "e", max_failures=3, give_up=True)
    assert not (tmp_path / "e" / "card.toml").exists()


def test_what_is_in_flight_when_a_run_stops_is_kept(tmp_path):
    """It is paid for."""

    class Slow(Server):
        async def answer(self, question):
            reply = await super().answer(question)
            await asyncio.sleep(0.05)
            return reply

    server = Slow({2: ["no access"]})
    with pytest.raises(HarnessError, match="no access"):
        predict(server, tmp_path / "e")
    assert set(lines(tmp_path / "e", "predictions.jsonl.part")) == set(server.asked) - {server.order[2]}
    assert len(server.asked) < 8


def test_attempts_are_kept_by_a_start_that_had_no_answer(tmp_path):
    folder = tmp_path / "e"
    for _ in range(2):
        with pytest.raises(HarnessError):
            predict(Server({0: ["no access"]}), folder, connections=1)
    assert len(attempts(folder)) == 2
    with pytest.raises(HarnessError):
        predict(Server({0: ["no access"]}), folder, connections=1, fresh=True)
    assert len(attempts(folder)) == 1


@pytest.mark.parametrize("kind", ["no access", "another model"])
def test_what_no_later_question_mends_ends_the_run_at_once(tmp_path, kind):
    server = Server({2: [kind]})
    with pytest.raises(HarnessError, match=f"cannot be asked any more.*{kind}.*kept") as stopped:
        predict(server, tmp_path / "e")
    assert stopped.value.exit_code == 2 and len(server.asked) < LIMIT
    assert predict(Server(), tmp_path / "e").answered == LIMIT


def test_three_bad_requests_alike_in_a_row_end_a_run_and_one_is_a_clip_without_an_answer(tmp_path):
    with pytest.raises(HarnessError, match="bad request"):
        predict(Server({place: ["bad request"] for place in range(10, LIMIT)}), tmp_path / "many", connections=1)
    with pytest.raises(IncompleteError, match="1 of 24 clips"):
        predict(Server({10: ["bad request"]}), tmp_path / "one", connections=1)
    assert predict(Server({0: ["bad request"]}), tmp_path / "one", give_up=True).unanswered == {"bad request": 1}


def test_a_bad_request_before_any_answer_ends_a_run_whose_model_agreed_to_nothing(tmp_path):
    class Function(Server):
        async def prepare(self, setting):
            return {}

    with pytest.raises(HarnessError, match="cannot be asked any more"):
        predict(Function({0: ["bad request"]}), tmp_path / "e", connections=1)


@pytest.mark.parametrize(
    ("finish", "kind"),
    [
        ("length", "cut off"),
        ("content_filter", "refused by the provider"),
        ("error", "server error"),
        ("abort", "server error"),
    ],
)
def test_a_text_that_was_not_finished_is_no_answer(tmp_path, finish, kind):
    """As a fallback it would score as much as the constant answer."""

    class Unfinished(Server):
        async def answer(self, question):
            await super().answer(question)
            first = question.clip_id == self.order[0]
            return Reply(text='{"dominant_op', finish_reason=finish) if first else Reply(answer=ANSWER)

    with pytest.raises(IncompleteError, match=f"1 of 24 clips not answered .{kind} 1"):
        predict(Unfinished(), tmp_path / "e", deadline=0.3)
    assert len(lines(tmp_path / "e", "predictions.jsonl.part")) == LIMIT - 1


def test_waiting_for_a_place_costs_a_clip_no_time(tmp_path):
    """A server with one place refuses what is asked beside it; every clip is answered all the same."""

    class OnePlace(Server):
        busy = False

        async def answer(self, question):
            self.asked.append(question.clip_id)
            if self.busy:
                raise NotAnswered("rate limit", "", 0.01)
            self.busy = True
            await asyncio.sleep(0.02)
            self.busy = False
            return Reply(answer=ANSWER)

    assert predict(OnePlace(), tmp_path / "e", deadline=0.2, connections=8).answered == LIMIT


def test_secrets_in_words_are_hidden_before_the_words_are_cut(tmp_path, monkeypatch):
    key = "sk-0123456789abcdefghijklmnop"
    monkeypatch.setenv("SOME_API_KEY", key)

    class Echo(Server):
        async def answer(self, question):
            raise NotAnswered("no access", "x" * 290 + key)

    with pytest.raises(HarnessError) as stopped:
        predict(Echo(), tmp_path / "e")
    written = "".join(path.read_text() for path in (tmp_path / "e").iterdir())
    assert key[:6] not in str(stopped.value) + written and "***" in written


@pytest.mark.parametrize("agreed", [{"note": None}, {"note": object()}, {"deep": {"er": [float("nan")]}}])
def test_an_agreement_that_no_card_can_hold_is_refused_before_the_run(tmp_path, agreed):
    server = Server(agreed=agreed)
    with pytest.raises(UsageError, match="cannot be written: agreed"):
        predict(server, tmp_path / "e")
    assert server.asked == []


def test_words_may_be_an_exception(tmp_path):
    class Careless(Server):
        async def answer(self, question):
            raise NotAnswered("no access", ValueError("no such key"))

    with pytest.raises(HarnessError, match="no such key"):
        predict(Careless(), tmp_path / "e")


def test_an_interrupt_in_a_notebook_ends_the_run(tmp_path, monkeypatch):
    """There the loop runs in another thread than the one that Ctrl-C reaches."""
    server, runs = Server(), []

    class Pressed:
        def __init__(self, future):
            self.future = future

        def result(self):
            while not server.asked:
                time.sleep(0.001)
            raise KeyboardInterrupt

    submit = in_flight.ThreadPoolExecutor.submit

    def pressed(pool, function, *arguments):
        future = submit(pool, function, *arguments)
        if function.__name__ != "run":
            return future
        runs.append(future)  # the first one agrees, the second one asks
        return future if len(runs) == 1 else Pressed(future)

    class Slow(Server):
        async def answer(self, question):
            server.asked.append(question.clip_id)
            await asyncio.sleep(0.2)
            return Reply(answer=ANSWER)

        async def prepare(self, setting):
            server.settings.append(setting)
            return {}

    async def notebook():
        predict(Slow(), tmp_path / "e", connections=2)

    monkeypatch.setattr(in_flight.ThreadPoolExecutor, "submit", pressed)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(notebook())
    assert len(server.asked) <= 4


def test_a_clip_has_until_its_deadline(tmp_path):
    server = Server({0: ["server error"] * 1_000_000})
    with pytest.raises(IncompleteError, match="server error 1"):
        predict(server, tmp_path / "e", deadline=0.3)
    assert server.asked.count(server.order[0]) > 2
    assert len(lines(tmp_path / "e", "predictions.jsonl.part")) == LIMIT - 1


def test_a_model_that_hangs_is_cut_off_at_the_deadline(tmp_path):
    class Hangs(Server):
        async def answer(self, question):
            reply = await super().answer(question)
            if question.clip_id == self.order[0]:
                await asyncio.sleep(60)
            return reply

    with pytest.raises(IncompleteError, match="no reply in time 1"):
        predict(Hangs(), tmp_path / "e", deadline=0.2)


def test_the_price_is_counted_over_all_starts(tmp_path):
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}  # 3 + 1.5 dollars
    server, choices = Server(usage=usage), {"price": (3.0, 15.0), "connections": 1}
    with pytest.raises(IncompleteError, match=r"\$22.50 spent, stopped at --max-cost 20 with 5 of 24"):
        predict(server, tmp_path / "e", max_cost=20.0, **choices)
    with pytest.raises(IncompleteError, match=r"\$45.00 spent"):
        predict(Server(usage=usage), tmp_path / "e", max_cost=45.0, **choices)
    with pytest.raises(IncompleteError, match=r"\$45.00 spent"):
        predict(Server(usage=usage), tmp_path / "e", max_cost=45.0, **choices)
    assert len(lines(tmp_path / "e", "predictions.jsonl.part")) == 10
    assert lines(tmp_path / "e", "predictions.jsonl.part")[server.asked[0]]["usage"] == usage
    with pytest.raises(HarnessError, match="the answers say nothing of tokens"):
        predict(Server(), tmp_path / "other", max_cost=45.0, **choices)
    with pytest.raises(UsageError, match="needs the price"):
        predict(Server(), tmp_path / "third", max_cost=45.0)


def test_what_an_asynchronous_function_raises_stops_the_run_with_the_clip(tmp_path):
    async def fails(question):
        raise SystemExit(3)

    with pytest.raises(HarnessError, match="SystemExit"):
        predict(fails, tmp_path / "e", card=CARD)

    async def odd(question):
        return 7

    with pytest.raises(HarnessError, match="the reply is an object of type int, expected a dict, a text or a Reply"):
        predict(odd, tmp_path / "f", card=CARD)


def test_an_asynchronous_function_is_asked_at_once_also_inside_a_running_loop(tmp_path):
    at_once, most = [], []

    async def model(question):
        at_once.append(question.clip_id)
        most.append(len(at_once))
        await asyncio.sleep(0.001)
        at_once.remove(question.clip_id)
        return ANSWER

    async def notebook():
        return predict(model, tmp_path / "e", connections=6)

    assert asyncio.run(notebook()).answered == LIMIT
    assert 4 <= max(most) <= 6


def test_ways_of_asking_have_their_own_numbers(tmp_path):
    with pytest.raises(UsageError, match="leave --batch-size out"):
        predict(Server(), tmp_path / "e", batch_size=4)
    with pytest.raises(UsageError, match="leave --connections out"):
        predict(lambda question: ANSWER, tmp_path / "e", connections=4)


@pytest.mark.parametrize(
    "choice",
    [
        {"deadline": 0},
        {"deadline": float("nan")},
        {"connections": 0},
        {"max_failures": 0},
        {"price": (1.0,)},
        {"price": (1.0, -1.0)},
        {"price": (1.0, 2.0), "max_cost": 0},
    ],
)
def test_numbers_that_are_none_are_refused(tmp_path, choice):
    with pytest.raises(UsageError):
        predict(Server(), tmp_path / "e", **choice)


def paced(steps):
    """Return the limits of a pace with 64 places after each step: `a` answered, `r` refused, `t` in trouble."""

    async def run():
        pace, limits = Pace(64), []
        for step in steps:
            entered = await pace.enter()
            {"a": pace.note_answer, "r": lambda at=entered: pace.note_refusal(at, None), "t": pace.note_trouble}[step]()
            pace.leave()
            limits.append(pace.limit)
            await asyncio.sleep(0.002)
        return limits

    return asyncio.run(run())


def test_the_number_at_once_grows_falls_and_grows_again():
    assert paced("aaaa") == [5, 6, 7, 8]  # four answers of four places: twice as many
    assert paced("aaaar")[-1] == pytest.approx(5.6)
    assert paced("aaaara")[-1] == pytest.approx(5.6 + 1 / 5.6)
    assert paced("a" * 80)[-1] == 64
    assert paced("r" * 20)[-1] == 1


def test_trouble_pauses_growth_for_a_round_and_shrinks_nothing():
    assert paced("t" + "a" * 5) == [4, 4, 4, 4, 4, 5]


def test_a_burst_of_refusals_counts_once():
    async def run():
        pace = Pace(64)
        entered = [await pace.enter() for _ in range(4)]
        await asyncio.sleep(0.001)
        for at in entered:
            pace.note_refusal(at, None)
            pace.leave()
        return pace.limit

    assert asyncio.run(run()) == pytest.approx(2.8)


def test_nobody_is_asked_before_the_server_wants_it():
    async def run():
        pace, loop = Pace(4), asyncio.get_running_loop()
        entered = await pace.enter()
        pace.note_refusal(entered, 0.2)
        pace.leave()
        waiting = [asyncio.create_task(pace.enter()) for _ in range(2)]
        at = [await task for task in waiting]
        return min(at) - entered, loop.time()

    assert asyncio.run(run())[0] >= 0.19


def test_a_pause_is_what_the_server_asks_or_random_and_grows():
    generator = random.Random(1)
    assert 7 <= pause(1, 7.0, generator) <= 8
    first, tenth = ([pause(attempt, None, generator) for _ in range(2000)] for attempt in (1, 10))
    assert 0 <= min(first) < 0.05 and 0.9 < max(first) <= 1
    assert max(tenth) <= 60 and sum(tenth) / 2000 == pytest.approx(30, rel=0.1)
