"""Glossary of the words that terminal, page and documents use, each explained once.

`harness words` prints it, the page lists a part of it at its foot, and docs/words.md is generated from it. Examples
of the metrics stand in docs/metrics.md, the statistics in docs/intervals.md.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.metrics_table import METRICS, Metric


class Word(NamedTuple):
    """One term: the sentence that explains it, details, and whether the page lists it."""

    name: str
    sentence: str
    details: str = ""
    on_page: bool = False

    @property
    def text(self) -> str:
        """Return the whole explanation, with code in backquotes."""
        return f"{self.sentence} {self.details}".rstrip()


def plain(text: str) -> str:
    """Return an explanation without its backquotes, for terminal and page."""
    return text.replace("`", "")


def of_metric(metric: Metric) -> Word:
    """Return the word of a headline metric, in the words of METRICS."""
    name = "The score" if metric.is_composite else metric.title
    return Word(metric.title, f"{name} is the {metric.definition}.", f"Its formula is: {metric.formula}.")


TERMS = (
    Word(
        "AA@2 and AA@3",
        "AA@2 and AA@3 are the shares of clips whose second and third next operation is right, among those that have "
        "one.",
        "They are judged where a line names these operations in `next_operations`, and are part of no other number.",
    ),
    Word(
        "adjusted p",
        "An adjusted p is a p-value after Holm's correction for the number of tests (m) in its family.",
        "A difference is significant when its adjusted p is at most 0.05.",
        on_page=True,
    ),
    Word(
        "audit",
        "The audit is a list of checks for signs that the score of a submission may mislead, such as equal answers "
        "on nearly all clips.",
        "It changes no score.",
    ),
    Word(
        "baseline",
        "A baseline is an entry that knows the training split only, or nothing: `constant`, `whole-clip`, `random`.",
        "Small models that learn from its pictures are baselines too: `histogram`, `thumbnail`, `probe`, "
        "`probe-16`, `last-frame`. A baseline is ranked like a model. `harness baseline` writes the answers of "
        "baselines and of reference rows.",
    ),
    Word(
        "card",
        "A card is the file `card.toml` of an entry: it states name, kind, description, world and split, and the "
        "digests of truth and predictions.",
    ),
    Word(
        "ceiling",
        "The ceiling is the best value that any answer can reach on average, given all that the pictures show.",
        "For the next operation it is computed exactly from the packing process; for OCA and tIoU@0.5 it is 1.",
        on_page=True,
    ),
    Word(
        "clip",
        "A clip is five seconds of one session: 125 frames at 25 frames per second, numbered 0 to 124.",
        "It has one true operation, one true segment and one true next operation.",
    ),
    Word(
        "commitment",
        "A commitment is a digest of truth, clips and pictures that is published before a sealed split is used.",
        "After the secret is revealed, anyone can check with it that nothing was changed.",
    ),
    Word(
        "coverage",
        "The coverage of a prediction file is the share of the split's clips for which it has a line.",
        "Clips without a line count as wrong.",
    ),
    Word(
        "dense",
        "A clip is dense when its true segment has at most 62 frames.",
        'Only on dense clips does the answer "the whole clip" miss the segment.',
        on_page=True,
    ),
    Word(
        "domain",
        "A domain is the condition under which a session is recorded: clean, light (another lamp), clutter (things lie "
        "about), occlusion (something stands in front), sensor (noise, motion blur or compression of the camera), "
        "second-worker (somebody reaches into the scene), lens (a distorting lens), glare (light falls into the lens) "
        "or stutter (frames are dropped and repeated).",
        "A session has one domain. The last four occur in no training split and are called unseen.",
        on_page=True,
    ),
    Word(
        "entry",
        "An entry is a folder of `submissions/` with a card (`card.toml`) and a prediction file.",
        "It is a model, a baseline or a reference row.",
    ),
    Word(
        "entrant",
        "An entrant is a person or team whose files are scored on a sealed split, by a name in the organiser's "
        "`entrants.toml`.",
        "`harness score --as NAME` takes one; each has a number of attempts a day.",
    ),
    Word(
        "failure mode",
        "A failure mode is the reason for which a clip is lost, the first of a fixed list that applies.",
        "Every clip has exactly one mode: `correct` where all three fields are right.",
    ),
    Word(
        "fallback",
        "A fallback is a stated replacement for an answer that could not be read, such as the constant answer.",
        "It is scored like any answer and counted apart (`source` is `fallback`).",
    ),
    Word(
        "flag",
        "A flag is one check of the audit with the number that raised it.",
        "On the leaderboard `!` marks entries with raised flags.",
    ),
    Word(
        "floor",
        "The floor is the value of the best constant answer: the majority operation, the constant segment that "
        "hits most clips, and the majority next operation, all fitted on the training split.",
        on_page=True,
    ),
    Word(
        "gain",
        "The gain of a failure mode is what the score would gain if all three fields were right on its clips.",
        "The gains of all modes sum to 1 - score. The field gain repairs only the field that names the mode.",
    ),
    Word(
        "gate",
        "A gate is a condition on a score, such as `aa1.low=0.55`, that `harness score --fail-under` checks.",
        "Where one fails, the command exits with 1.",
    ),
    Word(
        "hidden",
        "The next operation of a clip is hidden when it has not begun by the clip's last frame.",
        "On hidden clips a right answer is anticipation; on the other clips it may be recognition.",
        on_page=True,
    ),
    Word(
        "interval",
        "An interval is the 95% confidence interval of a number, for sessions like those of the split.",
        "It is made by leaving out one session at a time.",
    ),
    Word(
        "m",
        "m is the number of tests in a family, for which Holm's correction adjusts each p-value.",
    ),
    Word(
        "margin",
        "The margin is the difference in score that is too small to matter, 0.03 by default.",
        "Two models are equivalent when the 90% interval of their difference lies inside plus or minus the margin.",
    ),
    Word(
        "mend",
        "To mend a failure mode is to make a model answer all three fields right on the clips of that mode.",
        "`Mend first` names the mode with the largest gain, where the gain's interval lies above 0.",
    ),
    Word(
        "off-script",
        "A clip is off-script when its next operation is not the usual successor of its operation in the packing "
        "process.",
        "A model that has memorised the sequence is wrong on these clips.",
        on_page=True,
    ),
    Word(
        "operation",
        "An operation is one of nine things that a worker does: Box Setup, Inner Packing, Tape, Put Items, Pack, "
        "Wrap, Label, Final Check, Idle.",
        "The dominant operation of a clip is the one with most frames in it.",
    ),
    Word(
        "own prior",
        "The own prior is the accuracy of the usual successor of the operation that the model itself answered.",
        "AA@1 minus the own prior is what it adds to the usual successors of its own answers.",
        on_page=True,
    ),
    Word(
        "P(best)",
        "P(best) is the share of 10,000 resamples of whole sessions in which an entry has the largest score.",
        "It is no probability that a model is best.",
    ),
    Word(
        "gain from context",
        "The gain from context is AA@1 minus the state prior on hidden clips.",
        "Only what is above the state prior comes from reading the order or from motion.",
        on_page=True,
    ),
    Word(
        "prior",
        "The prior is the value of a perfect recogniser that has only memorised which operation usually follows which.",
        "This recogniser answers the most frequent successor, in the training split, of the clip's true operation.",
        on_page=True,
    ),
    Word(
        "rank range",
        "The rank range of an entry holds every place that the significant pairwise differences allow.",
        "It runs from 1 + the number of entries that are better to the number of ranked entries - the number that "
        "are worse.",
        on_page=True,
    ),
    Word(
        "reference row",
        "A reference row is an entry that uses the truth, such as `oracle` or `transition-prior`.",
        "It is shown on the leaderboard and never ranked.",
        on_page=True,
    ),
    Word(
        "repaired",
        "An answer is repaired when it had to be cut out of the model's text or its JSON had to be completed.",
        "A Markdown fence around it alone is no repair. It is scored like any answer and counted apart (`source` is "
        "`repaired`).",
    ),
    Word(
        "rule set",
        "A rule set says which clips and segments count and whether the end frame belongs to a segment.",
        "`standard` is the default; `--rules` takes another or several at once, and the signature names them.",
    ),
    Word(
        "script",
        "The script is the usual order of operations: for each operation its most frequent successor in the packing "
        "process.",
        "A clip is on-script when its next operation is that successor, and off-script otherwise.",
    ),
    Word(
        "sealed",
        "A split is sealed when only its organiser holds the secret that makes its truth.",
        "Its pictures and a commitment are published. What leaves it are four rounded values of the file that stands "
        "for each entrant, with their intervals and its coverage, and the diagnosis of a sent file's format.",
    ),
    Word(
        "segment",
        "A segment is a start frame and an end frame; the end frame is the first frame after it.",
        "The true segment is the longest uninterrupted part of a clip's dominant operation.",
    ),
    Word(
        "session",
        "A session is a continuous recording of one worker who packs orders.",
        "Clips are cut from it and do not overlap. Sessions are the independent units of every interval and test.",
        on_page=True,
    ),
    Word(
        "shard",
        "A shard is part K of N of a run or a rendering, made by a process of its own.",
        "`harness merge` joins the N shards to what one process would have made.",
    ),
    Word(
        "signature",
        "A signature is one line that names everything a score depends on: world, truth, split, rules, weights, "
        "submission, version.",
        "Two scores with equal signatures are equal byte for byte.",
    ),
    Word(
        "skill",
        "Skill is the share of the way from the prior to the ceiling: (value - prior) / (ceiling - prior), with "
        "the floor where there is no prior.",
        "It is negative below the prior.",
        on_page=True,
    ),
    Word(
        "slice",
        "A slice is a part of a split, such as the clips of one operation or one domain, on which a model is scored "
        "apart.",
    ),
    Word(
        "split",
        "A split is a part of a world with its own sessions: `train`, `validation`, `test` and `test-large` in "
        "the worlds that ship.",
        "Models are judged on the test splits and learn from the other two.",
        on_page=True,
    ),
    Word(
        "standing",
        "The standing of an entrant is the file that is shown for them on a sealed split.",
        "A new file takes its place only where it is better by more than two paired standard errors, and by more after "
        "many attempts.",
    ),
    Word(
        "state prior",
        "The state prior is the accuracy of a recogniser that knows the operation and the look of the box, and has "
        "memorised what usually follows both.",
        "Between prior and state prior lies recognition, between state prior and ceiling reading the order. A look "
        "that training does not hold with an operation gets the usual successor of the operation.",
        on_page=True,
    ),
    Word(
        "tier",
        "A tier is a group of entries that are not shown to be worse than its first.",
        "The highest entry opens a tier, which takes in every entry that is not significantly worse than it; the "
        "next entry opens the next tier. A tier need not follow the score.",
        on_page=True,
    ),
    Word(
        "truth",
        "The truth of a split is the set of its right answers, kept as a database that is made from the world file.",
        "Its digest is pinned in the world file and stands in every signature.",
    ),
    Word(
        "unseen",
        "A domain is unseen when no session of the training split is drawn in it.",
    ),
    Word(
        "verdict",
        "A verdict is the statement about two submissions: identical, better, worse, equivalent or inconclusive.",
        "The first of these that holds is given.",
    ),
    Word(
        "world",
        "A world is a packing process or a set of imported annotations, with its operations and its splits.",
        "A world that ships is one TOML file.",
        on_page=True,
    ),
)
"""Words that are no metrics."""

GLOSSARY = tuple(sorted((*TERMS, *map(of_metric, METRICS)), key=lambda word: word.name.casefold()))
"""All words in alphabetical order."""

WORDS = {word.name: word for word in GLOSSARY}
