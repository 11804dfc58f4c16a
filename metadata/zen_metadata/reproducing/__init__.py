"""Makes a recorded run again in a folder of its own: code, environment, parameters and inputs; and compares."""
