"""Videos: write frames as mp4, read files of unknown origin in a sandbox, choose the frames that a model sees.

`read.frames` gives frames of a file and `read.squares` what it shows at given times; `encode.write_video` writes one,
`encode.pixel_digest` proves its content; `decoders.inspect` checks a header against `decoders.Limits`;
`samplers.SAMPLERS` are the ways to choose frames.
"""
