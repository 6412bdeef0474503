# `make help` lists the targets. Each is a script or a CMake preset that can be run without make.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@printf 'Omni Connection Operator. On Debian 12, as root or with sudo:\n\n'
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nNone needs another before it: each installs the Debian packages that it misses.\n'

.PHONY: deps
deps: ## install the Debian packages that are missing, of all targets
	@scripts/deps.sh

.PHONY: build
build: ## build the operator and omni-emulator into build/release/bin
	@scripts/deps.sh build
	@scripts/build.sh release omni-connection-operator omni-emulator

.PHONY: demo
demo: ## show it at work on a real control plane (KEEP=1: leave it running)
	@scripts/demo.sh

.PHONY: test
test: ## build and run what a change has to pass at once: 4 minutes, 15 from nothing
	@scripts/test.sh

.PHONY: test-all
test-all: ## and what takes long: thousands of seeds, sanitizers, chaos, the image: an hour
	@scripts/test_all.sh

.PHONY: lint
lint: ## formatting, clang-tidy, house rules, shell, Python, YAML
	@scripts/deps.sh build lint
	@scripts/lint.sh

.PHONY: image
image: ## build the container image into build/image, with no container engine
	@scripts/deps.sh image
	@scripts/image.sh

.PHONY: fuzz-smoke
fuzz-smoke: ## fuzz what reads input from outside, 20 s each
	@scripts/deps.sh build sanitize
	@scripts/fuzz.sh

.PHONY: soak
soak: ## how the rate limit is kept and used, in real time at 60 a minute: 15 minutes
	@scripts/deps.sh build test
	@scripts/soak.sh

.PHONY: bench
bench: ## how fast and how light it is, as ratios (PEER=COMMAND: beside another operator)
	@scripts/deps.sh build test
	@scripts/bench.sh

.PHONY: format
format: ## format all C++ in place
	@scripts/deps.sh lint
	@scripts/lint.sh --format

.PHONY: clean
clean: ## remove build/
	rm -rf build
