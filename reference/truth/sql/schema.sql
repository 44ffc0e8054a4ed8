-- Truth of one split of one world: the whole content of a truth database, schema version 2.
-- Operations are stored as codes: the position of the label in the world's canonical order.

CREATE TABLE meta (             -- what pins this file; all values are text
    key   VARCHAR NOT NULL,     -- schema_version, world, split, kind (synthetic | imported), world_digest (SHA-256 of the
    value VARCHAR NOT NULL      -- world file's or imported file's bytes), truth_digest, row_checksum, n, sessions, script, public, ...
);

CREATE TABLE operations (
    code      UTINYINT NOT NULL,
    operation VARCHAR  NOT NULL
);

CREATE TABLE clips (                         -- ordered by session_index, clip_index
    clip_id            VARCHAR   NOT NULL,
    session            VARCHAR   NOT NULL,
    session_index      INTEGER   NOT NULL,   -- 0-based, dense, in the split's session order
    clip_index         INTEGER   NOT NULL,   -- 0-based, in time order within the session
    start_ms           BIGINT    NOT NULL,   -- of frame 0, from the session's start
    dominant_operation UTINYINT  NOT NULL,
    start_frame        SMALLINT  NOT NULL,   -- 0-based, inclusive
    end_frame          SMALLINT  NOT NULL,   -- exclusive, at most 125
    next_operation     UTINYINT  NOT NULL,
    previous_operation UTINYINT,
    next_operations    UTINYINT[] NOT NULL,  -- up to three; the first is next_operation
    next_visible       BOOLEAN   NOT NULL,   -- end_frame < 125
    dense              BOOLEAN   NOT NULL,   -- end_frame - start_frame <= 62
    cut_kind           VARCHAR   NOT NULL,   -- mid | boundary | dense
    domain             VARCHAR,
    domain_seen        BOOLEAN,              -- train holds this domain
    worker             VARCHAR,
    randomised         BOOLEAN,              -- the session comes from the flattened grammar
    off_script         BOOLEAN,              -- next is not the process's most probable successor of the operation
    ceiling_ppm        INTEGER,              -- max over k of P(next = k | VisibleState), in millionths; NULL for imported worlds
    oracle_next        UTINYINT,             -- the answer that reaches it
    fold               INTEGER   NOT NULL,   -- which row set of `constants` and `transition` was fitted without this clip's session
    prior_next         UTINYINT  NOT NULL,   -- T(dominant_operation) of the clip's fold
    look               VARCHAR,              -- step of the segment's run, by the first step of its operation that looks the same
    state_prior        UTINYINT,             -- T(dominant_operation, look); a pair that train lacks: T(dominant_operation)
    next_ppm           INTEGER[],            -- P(next = k | VisibleState) in millionths, by operation code, each rounded by itself
    later_ceilings_ppm INTEGER[],            -- the ceilings of the second and third next operation, in millionths
    later_oracle       UTINYINT[],           -- the answers that reach them
    frames_hit         BOOLEAN               -- perfect labels of eight uniform frames hit the segment at tIoU 0.5
);

CREATE TABLE constants (                     -- the floors' one constant submission, a row per fold (synthetic: fold 0 = train)
    fold               INTEGER  NOT NULL,
    dominant_operation UTINYINT NOT NULL,    -- majority operation
    start_frame        SMALLINT NOT NULL,    -- best constant segment for tIoU@0.5 (ties: lowest start, then lowest end)
    end_frame          SMALLINT NOT NULL,
    next_operation     UTINYINT NOT NULL,    -- majority next operation
    later_operations   UTINYINT[] NOT NULL   -- majority second and third next operation
);

CREATE TABLE transition (                    -- T: most frequent next operation by operation, a row per fold and operation code
    fold           INTEGER  NOT NULL,
    operation      UTINYINT NOT NULL,
    next_operation UTINYINT NOT NULL         -- unseen operation: the majority next
);
