"""Answer the middle of every clip."""

import asyncio

import harness

ANSWER = {
    "dominant_operation": "Pack",
    "temporal_segment": {"start_frame": 30, "end_frame": 95},
    "next_operation": "Tape",
}


def middle(question):
    """Answer about one clip, with fields; the model's text would do as well."""
    return ANSWER


def in_batches(questions):
    """Answer about several clips, as the name of the parameter says: one reply a question, in order."""
    return [harness.Reply(answer=ANSWER, confidence=0.2) for question in questions]


async def at_once(question):
    """Answer about one clip while others are asked about, here of pictures."""
    await asyncio.sleep(0)
    return f"I see {len(question.frames)} frames"


at_once.wants = harness.Wants(frames=4, size=64, sampler="uniform")
at_once.card = {"description": "counts the frames that it is shown"}
