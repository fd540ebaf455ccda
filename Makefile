# Every target sets up what it needs. `make serve` and `make test` are all a newcomer has to know.
# Variables: HOST and PORT (where to serve), MODELS (a folder of products; empty = the demo products), SUITE (of fidelity), ARGS
# (passed on), PYTHON.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup browser serve test check gates emulate fuzz bench fidelity image peers goldens lock clean

HOST ?= 127.0.0.1
PORT ?= 8080
MODELS ?=
DEMO := .cache/demo
SUITE ?= ../shared/testdata/fidelity
ARGS ?=

# Another HOST is asked for on purpose: then whoever reaches it may look. `make serve ARGS="--auth keys.json"` asks for tokens.
OPEN := $(if $(filter-out 127.0.0.1 localhost ::1,$(HOST)),--open)

BIN := .venv/bin

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

setup:  ## only the set-up: system libraries where missing, and .venv
	@scripts/setup.sh

browser:
	@scripts/setup.sh browser

serve: setup  ## serve the demo products, or MODELS=folder, at http://HOST:PORT
	@$(if $(MODELS),:,$(BIN)/vitrine demo --output $(DEMO) >/dev/null)
	@$(BIN)/vitrine serve --host $(HOST) --port $(PORT) --models '$(or $(MODELS),$(DEMO))' $(OPEN) $(ARGS)

test: browser  ## every test (ARGS="-k name" for some)
	@$(BIN)/pytest $(ARGS)

check: setup  ## ruff, mypy --strict, the import walls, the viewer's syntax
	@scripts/check.sh

fuzz: setup  ## 20,000 hostile models through the reader; it must refuse each or show it
	@$(BIN)/python -m tests.fuzz $(ARGS)

bench: browser  ## latency against the plain stack, interleaved; JSON and a plot
	@$(BIN)/vitrine bench latency $(ARGS)

fidelity: setup  ## SUITE=folder: pictures against a path tracer's and peers'; a report in out/fidelity
	@$(BIN)/vitrine bench fidelity --suite '$(SUITE)' -o out/fidelity $(ARGS)

image: setup  ## a render host's image, booted in a container and asked to do its work (root; ARGS=--gpu: the driver, too)
	@$(BIN)/python -m tests.infra.image $(ARGS)

gates:  ## every gate over the CloudFormation templates (ARGS="--only guard FILE" for some)
	@scripts/gates.sh $(ARGS)

emulate:  ## deploy the templates into an emulator of AWS and compare what came of them
	@scripts/emulate.sh $(ARGS)

peers: setup  ## Filament and Blender's Cycles in .venv-peers, to draw what a suite lacks (400 MB)
	@test -x .venv-peers/bin/python || $(BIN)/python -m venv --without-pip .venv-peers
	@$(BIN)/python -m pip --python .venv-peers/bin/python install --quiet --group peers

goldens: setup  ## draw the golden images anew; look at them before you commit
	@$(BIN)/pytest tests/golden --update-goldens $(ARGS)

lock: setup  ## write requirements*.txt from what .venv holds
	@$(BIN)/python scripts/lock.py

clean:  ## remove what was generated, .venv included
	rm -rf .venv .venv-peers .venv-cloud .venv-emulator .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist *.egg-info
