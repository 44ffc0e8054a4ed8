"""Standard errors of statistics from their delete-one-session replicates, degrees of freedom, and quantiles of t.

Sources: MacKinnon, Nielsen & Webb 2023 (CR3), Bell & McCaffrey 2002 (degrees of freedom), Satterthwaite 1946 and Welch
1947 (sums of variances), Cochran 1977 and Wolter 2007 (strata).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy  # loads scipy.special where a quantile is first asked for: a validation needs none


def t_quantile(level: float, df: float) -> float:
    """Return the quantile of Student's t with `df` degrees of freedom."""
    return float(scipy.special.stdtrit(df, level))


def degrees_of_freedom(clips: Any) -> float:
    """Return the degrees of freedom of the CR3 variance of a mean over sessions with these numbers of clips [G].

    G-1 where the sessions are equal, fewer where some weigh more; at least 1. Needs two sessions with clips.
    """
    # Bell & McCaffrey 2002 for a model with a constant alone. The residuals of session g lose the share w_g to the
    # mean, which CR3 undoes by 1 / (1 - w_g); v is that of the chi-square with the variance's own mean and variance.
    clips = np.asarray(clips, float)
    n = clips.sum()
    share, leverage = clips / n, clips**2 / (n * (n - clips))
    # (sum q)^2 - sum q^2 as the sum over pairs, which does not cancel where one session outweighs all others.
    pairs = 2 * (leverage[1:] * np.cumsum(leverage)[:-1]).sum()
    return float(1 / ((share**2).sum() + pairs))


def welch_satterthwaite(variances: Any, df: Any) -> np.ndarray:
    """Return the degrees of freedom [...] of a sum of independent variances [..., H] that have `df` [H] each."""
    variances, df = np.asarray(variances, float), np.asarray(df, float)
    whole, parts = variances.sum(axis=-1) ** 2, (variances**2 / df).sum(axis=-1)
    # Without any variance the quantile multiplies an error of 0, so that any number will do.
    return np.divide(whole, parts, out=np.full(whole.shape, float(df.sum())), where=parts > 0)


def jackknife_se(value: Any, replicates: Any) -> np.ndarray:
    """Return the CR3 standard error [...] of values [...] from their delete-one-session replicates [..., G]."""
    value, replicates = np.asarray(value, float), np.asarray(replicates, float)
    sessions = replicates.shape[-1]
    # CR3 centres on the full estimate, not on the mean of the replicates: bias then counts as error, the more cautious
    # choice with few sessions (MacKinnon, Nielsen & Webb 2023). A replicate differs from the full estimate by about
    # 1/(G-1) of its session's deviation; the factor (G-1)/G makes of these squares the variance of a mean of G.
    squares = ((replicates - value[..., None]) ** 2).sum(axis=-1)
    return np.sqrt((sessions - 1) / sessions * squares)


def stratified_error(replicates: Any, clips: Any, strata: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the standard error [...] and its degrees of freedom [...] with `strata` [G] as fixed parts of the split.

    `strata`: an integer for each session, each on two or more sessions; `replicates` [..., G] and `clips` [G] as ever.
    """
    # The stratified variance of a combined ratio (Cochran 1977, 6.11; Wolter 2007, 4.5), taken from replicates that
    # delete a session of the whole split. A session's deviation d = replicate - value is -1/(G-1) of its residual, so
    # (G-1)/G x d is its part in the estimate. Within a stratum of K sessions the variance of the sum of these parts is
    # K/(K-1) times their squares around the stratum's mean. With one stratum this is the CR3 variance, but around the
    # mean of the replicates: the full estimate is no centre for a single stratum.
    replicates, clips, strata = np.asarray(replicates, float), np.asarray(clips), np.asarray(strata)
    parts = replicates * (1 - 1 / replicates.shape[-1])
    variances, df = [], []
    for stratum in np.unique(strata):
        inside = strata == stratum
        sessions, mine = int(inside.sum()), parts[..., inside]
        squares = ((mine - mine.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        variances.append(squares * (sessions / (sessions - 1)))
        df.append(degrees_of_freedom(clips[inside]))
    by_stratum = np.stack(variances, axis=-1)
    return np.sqrt(by_stratum.sum(axis=-1)), welch_satterthwaite(by_stratum, df)


def standard_error(value: Any, replicates: Any, clips: Any, strata: Any) -> tuple[np.ndarray, Any]:
    """Return the standard error [...] and its degrees of freedom, pooled or over strata."""
    if strata is None:
        return jackknife_se(value, replicates), degrees_of_freedom(clips)
    return stratified_error(replicates, clips, strata)
