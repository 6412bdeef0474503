# `make help` lists the targets. Each is a script or a CMake preset that also runs without make.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@printf 'Omni Connection Operator. On Debian 12, as root or with sudo:\n\n'
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nEach target runs on its own and installs missing Debian packages.\n'

.PHONY: deps
deps: ## install missing Debian packages for all targets
	@scripts/deps.sh

.PHONY: build
build: ## build the operator and omni-emulator into build/release/bin
	@scripts/deps.sh build
	@scripts/build.sh release omni-connection-operator omni-emulator

.PHONY: demo
demo: ## show the operator on a real control plane (KEEP=1: leave it running)
	@scripts/demo.sh

.PHONY: test
test: ## build and run the tests that every change must pass: 4 minutes, 15 the first time
	@scripts/test.sh

.PHONY: test-all
test-all: ## run the long tests: thousands of seeds, sanitizers, chaos, the image: an hour
	@scripts/test_all.sh

.PHONY: lint
lint: ## check formatting, clang-tidy, house rules, shell, Python, YAML
	@scripts/deps.sh build lint
	@scripts/lint.sh

.PHONY: image
image: ## build the container image into build/image, without a container engine
	@scripts/deps.sh image
	@scripts/image.sh

.PHONY: fuzz-smoke
fuzz-smoke: ## fuzz the parsers of outside input, 20 s each
	@scripts/deps.sh build sanitize
	@scripts/fuzz.sh

.PHONY: soak
soak: ## test the rate limit in real time at 60 requests a minute: 15 minutes
	@scripts/deps.sh build test
	@scripts/soak.sh

.PHONY: bench
bench: ## measure speed and memory, as ratios (PEER=COMMAND: compare another operator)
	@scripts/deps.sh build test
	@scripts/bench.sh

.PHONY: format
format: ## format all C++ in place
	@scripts/deps.sh lint
	@scripts/lint.sh --format

.PHONY: clean
clean: ## remove build/
	rm -rf build
