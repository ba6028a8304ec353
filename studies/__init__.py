"""Studies: what is asked of many runs of an experiment, and the tables that answer it. See __main__.py."""
