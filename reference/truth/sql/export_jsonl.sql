-- JSON Lines have the shape of a prediction: the segment is an object of its own.
COPY (
    SELECT
        clip_id, session, clip_index, start_ms, dominant_operation,
        {'start_frame': start_frame, 'end_frame': end_frame} AS temporal_segment,
        * EXCLUDE (clip_id, session, clip_index, start_ms, dominant_operation, start_frame, end_frame)
    FROM exported
) TO $path (FORMAT json)
