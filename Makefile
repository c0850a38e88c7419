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

##@ On this machine

# The name of the local cluster; clusters of different names run side by side.
CLUSTER ?= local

.PHONY: run
run: tools ## Start a local Kubernetes with the module and an example Function, and call it.
	@$(BIN)/local --name $(CLUSTER) run

.PHONY: stop
stop: $(BIN)/cluster ## Stop the local Kubernetes; leaves nothing behind.
	@$(BIN)/cluster down --name $(CLUSTER)

.PHONY: test
test: tools ## Run all tests: generated code, units, API server, cluster, runtimes, end to end.
	@$(BIN)/testrun

.PHONY: test-unit
test-unit: tools ## Run the tests that need no cluster.
	@$(BIN)/testrun generated vet unit controllers nodejs python

.PHONY: test-e2e
test-e2e: tools ## Run the end-to-end specs on a cluster of their own.
	@$(BIN)/testrun e2e

.PHONY: bench
bench: tools ## Measure what users wait for, each next to its floor (BENCH="NAME..." for some only); figures go to build/bench.json.
	@$(BIN)/local --name $(CLUSTER) up
	@KUBECONFIG=$$($(BIN)/cluster kubeconfig --name $(CLUSTER)) go run ./tests/bench $(BENCH)

.PHONY: verify-generated
verify-generated: ## Check that generated code is what the sources give.
	@before=$$(git status --porcelain=v1 && git diff | sha256sum); $(MAKE) --no-print-directory generate manifests module-scan-config; \
	after=$$(git status --porcelain=v1 && git diff | sha256sum); \
	if [ "$$before" != "$$after" ]; then git --no-pager diff --stat; echo "generated code is out of date: run make generate manifests module-scan-config and commit"; exit 1; fi

# The programs that these targets run. Go decides what has to be built anew.
.PHONY: tools
tools: $(BIN)/cluster $(BIN)/images $(BIN)/manifest $(BIN)/local $(BIN)/testrun $(BIN)/module

.PHONY: $(BIN)/cluster
$(BIN)/cluster:
	@go build -C tests/cluster -o $(CURDIR)/$@ .

.PHONY: $(BIN)/images $(BIN)/manifest $(BIN)/local $(BIN)/testrun $(BIN)/module
$(BIN)/images $(BIN)/manifest $(BIN)/local $(BIN)/testrun $(BIN)/module: $(BIN)/%:
	@go build -o $@ ./tools/$*

##@ Development

.PHONY: generate
generate: ## Generate the Go code of the API types.
	go tool controller-gen object paths=./api/...

# The operator installs the Function CRD with its chart.
.PHONY: manifests
manifests: ## Generate the CRDs.
	go tool controller-gen crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	cp config/crd/bases/serverless.kyma-project.io_functions.yaml charts/serverless/crds/

.PHONY: fmt
fmt: ## Format the Go code.
	go fmt ./...

.PHONY: vet
vet: ## Look for mistakes in the Go code.
	go vet ./...

.PHONY: build
build: ## Compile the programs to build/bin.
	mkdir -p $(BIN)
	go build -o $(BIN)/ ./cmd/...

##@ Kyma module

# The version of the module; without one, that of module-config.yaml.
VERSION ?=
# Where the bundle is pushed to, as HOST[:PORT][/PATH]; without one it is an OCI layout only.
MODULE_REGISTRY ?=
# The output of the images program, for the digests of the images.
IMG_DIGESTS ?=
MODULE := $(BUILD)/module

.PHONY: module
module: $(BIN)/module ## Make the Kyma module in build/module (VERSION, IMG_REGISTRY, IMG_DIGESTS), and push it (MODULE_REGISTRY).
	@$(BIN)/module create --output $(MODULE) --images "$(IMG_REGISTRY)" --version "$(VERSION)" --registry "$(MODULE_REGISTRY)" --digests "$(IMG_DIGESTS)" --assets-url "$(ASSETS_URL)"

# Where the assets of the version will be, as an https URL; community users install from there.
ASSETS_URL ?=
# A key in PEM: the private one to sign with, the public one to verify with; none: neither.
KEY ?=

.PHONY: module-verify
module-verify: $(BIN)/module ## Read the module back, and check each rule that Kyma applies, and its signature (VERSION, MODULE_REGISTRY, KEY).
	@$(BIN)/module verify --version "$(VERSION)" --key "$(KEY)" $(if $(MODULE_REGISTRY),--registry "$(MODULE_REGISTRY)",--layout $(MODULE)/oci)

.PHONY: module-sign
module-sign: $(BIN)/module ## Sign the module, and the images of IMG_DIGESTS, as cosign does (VERSION, MODULE_REGISTRY, KEY).
	@$(BIN)/module sign --version "$(VERSION)" --key "$(KEY)" --registry "$(MODULE_REGISTRY)" --images "$(IMG_DIGESTS)"

# Platforms of a release.
PLATFORMS ?= linux/amd64,linux/arm64

.PHONY: release
release: $(BIN)/module $(BIN)/images ## Publish VERSION to IMG_REGISTRY from a commit with its tag: images, bundle, assets, checksums; signed with KEY.
	@$(BIN)/module release "$(VERSION)" --registry "$(IMG_REGISTRY)" --platform "$(PLATFORMS)" --key "$(KEY)" --assets-url "$(ASSETS_URL)"

.PHONY: release-dry-run
release-dry-run: $(BIN)/module $(BIN)/images ## Do what release does, with a registry of its own and for this machine only.
	@$(BIN)/module release "$(or $(VERSION),0.0.0-dev)" --dry-run

.PHONY: module-scan-config
module-scan-config: $(BIN)/module ## Write sec-scanners-config.yaml with the images of the operator's manifest.
	@$(BIN)/module scan-config --images europe-docker.pkg.dev/kyma-project/prod

##@ Deployment (with the kubectl and the kubeconfig of your own)

MANIFEST := $(BUILD)/serverless-operator.yaml

.PHONY: render-manifest
render-manifest: ## Render the manifest that installs the operator.
	mkdir -p $(BUILD)
	go run ./tools/manifest --registry $(IMG_REGISTRY) --tag $(IMG_TAG) --operator-image $(IMG) > $(MANIFEST)

.PHONY: install
install: manifests ## Install the Serverless CRD.
	kubectl apply --server-side -f config/crd/bases/operator.kyma-project.io_serverlesses.yaml

.PHONY: uninstall
uninstall: ## Remove the Serverless CRD; the operator uninstalls the module first.
	kubectl delete --ignore-not-found -f config/crd/bases/operator.kyma-project.io_serverlesses.yaml

.PHONY: deploy
deploy: manifests render-manifest ## Install the operator (IMG_REGISTRY, IMG_TAG, IMG).
	kubectl get namespace kyma-system >/dev/null 2>&1 || kubectl create namespace kyma-system
	kubectl apply --server-side -f $(MANIFEST)

.PHONY: undeploy
undeploy: render-manifest ## Uninstall the module and the operator.
	! kubectl get crd serverlesses.operator.kyma-project.io >/dev/null 2>&1 || kubectl delete --all-namespaces --all serverlesses.operator.kyma-project.io
	kubectl delete --ignore-not-found -f $(MANIFEST)
