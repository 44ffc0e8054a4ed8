"""Intervals, tests, families, verdicts and ranks over sessions. Knows no metric: numbers and integer sums come in.

The clips of a session are not independent, so the unit of every statement is the session (cluster), G of them. One
mechanism serves every interval: *replicates*, the statistic recomputed with each session deleted. Their spread around
the full estimate, with the factor (G-1)/G, is the CR3 (jackknife) variance. Quantiles are those of Student's t with the
degrees of freedom of a mean over sessions of these sizes, G-1 where they are equal.

- A proportion (any pooled statistic in [0, 1]): the CR3 error is carried to the logit by the delta method, that is
  divided by p(1 - p). At exactly 0 or 1, where the replicates hold no error, one-sided Clopper-Pearson on n_eff clips.
- A share of right clips of which fewer than FEW_CARRIERS sessions hold a wrong one (or a right one): the same, widened
  until it holds Clopper-Pearson's, because so few sessions say little about how errors spread.
- Anything else (differences, frames, skill): the same on its own scale.
- With `strata` the deviations are centred within each stratum: that domains differ is then no error of the estimate.
- Below MIN_SESSIONS, or where a deletion leaves nothing to compute (all of it lies in one session): NOT_SUPPORTED.
- "Is A better": sign flip of the integer session differences, exact by convolution. The smallest possible p is 2^(1-G).

The rooms, each importing only from those above it:

    variance     standard errors, degrees of freedom, quantiles of t
    intervals    of a proportion and of anything else
    differences  sign flip, t, and Holm's correction of a family
    planning     what sessions can detect, and how many are needed
    verdicts     what the data say on a pair, as a kind and as a sentence
    ranking      rank ranges, tiers, the chance of being best, the interval of the entry that was picked
    runs         the error of methods of several runs
    watching     the interval of a running mean

Shapes: values [...], replicates [..., G], clips (that the statistic counts in each session) and strata [G]; the *_ends
functions broadcast, the *_interval functions take one statistic.

Sources: Bell & McCaffrey 2002 (degrees of freedom) and MacKinnon, Nielsen & Webb 2023 (CR3), Clopper & Pearson 1934,
Satterthwaite 1946 and Welch 1947 (strata), Kish 1965 (design effect), Fisher 1935 (sign flip), Streitberg & Röhmel 1986
(its exact distribution), Holm 1979, Schuirmann 1987 (equivalence), Bloom 1995 (minimum detectable effect), Al Mohamad,
Goeman & van Zwet 2022 (rank ranges), Romano & Wolf 2005 (largest t), Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021
(confidence sequences).
"""

from harness.statistics.differences import ALPHA, BOUND, EXACT, NORMAL, holm, sign_flip_p, t_test_p
from harness.statistics.intervals import (
    CORRELATION,
    FEW_CARRIERS,
    FEW_SESSIONS,
    MIN_SESSIONS,
    NOT_SUPPORTED,
    Ends,
    Interval,
    clopper_pearson,
    effective_size,
    few_carriers,
    identity_interval,
    proportion_ends,
    proportion_interval,
)
from harness.statistics.planning import POWER, detectable, minimum_detectable, sessions_needed
from harness.statistics.ranking import RESAMPLES, largest_t_quantile, p_best, picked_ends, rank_ranges, tiers
from harness.statistics.runs import RunsTest, runs_error, runs_test, with_runs
from harness.statistics.variance import (
    degrees_of_freedom,
    jackknife_se,
    stratified_error,
    t_quantile,
    welch_satterthwaite,
)
from harness.statistics.verdicts import PairTest, Verdict, verdict
from harness.statistics.watching import WATCHED_SE, confidence_sequence

__all__ = [
    "ALPHA",
    "BOUND",
    "CORRELATION",
    "EXACT",
    "FEW_CARRIERS",
    "FEW_SESSIONS",
    "MIN_SESSIONS",
    "NORMAL",
    "NOT_SUPPORTED",
    "POWER",
    "RESAMPLES",
    "WATCHED_SE",
    "Ends",
    "Interval",
    "PairTest",
    "RunsTest",
    "Verdict",
    "clopper_pearson",
    "confidence_sequence",
    "degrees_of_freedom",
    "detectable",
    "effective_size",
    "few_carriers",
    "holm",
    "identity_interval",
    "jackknife_se",
    "largest_t_quantile",
    "minimum_detectable",
    "p_best",
    "picked_ends",
    "proportion_ends",
    "proportion_interval",
    "rank_ranges",
    "runs_error",
    "runs_test",
    "sessions_needed",
    "sign_flip_p",
    "stratified_error",
    "t_quantile",
    "t_test_p",
    "tiers",
    "verdict",
    "welch_satterthwaite",
    "with_runs",
]
