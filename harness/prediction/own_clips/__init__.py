"""Clips of the user's own, asked about without any truth: `harness predict --clips`.

labels -> clip_files -> questions -> answers: which operations there are, which clips a folder holds, what a model is
shown of them, and what is written. `harness.report.answers_page` draws the page.
"""
