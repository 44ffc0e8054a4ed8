"""METRICS defines the headline metrics once: names, meaning, the sums they are made of, and who may see them.

Terminal, page, exports, comparisons, documentation and the score record filter METRICS; scoring/metrics.py computes
them. Columns are those of scoring/sql/sessions.sql.

Sources: temporal IoU and its threshold as ActivityNet (Heilbron et al. 2015); top-1 anticipation accuracy as
EPIC-KITCHENS (Damen et al. 2018); the weight of 0.40 on AA@1 is the task's, the other two are this project's.
"""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """Definition of one headline metric. `short` is its title where columns are narrow."""

    key: str
    title: str
    short: str
    definition: str
    formula: str
    range: tuple[int, int]
    larger_is_better: bool
    in_composite: bool  # one of the three that the score is made of
    leaves_sealed: bool  # may be published for a sealed split
    fact: str = ""  # column of the clip facts: 1 where the answer is right
    hidden_only: bool = False  # counts only the clips whose next operation is not visible
    counted: str = "n"  # column: answers that its value counts
    clips: str = "n"  # column: clips that its floor, prior and ceiling count
    floor: str = ""  # column: right answers of the constant submission
    prior: str = ""  # column: right answers of a perfect recogniser that has memorised the sequence; none: no prior
    state_prior: str = ""  # column: the same for one that recognises the look of the box, too
    prior_frames: str = ""  # column: hits of perfect labels of eight uniform frames
    ceiling: str = ""  # column: sum of the clips' ceilings in millionths; none: 1

    @property
    def is_composite(self) -> bool:
        """Return True for the score, which averages other metrics and has no columns of its own."""
        return not self.fact

    @property
    def is_expected(self) -> bool:
        """Return True for a metric that sums exact probabilities in millionths and belongs to no family of tests."""
        return self.fact == "expected_ppm"

    @property
    def right(self) -> str:
        """Return the column of sessions.sql that sums the fact over the clips that the metric counts."""
        return f"hidden_{self.fact}" if self.hidden_only else self.fact


METRICS = (
    Metric(
        key="score",
        title="score",
        short="score",
        definition="weighted mean of OCA, tIoU@0.5 and AA@1 over all clips of the split",
        formula="0.3 OCA + 0.3 tIoU@0.5 + 0.4 AA@1, or other weights that the signature names",
        range=(0, 1),
        larger_is_better=True,
        in_composite=False,
        leaves_sealed=True,
    ),
    Metric(
        key="oca",
        title="OCA",
        short="OCA",
        definition="operation classification accuracy: share of clips with the right dominant operation",
        formula="clips with answered operation = true operation / clips",
        range=(0, 1),
        larger_is_better=True,
        in_composite=True,
        leaves_sealed=True,
        fact="operation_right",
        floor="constant_operation_right",
    ),
    Metric(
        key="tiou50",
        title="tIoU@0.5",
        short="tIoU",
        definition="share of clips whose segment overlaps the true one by at least half of their union",
        formula="clips with 2 x intersection >= union, in frames / clips",
        range=(0, 1),
        larger_is_better=True,
        in_composite=True,
        leaves_sealed=True,
        fact="segment_hit",
        counted="n_segment",
        floor="constant_segment_hit",
        prior_frames="frames_hit",
    ),
    Metric(
        key="aa1",
        title="AA@1",
        short="AA@1",
        definition="top-1 anticipation accuracy: share of clips with the right next operation",
        formula="clips with answered next operation = true next operation / clips",
        range=(0, 1),
        larger_is_better=True,
        in_composite=True,
        leaves_sealed=True,
        fact="next_right",
        floor="constant_next_right",
        prior="prior_right",
        state_prior="state_prior_right",
        ceiling="ceiling_ppm",
    ),
    Metric(
        key="aa1_hidden",
        title="AA@1 hidden",
        short="hidden",
        definition="AA@1 on the clips whose next operation is not yet on screen: anticipation, not recognition",
        formula="as AA@1, over the clips whose true segment ends with the clip (end_frame = 125)",
        range=(0, 1),
        larger_is_better=True,
        in_composite=False,
        leaves_sealed=False,
        fact="next_right",
        hidden_only=True,
        counted="n_hidden",
        clips="n_hidden",
        floor="hidden_constant_next_right",
        prior="hidden_prior_right",
        state_prior="hidden_state_prior_right",
        ceiling="hidden_ceiling_ppm",
    ),
    Metric(
        key="aa1_expected",
        title="AA@1 expected",
        short="exp.",
        definition="AA@1 without the luck of what came next: an answer counts its exact probability given the frames",
        formula="sum of P(next = answer | frames), from the process, / clips; where the next is visible as AA@1",
        range=(0, 1),
        larger_is_better=True,
        in_composite=False,
        leaves_sealed=False,
        fact="expected_ppm",
        floor="constant_next_right",
        prior="prior_right",
        state_prior="state_prior_right",
        ceiling="ceiling_ppm",
    ),
    Metric(
        key="aa1_hidden_expected",
        title="hidden expected",
        short="hid. exp.",
        definition="AA@1 expected on the clips whose next operation is not yet on screen; decides close calls",
        formula="as AA@1 expected, over the clips whose true segment ends with the clip (end_frame = 125)",
        range=(0, 1),
        larger_is_better=True,
        in_composite=False,
        leaves_sealed=False,
        fact="expected_ppm",
        hidden_only=True,
        counted="n_hidden",
        clips="n_hidden",
        floor="hidden_constant_next_right",
        prior="hidden_prior_right",
        state_prior="hidden_state_prior_right",
        ceiling="hidden_ceiling_ppm",
    ),
)

BY_KEY = {metric.key: metric for metric in METRICS}
COMPOSITE = next(metric for metric in METRICS if metric.is_composite)
PARTS = tuple(metric for metric in METRICS if metric.in_composite)
"""The three metrics that the composite averages, in the order of its weights."""
OBSERVED = tuple(metric for metric in METRICS if not metric.is_expected)
"""Metrics that count right answers: the columns of boards and tables."""
SINGLE = tuple(metric for metric in OBSERVED if not metric.is_composite)
"""The four metrics of the second family of tests."""
EXPECTED = tuple(metric for metric in METRICS if metric.is_expected)
"""Metrics that count exact probabilities, for close calls; outside the family of tests, and null without a process."""
PUBLIC = tuple(metric for metric in METRICS if metric.leaves_sealed)
"""Metrics that may be published for a sealed split."""
FURTHER = {"aa2": "AA@2", "aa3": "AA@3"}
"""Keys and titles of the metrics of the second and third next operation, which are no headline and part of no other."""
