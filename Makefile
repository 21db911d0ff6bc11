# `make` lists the targets. Nothing here needs root: Debian packages for the lab are unpacked into the user's cache.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export CGO_ENABLED := 0
BIN := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/pointsman/pointsman/pkg/version.Version=$(VERSION)
GOBUILD := go build -trimpath -ldflags '$(LDFLAGS)'
TOOL := go tool -modfile=tools/go.mod
# The packages of the fabric tests; everything else is test-unit.
E2E := ./test/e2e/...

.PHONY: help build build-all demo lab lab-down lab-kernel test test-unit test-long hazard e2e e2e-parts e2e-faults e2e-others e2e-short bench-apply fuzz lint generate clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build pointsman-agent, pointsman-controlplane, pointsmanctl and the lab into bin/
	@mkdir -p $(BIN)
	$(GOBUILD) -o $(BIN)/pointsman-agent ./agent
	$(GOBUILD) -o $(BIN)/pointsman-controlplane ./controlplane
	$(GOBUILD) -o $(BIN)/pointsmanctl ./pointsmanctl
	$(GOBUILD) -o $(BIN)/lab ./test/lab/cmd/lab

build-all: ## build the three programs for linux/amd64 and linux/arm64 into bin/<arch>/
	@for arch in amd64 arm64; do mkdir -p $(BIN)/$$arch; \
	  for p in agent controlplane pointsmanctl; do n=$$p; [ $$p = pointsmanctl ] || n=pointsman-$$p; \
	    echo "linux/$$arch $$n"; GOOS=linux GOARCH=$$arch $(GOBUILD) -o $(BIN)/$$arch/$$n ./$$p; done; done

# A topology of test/lab/topologies by its name; empty is the default fabric.
FABRIC ?=
TOPOLOGY := $(if $(FABRIC),-f test/lab/topologies/$(FABRIC).yaml)

demo: build ## boot a fabric (FABRIC=linux, sonic or cumulus: another), allocate machines, prove reachability and isolation, print the receipts
	$(BIN)/lab demo $(TOPOLOGY)

lab: build ## boot the same fabric and keep it up to play with (Ctrl-C ends it)
	$(BIN)/lab up --control-plane $(TOPOLOGY)

lab-down: ## end a lab that runs in the background
	$(BIN)/lab down

# Commands beside each other.
LANES := tools/lanes.sh out

test: lab-kernel test-unit e2e ## run all tests but those of test-long

lab-kernel: ## build the lab's own kernel, with nftables, into the user's cache (minutes, once; no compiler needed)
	@mkdir -p $(BIN)
	$(GOBUILD) -o $(BIN)/lab ./test/lab/cmd/lab
	$(BIN)/lab kernel

# Where ports are moved at random: by a script of rows, and by the agent. make test makes 60 moves of each.
SONIC := ./agent/internal/system/sonic
HAZARDS := ./test/lab/swstate/guest $(SONIC)

# What takes minutes by itself is left out of `make test`, out loud: a fabric inside a guest inside a guest. The suite of all network OSes
# kills the agent at every step and has every write fail; on Cumulus and SONiC, which take long for a step, at every fourth
# (conformance.Sampled), unless POINTSMAN_LONG is set.
SLOW_OSES := ./agent/internal/system/cumulus $(SONIC)
UNIT_LONG := ^TestNative$$

# Tests with FRR run on 8.4.4 and on 10.3. What takes longest begins first; SONiC's tests, which mostly wait, run in two parts beside the others.
UNIT_FIRST := ./agent/internal/system/linux
UNIT_TEST := go test -timeout 30m
test-unit: ## unit, property, fuzz-seed, golden and guest tests, with FRR 8.4.4 and 10.3
	@echo "left out: TestNative; of the conformance suite on Cumulus and SONiC, restarts and failing writes but at every fourth step (make test-long runs them)"
	@$(LANES) "unit-sonic=$(UNIT_TEST) -skip '^TestConformance$$' $(SONIC)" "unit-sonic-conformance=$(UNIT_TEST) -run '^TestConformance$$' $(SONIC)" \
	  "unit=$(UNIT_TEST) -p 3 -skip '$(UNIT_LONG)' \$$(go list $(UNIT_FIRST); go list ./... | grep -v /test/e2e | grep -vxF \"\$$(go list $(SONIC) $(UNIT_FIRST))\")"

test-long: build ## what make test leaves out: the native lab in a guest, the whole suite on Cumulus and SONiC
	go test -count=1 -timeout 30m -run '$(UNIT_LONG)' ./test/lab
	POINTSMAN_LONG=1 go test -count=1 -timeout 90m -run '^TestConformance$$' $(SLOW_OSES)

hazard: ## 500 random port moves on a SONiC switch, 16 at once, through delays of seconds; prints its seed
	POINTSMAN_HAZARD_MOVES=500 go test -count=1 -timeout 60m -v -run '^TestHazard' $(HAZARDS)

# A guest has one processor, so the scripts run in three parts at once, each on fabrics of its own; the third has the one that does
# little but wait while etcd is away for $(ETCD_AWAY). Switches that are destroyed and links that are cut have bounds of a second on what
# that may cost, and BFD at 200 ms notices what a host takes from the guest: they run after that, alone. A fabric's boot takes a processor
# for some 20 s, so they do not boot at once.
E2E_FIRST := ^Test(HundredMoves|Border|ForeignSpeakers)$$
E2E_THIRD := ^Test(ControlAway|ControlKilledInAllocation|AgentKilledInTheMiddle)$$
E2E_FAULTS := ^Test(LeafFaults|SpineFaults|CutLinks)$$
E2E_TEST := go test -count=1 -timeout 60m -v
ETCD_AWAY ?= 5m

# `make e2e FABRIC=linux`: scripts that ask for no topology of their own run on that one. The leaves of the default fabric run SONiC and
# Cumulus Linux, and so do those of the fabrics of the border, the speakers and the faults.
e2e-parts e2e-faults: export POINTSMAN_FABRIC ?= $(FABRIC)

e2e: e2e-parts e2e-faults $(if $(FABRIC),,e2e-others) ## the end-to-end scripts; with FABRIC=linux, sonic or cumulus all of them on that one

e2e-parts: export POINTSMAN_ETCD_AWAY := $(ETCD_AWAY)
e2e-parts: build
	@STAGGER=25 $(LANES) "e2e-first=$(E2E_TEST) -run '$(E2E_FIRST)' $(E2E)" "e2e-second=$(E2E_TEST) -skip '$(E2E_FIRST)|$(E2E_THIRD)|$(E2E_FAULTS)' $(E2E)" \
	  "e2e-third=$(E2E_TEST) -run '$(E2E_THIRD)' $(E2E)"

e2e-faults: build ## switches destroyed, frozen and black-holing, links cut: what it costs, against bounds
	$(E2E_TEST) -run '$(E2E_FAULTS)' $(E2E)

E2E_SHORT := ^Test(Reach|ReleaseLeavesNoTrace|SecondPassIsSilent)$$
short = POINTSMAN_FABRIC=$(1) $(E2E_TEST) -run '$(E2E_SHORT)' $(E2E)

e2e-others: build ## the short end-to-end scripts on the fabrics of one network OS each
	@$(LANES) "e2e-sonic=$(call short,sonic)" "e2e-linux-cumulus=$(call short,linux) && $(call short,cumulus)"

e2e-short: export POINTSMAN_FABRIC ?= $(FABRIC)
e2e-short: build ## the short end-to-end scripts, on another fabric with FABRIC=linux, sonic or cumulus
	$(E2E_TEST) -run '$(E2E_SHORT)' $(E2E)

bench-apply: ## measure what changes cost against frr-reload.py, ifreload and metal-core; write bench/out/apply.json
	@mkdir -p $(BIN)
	go build -trimpath -o $(BIN)/bench-apply ./agent/internal/bench
	$(BIN)/bench-apply -out bench/out

FUZZTIME ?= 10s
fuzz: ## fuzz every parser of outside bytes for FUZZTIME each
	@for pkg in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz' || true); do \
	  echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; done; done

lint: ## gofmt, go vet and golangci-lint
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(TOOL) golangci-lint run ./...

generate: ## regenerate pkg/api from its protos
	tools/generate.sh

clean: ## remove what was built here (the user's cache stays)
	rm -rf $(BIN) out bench/out
