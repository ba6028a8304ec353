"""Studies: questions to many runs of an experiment, and the tables that answer them. See __main__.py."""
