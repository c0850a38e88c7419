# Serverless: run functions on Kubernetes. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One set of build settings everywhere: the images are reproducible, and what
# one target compiled the next one finds in the Go build cache.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath -buildvcs=false

BUILD := build
BIN := $(BUILD)/bin

# Where images are pushed to and pulled from, and their tag.
IMG_REGISTRY ?= europe-docker.pkg.dev/kyma-project/prod
IMG_TAG ?= main
# The operator's image.
IMG ?= $(IMG_REGISTRY)/serverless-operator:$(IMG_TAG)

##@ General

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} /^[a-zA-Z0-9_-]+:.*##/ {printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
