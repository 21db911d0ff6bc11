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

.PHONY: help build build-all demo lab lab-down lab-kernel test test-unit test-long hazard e2e e2e-faults bench-apply fuzz lint generate clean

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

demo: build ## boot a fabric (FABRIC=cumulus: another), allocate machines, prove reachability and isolation, print the receipts
	$(BIN)/lab demo $(TOPOLOGY)

lab: build ## boot the same fabric and keep it up to play with (Ctrl-C ends it)
	$(BIN)/lab up --control-plane $(TOPOLOGY)

lab-down: ## end a lab that runs in the background
	$(BIN)/lab down

test: lab-kernel test-unit e2e ## run all tests but those of test-long and e2e-faults

lab-kernel: ## build the lab's own kernel, with nftables, into the user's cache (minutes, once; no compiler needed)
	@mkdir -p $(BIN)
	$(GOBUILD) -o $(BIN)/lab ./test/lab/cmd/lab
	$(BIN)/lab kernel

# Where ports are moved at random: by a script of rows, and by the agent. make test makes 60 moves of each.
HAZARDS := ./test/lab/swstate/guest ./agent/internal/system/sonic

# What takes minutes by itself is left out of `make test`, out loud: a fabric inside a guest inside a guest, and the suite of all network
# OSes where it restarts the agent at every step, or has every write fail, through SONiC's daemons; on Cumulus, whose ifupdown2 takes seconds
# for each answer, the whole of it.
SLOW_OSES := ./agent/internal/system/cumulus ./agent/internal/system/sonic
UNIT_LONG := ^TestNative$$
OSES_LONG := ^TestConformance$$/^(restart|each)

test-unit: ## unit, property, fuzz-seed, golden and guest tests, with FRR 8.4.4 and 10.3
	@echo "left out: long: TestNative; the conformance suite on Cumulus, and its restarts and failing writes on SONiC (make test-long runs them)"
	go test -timeout 15m -skip '$(UNIT_LONG)' $$(go list ./... | grep -v -e /test/e2e -e /system/cumulus$$ -e /system/sonic$$)
	go test -timeout 15m -skip '$(OSES_LONG)' ./agent/internal/system/sonic
	go test -timeout 15m -skip '^TestConformance$$' ./agent/internal/system/cumulus

test-long: build ## what make test leaves out for want of time: the native lab in a guest, the whole suite on Cumulus and SONiC
	go test -count=1 -timeout 30m -run '$(UNIT_LONG)' ./test/lab
	go test -count=1 -timeout 90m -run '^TestConformance$$' $(SLOW_OSES)

hazard: ## 500 random port moves on a SONiC switch, 16 at once, through delays of seconds; prints its seed
	POINTSMAN_HAZARD_MOVES=500 go test -count=1 -timeout 60m -v -run '^TestHazard' $(HAZARDS)

# A guest has one processor, so the scripts run in two halves at once, each on a fabric of its own: the first half has a border of its own,
# the second has etcd away for $(ETCD_AWAY).
E2E_FIRST := ^Test(HundredMoves|AgentKilledInTheMiddle|Border|HotPlug|ForeignSpeakers|SelfProtection)$$
ETCD_AWAY ?= 5m
# What destroys switches and cuts links, with bounds on what that may cost, is left out of `make test`, out loud: beside a second fabric the
# guest stands still for a second now and then, and the bounds are seconds.
E2E_FAULTS := ^Test(LeafFaults|SpineFaults|CutLinks)$$

e2e: build ## the end-to-end scripts, in two halves at once
	@mkdir -p out
	@echo "left out: LeafFaults, SpineFaults, CutLinks (make e2e-faults runs them); the second half writes to out/e2e-second.log, shown at the end"
	@POINTSMAN_ETCD_AWAY=$(ETCD_AWAY) go test -count=1 -timeout 60m -v -skip '$(E2E_FIRST)|$(E2E_FAULTS)' $(E2E) >out/e2e-second.log 2>&1 & second=$$!; \
	first=0; go test -count=1 -timeout 60m -v -run '$(E2E_FIRST)' $(E2E) || first=$$?; \
	rest=0; wait $$second || rest=$$?; cat out/e2e-second.log; exit $$((first | rest))

e2e-faults: build ## switches destroyed, frozen and black-holing, links cut: what it costs, against bounds
	go test -count=1 -timeout 60m -v -run '$(E2E_FAULTS)' $(E2E)

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
