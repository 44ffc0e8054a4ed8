"""A model that answers elsewhere: what is no answer to `harness predict` is none to the server."""

from __future__ import annotations

import pytest

from harness.prediction.asker import NotAnswered, Setting
from harness.prediction.predictor import Reply
from harness.prediction.questions import Blind
from harness.serving.elsewhere import Elsewhere


class Model:
    """Asker that says what it is asked for."""

    wants, training, card, connections = None, None, {}, 2

    def __init__(self, reply):
        self.reply, self.settings = reply, []

    async def prepare(self, setting: Setting):
        self.settings.append(setting)
        return {}

    async def answer(self, question):
        return self.reply

    async def close(self):
        pass


def asked(reply):
    model = Model(reply)
    served = Elsewhere(model, 5.0, [].append, lambda text: text.replace("secret", "***"))
    questions = Blind(("a", "b")).read(["a", "b"])
    served.prepare(questions[0], ("Pack", "Tape"))
    return model, served.ask(questions, ("Pack", "Tape"))


@pytest.mark.parametrize(
    ("finish", "kind"),
    [("length", "cut off"), ("content_filter", "refused by the provider"), ("error", "server error")],
)
def test_a_text_that_was_not_finished_is_no_answer(finish, kind):
    """As one, it would be read as a fallback, and the constant answer sent."""
    _, found = asked(Reply(text='{"dominant_op', finish_reason=finish))
    assert [(type(answer), answer.kind) for answer in found] == [(NotAnswered, kind)] * 2


def test_a_finished_text_is_an_answer_and_the_model_may_hide_secrets():
    model, found = asked(Reply(text="{}", finish_reason="stop"))
    assert [answer.text for answer in found] == ["{}", "{}"]
    assert [setting.mask("a secret") for setting in model.settings] == ["a ***"] * 2
