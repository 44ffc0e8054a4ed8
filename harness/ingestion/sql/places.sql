-- The place of every row's clip in the truth; a place that occurs twice is a clip named on several lines.
SELECT place FROM predictions
