# The same words work in a generated project; `make` alone lists them.
UV := $(shell command -v uv || echo .tools/bin/uv)
PYTHON ?= python3
RUN := .venv/bin/python -m
CODE := benchmarks scripts tests local_extensions.py
# The library is linted and typed where it stands; the rest of a project is when it is baked.
LIBRARY := {{cookiecutter.project_slug}}/celery_runtime

# A virtual environment that happens to be active is none of this project's business, and without
# byte code every process that the tests start would compile all of Celery anew.
unexport VIRTUAL_ENV PYTHONPATH PYTHONDONTWRITEBYTECODE

.PHONY: help
help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

.PHONY: demo
demo: .venv/ready  ## bake a project and run its main job; FRAMEWORK=plain BROKER=rabbitmq choose others
	@$(RUN) scripts.demo

# Most of the time a test waits, so more of them run than there are processors.
PARALLEL := -n 5 --dist worksteal

.PHONY: test
test: test-runtime test-newer test-bakes  ## run every test, with real workers on real brokers

.PHONY: test-bakes
test-bakes: .venv/ready  ## run the tests of the template, and of what is baked from it
	@$(RUN) pytest $(PARALLEL)

.PHONY: test-runtime
test-runtime: .venv/ready  ## run the tests of the library, in place: nothing is baked
	@$(RUN) pytest $(PARALLEL) tests/runtime --framework plain
	@$(RUN) pytest $(PARALLEL) tests/runtime --framework django

.PHONY: test-newer
test-newer: .venv/ready  ## run those of the library that need a broker on RabbitMQ 4 and Redis 8; wants root and debootstrap
	@SERVERS=trixie $(RUN) pytest $(PARALLEL) tests/runtime --framework plain

# Of the tests of the library, those that start no worker.
QUICK := engine_hooks errors errors_page own_errors policy_decisions
.PHONY: test-fast
test-fast: .venv/ready  ## run the tests that need neither a baked environment nor a worker
	@$(RUN) pytest -q $(QUICK:%=tests/runtime/test_%.py)
	@$(RUN) pytest -n 2 -m "not baked"

.PHONY: lint
lint: .venv/ready  ## check the style, the types of the library and its layers
	$(RUN) ruff check --config pyproject.toml $(CODE) "$(LIBRARY)"
	$(RUN) ruff format --config pyproject.toml --check $(CODE) "$(LIBRARY)"
	$(RUN) mypy
	PYTHONPATH="$(dir $(LIBRARY))" .venv/bin/lint-imports --no-cache

.PHONY: examples
examples: .venv/ready  ## run every example in every combination of options, and print what it prints
	@$(RUN) scripts.examples

.PHONY: mutations
mutations: .venv/ready  ## break the library, one promise at a time; a test must notice
	@$(RUN) scripts.mutations

.PHONY: faults
faults: .venv/ready  ## cause faults with many libraries, and print what is made of them
	@$(RUN) scripts.faults

.PHONY: dead-letters
dead-letters: .venv/ready  ## cause every way to fail on both brokers, and print which dead letter each became
	@$(RUN) scripts.dead_letters

.PHONY: fuzz
fuzz: .venv/ready  ## send random messages to a worker; N=20000 SEED=7 BROKER=rabbitmq choose how many, which and where
	@N=$(N) SEED=$(SEED) BROKER=$(BROKER) $(RUN) scripts.fuzz

.PHONY: chaos
chaos: .venv/ready  ## kill and stop workers and their broker under load; N=5000 SEED=7 BROKER=rabbitmq as above
	@N=$(N) SEED=$(SEED) BROKER=$(BROKER) KEEP=$(KEEP) $(RUN) scripts.chaos

.PHONY: outages
outages: .venv/ready  ## take brokers away, flush them, fill their disk, and print what is seen of it
	@$(RUN) scripts.outages

.PHONY: foreign
foreign: .venv/ready  ## run Celery's own tests against a baked app, beside a stock app, and print what differs
	@KEEP=$(KEEP) $(RUN) scripts.foreign

.PHONY: tls
tls: .venv/ready  ## print what verifies a server behind TLS, for each certificate
	@TLS_ROWS=all $(RUN) pytest -q -s tests/runtime/test_tls.py --framework plain

.PHONY: chords
chords: .venv/ready  ## print how chords end, for each header, result backend and broker
	@CHORDS=all $(RUN) pytest -q -s tests/runtime/test_chords.py -k whatever --framework plain
	@CHORDS=all $(RUN) pytest -q -s tests/runtime/test_chords.py -k whatever --framework django

.PHONY: sizes
sizes: .venv/ready  ## print how many lines a bake has; fail above a ceiling
	@$(RUN) scripts.sizes

.PHONY: bench
bench: .venv/ready  ## print ratios measured side by side
	@$(RUN) benchmarks

.PHONY: requirements
requirements: | $(UV)  ## pin anew what developing the template needs
	for group in dev faults foreign; do \
		$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --no-annotate --group $$group --upgrade \
			--output-file requirements-$$group.txt || exit; \
	done

.venv/ready: requirements-dev.txt | $(UV)
	@test -x .venv/bin/python || $(UV) venv --quiet --python "$${UV_PYTHON:->=3.11}" .venv
	@$(UV) pip sync --quiet --require-hashes --python .venv/bin/python requirements-dev.txt
	@touch $@

.tools/bin/uv:
	@$(PYTHON) -m venv .tools >/dev/null 2>&1 || { \
		echo "error: $(PYTHON) cannot make a virtual environment; install python3-venv, or uv itself" >&2; exit 1; }
	@.tools/bin/pip install --quiet uv
