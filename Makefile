# `make help` lists the targets. Each is a script or a CMake preset that can be run without make.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@printf 'Omni Connection Operator. On Debian 12, as root or with sudo:\n\n'
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nmake demo and make test need nothing before them: they install what is missing.\n'

.PHONY: deps
deps: ## install the Debian packages that are missing
	@scripts/deps.sh

.PHONY: build
build: deps ## build the operator and omni-emulator into build/release/bin
	@scripts/build.sh release

.PHONY: demo
demo: build ## show it at work on a real control plane (KEEP=1: leave it running)
	@scripts/demo.sh

.PHONY: test
test: deps ## build and run all tests, with sanitizers too
	@scripts/test.sh

.PHONY: lint
lint: deps ## formatting, clang-tidy, house rules, shell, Python, YAML
	@scripts/lint.sh

.PHONY: image
image: deps ## build the container image into build/image, with no container engine
	@scripts/image.sh

.PHONY: fuzz-smoke
fuzz-smoke: deps ## fuzz what reads input from outside, 20 s each
	@scripts/fuzz.sh

.PHONY: soak
soak: deps ## how the rate limit is kept and used, in real time at 60 a minute: 15 minutes
	@scripts/soak.sh

.PHONY: bench
bench: deps ## how fast and how light it is, as ratios (PEER=COMMAND: beside another operator)
	@scripts/bench.sh

.PHONY: format
format: deps ## format all C++ in place
	@scripts/lint.sh --format

.PHONY: clean
clean: ## remove build/
	rm -rf build
