# make          the headline run of every experiment, and every picture
# make test     the tests
# make paper    the tables of 1997, thirty trials of each row (some three to four hours on one core); make -j2 paper halves that
# make paper-long  their long rows, ten trials (hours to days; resumable)
# make studies  the runs behind the tables of the README (some ten hours on one core); each has a target of its own
# make bench    speed and memory beside PyTorch, JAX and C, with what of them is there; make bench-peers installs the two
# make clean    remove what the above have left, but not results/ and viz/

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: all test pictures studies clean
all: temporal_order_3bit multiplication_problem timing_counting_spikes information_latching lstm_1997

# ---------------------------------------------------------------------------------------------- environments

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/installed-dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

test: $(VENV)/installed-dev
	$(RUN) -m pytest -q tests

clean:
	rm -rf $(VENV) results/quick .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------- headline runs and their pictures

.PHONY: temporal_order_3bit multiplication_problem information_latching lstm_1997
temporal_order_3bit multiplication_problem information_latching lstm_1997: $(VENV)/installed
	$(RUN) $@.py
	$(RUN) visualize/$@.py
	$(RUN) make_gifs/$@.py

.PHONY: timing_counting_spikes
timing_counting_spikes: $(VENV)/installed
	$(RUN) $@.py
	$(RUN) $@.py --task gts --period 20
	$(RUN) $@.py --task pfg --period 25 --wave triangle
	$(RUN) visualize/$@.py
	$(RUN) make_gifs/$@.py

# ---------------------------------------- studies: the exact commands behind the tables and study pictures

.PHONY: temporal_order_3bit-seeds temporal_order_3bit-recipe temporal_order_3bit-length temporal_order_3bit-ablations
studies: temporal_order_3bit-seeds temporal_order_3bit-recipe temporal_order_3bit-length temporal_order_3bit-ablations

ORDER := $(RUN) temporal_order_3bit.py --resume
ORDER_OUT := --out results/temporal_order_3bit

temporal_order_3bit-seeds: $(VENV)/installed
	$(ORDER) --seeds 0-29 $(ORDER_OUT)/thirty_seeds/default
	$(ORDER) --seeds 0-29 --recipe writeup $(ORDER_OUT)/thirty_seeds/writeup
	$(ORDER) --seeds 30-59 $(ORDER_OUT)/thirty_seeds/default-fresh
	$(ORDER) --seeds 30-59 --recipe writeup $(ORDER_OUT)/thirty_seeds/writeup-fresh

# From the write-up's recipe to ours, on the seeds that ours was chosen on; then on others.
temporal_order_3bit-recipe: $(VENV)/installed
	$(ORDER) --seeds 100-399 --cells lstm --recipe writeup $(ORDER_OUT)/recipe/writeup
	$(ORDER) --seeds 100-399 --cells lstm --recipe writeup --dtype float64 $(ORDER_OUT)/recipe/writeup-float64
	$(ORDER) --seeds 100-399 --cells lstm --recipe writeup --schedule cosine $(ORDER_OUT)/recipe/cosine
	$(ORDER) --seeds 100-399 --cells lstm --recipe writeup --schedule cosine --input-gate-bias -4 $(ORDER_OUT)/recipe/bias
	$(ORDER) --seeds 100-399 --cells lstm --recipe writeup --input-gate-bias -4 $(ORDER_OUT)/recipe/bias-alone
	$(ORDER) --seeds 100-399 --cells lstm --lr 0.02 $(ORDER_OUT)/recipe/beta2
	$(ORDER) --seeds 100-399 --cells lstm --beta2 0.999 $(ORDER_OUT)/recipe/rate
	$(ORDER) --seeds 100-399 --cells lstm $(ORDER_OUT)/recipe/default
	$(ORDER) --seeds 1000-1299 --cells lstm $(ORDER_OUT)/recipe/default-fresh

temporal_order_3bit-length: $(VENV)/installed
	$(ORDER) --seeds 0-29 --cells lstm --T 100 $(ORDER_OUT)/length/default-100
	$(ORDER) --seeds 0-29 --cells lstm --T 200 $(ORDER_OUT)/length/default-200
	$(ORDER) --seeds 0-29 --cells lstm --T 500 $(ORDER_OUT)/length/default-500
	$(ORDER) --seeds 0-29 --cells lstm --T 500 --steps 3000 $(ORDER_OUT)/length/default-500-longer
	$(ORDER) --seeds 0-29 --cells lstm --paper-lengths $(ORDER_OUT)/length/default-paper
	$(ORDER) --seeds 0-29 --cells lstm --recipe writeup --T 100 $(ORDER_OUT)/length/writeup-100
	$(ORDER) --seeds 0-29 --cells lstm --recipe writeup --T 200 $(ORDER_OUT)/length/writeup-200
	$(ORDER) --seeds 0-29 --cells lstm --recipe writeup --T 500 $(ORDER_OUT)/length/writeup-500
	$(ORDER) --seeds 0-29 --cells lstm --recipe writeup --paper-lengths $(ORDER_OUT)/length/writeup-paper

temporal_order_3bit-ablations: $(VENV)/installed
	$(ORDER) --seeds 0-29 --cells lstm --forget-gate $(ORDER_OUT)/ablations/forget-gate
	$(ORDER) --seeds 0-29 --cells lstm --blocks 2 $(ORDER_OUT)/ablations/blocks-2
	$(ORDER) --seeds 0-29 --cells lstm --blocks 2 --forget-gate $(ORDER_OUT)/ablations/blocks-2-forget-gate

# --------------------------------------------------------------------------------------------- multiplication

.PHONY: $(addprefix multiplication_problem-,seeds recipe ablations cells length lag)
studies: $(addprefix multiplication_problem-,seeds recipe ablations cells length lag)

PRODUCT := $(RUN) multiplication_problem.py --resume
PRODUCT_OUT := --out results/multiplication_problem

multiplication_problem-seeds: $(VENV)/installed
	$(PRODUCT) --seeds 0-29 $(PRODUCT_OUT)/thirty_seeds/default
	$(PRODUCT) --seeds 0-29 --recipe writeup $(PRODUCT_OUT)/thirty_seeds/writeup
	$(PRODUCT) --seeds 30-59 $(PRODUCT_OUT)/thirty_seeds/default-fresh
	$(PRODUCT) --seeds 30-59 --recipe writeup $(PRODUCT_OUT)/thirty_seeds/writeup-fresh

# From the write-up's recipe to ours, on the seeds that ours was chosen on; then on others.
multiplication_problem-recipe: $(VENV)/installed
	$(PRODUCT) --seeds 100-199 --recipe writeup $(PRODUCT_OUT)/recipe/writeup
	$(PRODUCT) --seeds 100-199 --recipe writeup --schedule cosine $(PRODUCT_OUT)/recipe/cosine
	$(PRODUCT) --seeds 100-199 --recipe writeup --schedule cosine --lr 0.01 --forget-gate-bias 3 $(PRODUCT_OUT)/recipe/forget-3-rate
	$(PRODUCT) --seeds 100-199 --recipe writeup --forget-gate-bias 6 $(PRODUCT_OUT)/recipe/forget
	$(PRODUCT) --seeds 100-199 --recipe writeup --input-gate-bias -6 $(PRODUCT_OUT)/recipe/input
	$(PRODUCT) --seeds 100-199 --recipe writeup --forget-gate-bias 6 --input-gate-bias -6 $(PRODUCT_OUT)/recipe/both
	$(PRODUCT) --seeds 100-199 --recipe writeup --output-bias -1.0986 $(PRODUCT_OUT)/recipe/output
	$(PRODUCT) --seeds 100-199 $(PRODUCT_OUT)/recipe/default
	$(PRODUCT) --seeds 100-199 --lr 0.08 $(PRODUCT_OUT)/recipe/rate
	$(PRODUCT) --seeds 1000-1099 $(PRODUCT_OUT)/recipe/default-fresh

multiplication_problem-ablations: $(VENV)/installed
	$(PRODUCT) --seeds 0-29 --no-forget-gate $(PRODUCT_OUT)/ablations/no-forget-gate
	$(PRODUCT) --seeds 0-29 --no-forget-gate --recipe writeup $(PRODUCT_OUT)/ablations/no-forget-gate-writeup
	$(PRODUCT) --seeds 0-29 --task add $(PRODUCT_OUT)/ablations/add
	$(PRODUCT) --seeds 0-29 --task add --recipe writeup $(PRODUCT_OUT)/ablations/add-writeup

multiplication_problem-cells: $(VENV)/installed
	$(PRODUCT) --seeds 0-29 --hidden 16 --recipe writeup $(PRODUCT_OUT)/cells/writeup-16
	$(PRODUCT) --seeds 0-29 --hidden 4 --recipe writeup $(PRODUCT_OUT)/cells/writeup-4
	$(PRODUCT) --seeds 0-29 --hidden 16 $(PRODUCT_OUT)/cells/default-16
	$(PRODUCT) --seeds 0-29 --hidden 4 $(PRODUCT_OUT)/cells/default-4

multiplication_problem-length: $(VENV)/installed
	$(PRODUCT) --seeds 0-29 --T-min 100 --T-max 110 $(PRODUCT_OUT)/length/default
	$(PRODUCT) --seeds 0-29 --T-min 100 --T-max 110 --recipe writeup $(PRODUCT_OUT)/length/writeup

multiplication_problem-lag: $(VENV)/installed
	$(PRODUCT) --seeds 0-29 --T-min 40 --T-max 60 $(PRODUCT_OUT)/lag/default-60
	$(PRODUCT) --seeds 0-29 --T-min 67 --T-max 100 $(PRODUCT_OUT)/lag/default-100
	$(PRODUCT) --seeds 0-29 --T-min 134 --T-max 200 $(PRODUCT_OUT)/lag/default-200
	$(PRODUCT) --seeds 0-9 --T-min 334 --T-max 500 $(PRODUCT_OUT)/lag/default-500
	$(PRODUCT) --seeds 0-9 --T-min 667 --T-max 1000 $(PRODUCT_OUT)/lag/default-1000
	$(PRODUCT) --seeds 0-9 --T-min 667 --T-max 1000 --input-gate-bias -8 --forget-gate-bias 8 $(PRODUCT_OUT)/lag/biases-1000
	$(PRODUCT) --seeds 0-29 --T-min 40 --T-max 60 --recipe writeup $(PRODUCT_OUT)/lag/writeup-60
	$(PRODUCT) --seeds 0-29 --T-min 67 --T-max 100 --recipe writeup $(PRODUCT_OUT)/lag/writeup-100
	$(PRODUCT) --seeds 0-29 --T-min 134 --T-max 200 --recipe writeup $(PRODUCT_OUT)/lag/writeup-200

# ----------------------------------------------------------------------------------------------------- timing

.PHONY: $(addprefix timing_counting_spikes-,seeds recipe draws ablations length generate)
studies: $(addprefix timing_counting_spikes-,seeds recipe draws ablations length generate)

TIMING := $(RUN) timing_counting_spikes.py --resume
TIMING_OUT := --out results/timing_counting_spikes

timing_counting_spikes-seeds: $(VENV)/installed
	$(TIMING) --seeds 0-29 $(TIMING_OUT)/thirty_seeds/default
	$(TIMING) --seeds 0-29 --recipe writeup $(TIMING_OUT)/thirty_seeds/writeup
	$(TIMING) --seeds 30-59 $(TIMING_OUT)/thirty_seeds/default-fresh
	$(TIMING) --seeds 30-59 --recipe writeup $(TIMING_OUT)/thirty_seeds/writeup-fresh

# Is the write-up's rate to blame?
timing_counting_spikes-recipe: $(VENV)/installed
	$(TIMING) --seeds 0-29 --peep --recipe writeup --schedule cosine $(TIMING_OUT)/recipe/cosine
	$(TIMING) --seeds 0-29 --peep --recipe writeup --schedule constant $(TIMING_OUT)/recipe/constant

# Do the initial weights decide? The same with other training sequences.
timing_counting_spikes-draws: $(VENV)/installed
	$(TIMING) --seeds 0-29 --peep --recipe writeup --draw 1 $(TIMING_OUT)/draws/1

timing_counting_spikes-ablations: $(VENV)/installed
	$(TIMING) --seeds 0-29 --no-forget-gate $(TIMING_OUT)/ablations/no-forget-gate
	$(TIMING) --seeds 0-29 --peep --peephole-std 0 $(TIMING_OUT)/ablations/zero-peepholes
	$(TIMING) --seeds 0-29 --peep --peephole-std 0 --recipe writeup $(TIMING_OUT)/ablations/zero-peepholes-writeup

timing_counting_spikes-length: $(VENV)/installed
	$(TIMING) --seeds 0-14 --T 300 --D-min 60 --D-max 120 --steps 4000 $(TIMING_OUT)/length/300
	$(TIMING) --seeds 0-4 --T 600 --D-min 120 --D-max 240 --steps 8000 $(TIMING_OUT)/length/600

timing_counting_spikes-generate: $(VENV)/installed
	$(TIMING) --seeds 0-9 --task gts --period 10 $(TIMING_OUT)/generate/gts-10
	$(TIMING) --seeds 0-9 --task gts --period 20 $(TIMING_OUT)/generate/gts-20
	$(TIMING) --seeds 0-9 --task gts --period 30 $(TIMING_OUT)/generate/gts-30
	$(TIMING) --seeds 0-9 --task gts --period 50 $(TIMING_OUT)/generate/gts-50
	$(TIMING) --seeds 0-9 --task pfg --wave cos --period 10 $(TIMING_OUT)/generate/cos-10
	$(TIMING) --seeds 0-9 --task pfg --wave cos --period 25 $(TIMING_OUT)/generate/cos-25
	$(TIMING) --seeds 0-9 --task pfg --wave triangle --period 10 $(TIMING_OUT)/generate/triangle-10
	$(TIMING) --seeds 0-9 --task pfg --wave triangle --period 25 $(TIMING_OUT)/generate/triangle-25
	$(TIMING) --seeds 0-9 --task pfg --wave rectangle --period 10 $(TIMING_OUT)/generate/rectangle-10
	$(TIMING) --seeds 0-9 --task pfg --wave rectangle --period 25 $(TIMING_OUT)/generate/rectangle-25

# -------------------------------------------------------------------------------------------------- latching

.PHONY: $(addprefix information_latching-,figure update time gates answer)
studies: $(addprefix information_latching-,figure update time gates answer)

LATCH := $(RUN) information_latching.py --resume
LATCH_OUT := --out results/information_latching

# The question's first figure, as it was made, and with what is held out drawn at random.
information_latching-figure: $(VENV)/installed
	$(LATCH) --recipe writeup --lengths 2,5,8,10,15,20,25,30,40,50,60,70,80,90,100,110,120,130,140,150,160,170,180,190,200 $(LATCH_OUT)/figure/asker
	$(LATCH) --cells srnn,lstm,gru,lstm-1997 --lengths 2,5,8,10,15,20,25,30,40,50,60,70,80,90,100,110,120,130,140,150,160,170,180,190,200 $(LATCH_OUT)/figure/shuffled

# That of its update.
information_latching-update: $(VENV)/installed
	$(LATCH) --cells srnn,lstm,gru --epochs 10 --lengths 10,20,30,50,100,200 $(LATCH_OUT)/update/latch
	$(LATCH) --cells srnn,lstm,gru --task bit-relay --lengths 4,10,20,30,50,70 $(LATCH_OUT)/update/bit-relay

# Who latches, given time?
information_latching-time: $(VENV)/installed
	$(LATCH) --cells srnn,lstm,gru,lstm-1997 --lengths 50,100,200 --lr 0.01 $(LATCH_OUT)/time/rate
	$(LATCH) --cells srnn,lstm,gru,lstm-1997 --lengths 50,100,200 --epochs 15 $(LATCH_OUT)/time/epochs
	$(LATCH) --cells srnn,lstm,gru,lstm-1997 --lengths 50,100,200 --epochs 15 --lr 0.01 $(LATCH_OUT)/time/both

# Is it the forget gate?
information_latching-gates: $(VENV)/installed
	$(LATCH) --cells lstm,lstm-1997 $(LATCH_OUT)/gates/hard-1
	$(LATCH) --cells lstm --forget-gate-bias 5 $(LATCH_OUT)/gates/hard-5
	$(LATCH) --cells lstm --forget-gate-bias log-T $(LATCH_OUT)/gates/hard-log
	$(LATCH) --cells lstm,lstm-1997 --gates sigmoid $(LATCH_OUT)/gates/sigmoid-1
	$(LATCH) --cells lstm --gates sigmoid --forget-gate-bias 5 $(LATCH_OUT)/gates/sigmoid-5
	$(LATCH) --cells lstm --gates sigmoid --forget-gate-bias log-T $(LATCH_OUT)/gates/sigmoid-log

# Settings with which it latches, the first chosen on its seeds; and without each of their parts.
information_latching-answer: $(VENV)/installed
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --lr 0.03 --forget-gate-bias 8 --input-gate-bias -6 --seeds 100-129 $(LATCH_OUT)/answer/chosen
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --lr 0.03 --forget-gate-bias 8 --input-gate-bias -6 $(LATCH_OUT)/answer/confirmed
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --lr 0.03 --forget-gate-bias 8 $(LATCH_OUT)/answer/without-input
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --lr 0.03 --input-gate-bias -6 $(LATCH_OUT)/answer/without-forget
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --forget-gate-bias 8 --input-gate-bias -6 $(LATCH_OUT)/answer/without-rate
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --lr 0.03 $(LATCH_OUT)/answer/rate-alone
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --input-gate-bias -6 $(LATCH_OUT)/answer/input-alone
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --forget-gate-bias 8 $(LATCH_OUT)/answer/forget-alone
	$(LATCH) --cells lstm --lengths 100,200 --gates sigmoid --forget-gate-bias 8 --input-gate-bias -6 --seeds 200-229 $(LATCH_OUT)/answer/fresh
	$(LATCH) --cells lstm --lengths 100,200 --lr 0.005 --forget-gate-bias 5 --input-gate-bias -2.5 $(LATCH_OUT)/answer/hard

# ------------------------------------------------------------------------------------------- the tables of 1997

# Rows are targets of their own, so that make -j runs them side by side.
SHORT_ROWS := 1-1 1-2 1-3 1-4 1-5 2a 2b 2c-1 2c-2 2c-3 3a-1 3a-2 3b-1 3b-2 4-1
LONG_ROWS := 5 6b 3c-1 3c-2 2c-4 2c-5 2c-6 2c-7 2c-8 2c-9 4-2 4-3 3a-3 3b-3
.PHONY: paper paper-long paper-6a $(addprefix paper-,$(SHORT_ROWS) $(LONG_ROWS))
paper: paper-6a $(addprefix paper-,$(SHORT_ROWS))
paper-long: $(addprefix paper-,$(LONG_ROWS))

PAPER := $(RUN) lstm_1997.py --resume
PAPER_OUT := --out results/lstm_1997

paper-6a: $(VENV)/installed
	$(PAPER)

$(addprefix paper-,$(SHORT_ROWS)): paper-%: $(VENV)/installed
	$(PAPER) --task $* $(PAPER_OUT)/$*

$(addprefix paper-,$(LONG_ROWS)): paper-%: $(VENV)/installed
	$(PAPER) --task $* --trials 0-9 $(PAPER_OUT)/$*

# Where the paper leaves room: what each reading gives, on other trials.
.PHONY: lstm_1997-readings
studies: lstm_1997-readings

LSTM := $(RUN) lstm_1997.py --resume
LSTM_OUT := --out results/lstm_1997

lstm_1997-readings: $(VENV)/installed
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges equations --cost squared --update sequence $(LSTM_OUT)/readings/1-5-equations-squared-sequence
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges equations --cost mixed --update sequence $(LSTM_OUT)/readings/1-5-equations-mixed-sequence
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges equations --cost entropy --update sequence $(LSTM_OUT)/readings/1-5-equations-entropy-sequence
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges caption --cost squared --update sequence $(LSTM_OUT)/readings/1-5-caption-squared-sequence
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges caption --cost mixed --update sequence $(LSTM_OUT)/readings/1-5-caption-mixed-sequence
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges caption --cost entropy --update sequence $(LSTM_OUT)/readings/1-5-caption-entropy-sequence
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges equations --cost squared --update step $(LSTM_OUT)/readings/1-5-equations-squared-step
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges equations --cost mixed --update step $(LSTM_OUT)/readings/1-5-equations-mixed-step
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges equations --cost entropy --update step $(LSTM_OUT)/readings/1-5-equations-entropy-step
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges caption --cost squared --update step $(LSTM_OUT)/readings/1-5-caption-squared-step
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges caption --cost mixed --update step $(LSTM_OUT)/readings/1-5-caption-mixed-step
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges caption --cost entropy --update step $(LSTM_OUT)/readings/1-5-caption-entropy-step
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --ranges equations --gradient full --update sequence $(LSTM_OUT)/readings/1-5-equations-full
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --gradient full --update sequence $(LSTM_OUT)/readings/1-5-caption-full
	$(LSTM) --task 1-5 --ranges equations --gradient full --update sequence $(LSTM_OUT)/readings/1-5-full
	$(LSTM) --task 1-5 --trials 100-109 --steps 16880 --errors end $(LSTM_OUT)/readings/1-5-memory
	$(LSTM) --task 2a --trials 100-109 --steps 10080 --cell late $(LSTM_OUT)/readings/2a-late
	$(LSTM) --task 2a --trials 100-109 --steps 10080 --update sequence $(LSTM_OUT)/readings/2a-sequence
	$(LSTM) --task 2a --trials 100-109 --steps 10080 --update sequence --cost squared $(LSTM_OUT)/readings/2a-sequence-squared
	$(LSTM) --task 2b --trials 100-109 --steps 11360 $(LSTM_OUT)/readings/2b-end
	$(LSTM) --task 2b --trials 100-109 --steps 11360 --cell first $(LSTM_OUT)/readings/2b-first
	$(LSTM) --task 2b --trials 100-109 --steps 11360 --cost squared $(LSTM_OUT)/readings/2b-squared
	$(LSTM) --task 2b --trials 100-109 --steps 11360 --errors every $(LSTM_OUT)/readings/2b-every
	$(LSTM) --task 2c-1 --trials 100-109 --steps 60000 --ranges equations --cost squared $(LSTM_OUT)/readings/2c-1-equations-squared
	$(LSTM) --task 2c-1 --trials 100-109 --steps 60000 --ranges equations --cost mixed $(LSTM_OUT)/readings/2c-1-equations-mixed
	$(LSTM) --task 2c-1 --trials 100-109 --steps 60000 --ranges equations --cost entropy $(LSTM_OUT)/readings/2c-1-equations-entropy
	$(LSTM) --task 2c-1 --trials 100-109 --steps 60000 --ranges caption --cost squared $(LSTM_OUT)/readings/2c-1-caption-squared
	$(LSTM) --task 2c-1 --trials 100-109 --steps 60000 --ranges caption --cost mixed $(LSTM_OUT)/readings/2c-1-caption-mixed
	$(LSTM) --task 2c-1 --trials 100-109 --steps 60000 --ranges caption --cost entropy $(LSTM_OUT)/readings/2c-1-caption-entropy
	$(LSTM) --task 2c-1 --trials 100-109 --steps 60000 --lr 0.02 $(LSTM_OUT)/readings/2c-1-rate
	$(LSTM) --task 2c-2 --trials 100-109 --steps 62000 --lr 0.02 $(LSTM_OUT)/readings/2c-2-rate
	$(LSTM) --task 2c-2 --trials 100-109 --steps 62000 $(LSTM_OUT)/readings/2c-2-caption-mixed
	$(LSTM) --task 3a-1 --trials 100-109 --steps 79700 --ranges equations --cost squared $(LSTM_OUT)/readings/3a-1-equations-squared
	$(LSTM) --task 3a-1 --trials 100-109 --steps 79700 --ranges equations --cost mixed $(LSTM_OUT)/readings/3a-1-equations-mixed
	$(LSTM) --task 3a-1 --trials 100-109 --steps 79700 --ranges equations --cost entropy $(LSTM_OUT)/readings/3a-1-equations-entropy
	$(LSTM) --task 3a-1 --trials 100-109 --steps 79700 --ranges caption --cost squared $(LSTM_OUT)/readings/3a-1-caption-squared
	$(LSTM) --task 3a-1 --trials 100-109 --steps 79700 --ranges caption --cost mixed $(LSTM_OUT)/readings/3a-1-caption-mixed
	$(LSTM) --task 3a-1 --trials 100-109 --steps 79700 --ranges caption --cost entropy $(LSTM_OUT)/readings/3a-1-caption-entropy
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --ranges equations --cost squared $(LSTM_OUT)/readings/4-1-equations-squared
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --ranges equations --cost mixed $(LSTM_OUT)/readings/4-1-equations-mixed
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --ranges equations --cost entropy $(LSTM_OUT)/readings/4-1-equations-entropy
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --ranges caption --cost squared $(LSTM_OUT)/readings/4-1-caption-squared
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --ranges caption --cost mixed $(LSTM_OUT)/readings/4-1-caption-mixed
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --ranges caption --cost entropy $(LSTM_OUT)/readings/4-1-caption-entropy
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --first-pair counted $(LSTM_OUT)/readings/4-1-counted
	$(LSTM) --task 4-1 --trials 100-109 --steps 148000 --first-pair unmarked $(LSTM_OUT)/readings/4-1-unmarked
	$(LSTM) --task 6a --trials 100-109 --steps 62780 --ranges equations --cost squared $(LSTM_OUT)/readings/6a-equations-squared
	$(LSTM) --task 6a --trials 100-109 --steps 62780 --ranges equations --cost mixed $(LSTM_OUT)/readings/6a-equations-mixed
	$(LSTM) --task 6a --trials 100-109 --steps 62780 --ranges equations --cost entropy $(LSTM_OUT)/readings/6a-equations-entropy
	$(LSTM) --task 6a --trials 100-109 --steps 62780 --ranges caption --cost squared $(LSTM_OUT)/readings/6a-caption-squared
	$(LSTM) --task 6a --trials 100-109 --steps 62780 --ranges caption --cost mixed $(LSTM_OUT)/readings/6a-caption-mixed
	$(LSTM) --task 6a --trials 100-109 --steps 62780 --ranges caption --cost entropy $(LSTM_OUT)/readings/6a-caption-entropy

# -------------------------------------------------------------------------- benchmarks (on a machine with no other work)

.PHONY: bench bench-peers
bench: $(VENV)/installed
	$(RUN) benchmarks/step_time.py
	$(RUN) benchmarks/scaling.py
	$(RUN) benchmarks/headline.py
	$(RUN) visualize/benchmarks.py

bench-peers: $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
