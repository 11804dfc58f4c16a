"""The cache: the key of a step run, and whether a recorded result can stand for it."""
