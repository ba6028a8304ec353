# make          the headline run of every experiment, and its pictures (three minutes on a fast core, ten on a slow one)
# make test     the linter and the tests
# make studies  all runs for the tables of the reports; make paper, paper-long: rows of the tables of 1997
# make bench    speed and memory, compared with PyTorch, JAX (make bench-peers installs them) and C
# make clean    remove the environment and all caches. JOBS=4 make studies runs four processes at the same time.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
RUN := $(VENV)/bin/python
SIMPLE := temporal_order_3bit multiplication_problem information_latching
studies := temporal_order_3bit multiplication_problem timing_counting_spikes information_latching lstm_1997/questions
paper := lstm_1997/columns
paper-long := lstm_1997/long

.PHONY: all $(SIMPLE) timing_counting_spikes lstm_1997 test studies paper paper-long bench bench-peers clean
all: $(SIMPLE) timing_counting_spikes lstm_1997

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/installed-dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

$(SIMPLE): $(VENV)/installed
	$(RUN) $@.py
	$(RUN) -m studies measure results/$@
	$(RUN) visualize/$@.py
	$(RUN) make_gifs/$@.py

timing_counting_spikes: $(VENV)/installed
	$(RUN) $@.py
	$(RUN) $@.py --task gts --period 20 --seeds 9 --out results/$@/gts --force
	$(RUN) $@.py --task pfg --period 25 --wave triangle --seeds 9 --out results/$@/pfg --force
	$(RUN) -m studies measure results/$@ results/$@/gts results/$@/pfg
	$(RUN) visualize/$@.py
	$(RUN) make_gifs/$@.py

lstm_1997: $(VENV)/installed
	$(RUN) $@.py
	$(RUN) -m studies measure results/$@/6a
	$(RUN) visualize/$@.py
	$(RUN) visualize/error_flow_1997.py && $(RUN) visualize/grammar_1997.py && $(RUN) visualize/data_movement.py
	$(RUN) make_gifs/$@.py

test: $(VENV)/installed-dev
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m pytest -q -n auto tests

studies paper paper-long: $(VENV)/installed
	$(RUN) -m studies run --jobs $(JOBS) $($@)

bench: $(VENV)/installed
	$(RUN) benchmarks/step_time.py
	$(RUN) benchmarks/scaling.py
	$(RUN) benchmarks/headline.py
	$(RUN) visualize/benchmarks.py

bench-peers: $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
