"""Videos: encode frames to mp4, decode files of unknown origin in a sandbox, choose the frames that a model sees."""
