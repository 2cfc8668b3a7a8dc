# MUTT. The two commands that matter: 'make run' and 'make test'. 'make help' lists the rest.
SHELL := /bin/bash
GO ?= go
BIN := bin/mutt
LDFLAGS := -s -w
# What the tests must not quietly do without.
export MUTT_TEST_REQUIRE ?= 1
# A count, not a duration: a run cut off by its deadline may report that as a failure (golang/go#75804).
FUZZTIME ?= 20000x
RUNS ?= 10
MINUTES ?= 2
RATE ?= 0

# what the binary may have; docs/performance.md
MOST_BYTES := 55000000

.PHONY: help run build generate screenshots test test-quick verify fuzz bench bench-once bench-console kill chaos rotations install-tools vault-server clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## build bin/mutt, static and stripped
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) .
	@test $$(wc -c < $(BIN)) -lt $(MOST_BYTES) || { echo '$(BIN) has more than $(MOST_BYTES) bytes' >&2; exit 1; }

generate: ## make the Go files of the console's templates; a test holds them to be fresh
	cd modules/ui/internal/page && $(GO) tool templ generate -log-level error

screenshots: ## write every page of the console, both themes, 1440 and 390 px wide, into build/screenshots
	MUTT_SCREENSHOTS=$(CURDIR)/build/screenshots $(GO) test -count=1 -run '^TestScreenshots$$' ./modules/ui

run: build ## run the whole pipeline with a demonstration source and sink; Ctrl-C ends it
	$(BIN) demo

# The embedded SQLite is C translated to Go. Checking its pointers (checkptr, which -race turns on) makes it about five times as slow and looks at
# no code of ours.
RACE = -race -gcflags='modernc.org/...=-d=checkptr=0'

test: install-tools vault-server verify ## everything: checks, all tests under the race detector, fuzz targets and benchmarks once
	$(GO) test $(RACE) -timeout 40m ./...
	$(MAKE) fuzz bench-once

test-quick: vault-server ## the tests without the race detector
	$(GO) test ./...

verify: ## formatting, vet, generated files, the embedded SQLite's libc version
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt would change: $$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod verify

fuzz: ## run every fuzz target for FUZZTIME
	@set -e; for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -h '^func Fuzz' $$pkg/*_test.go | sed -E 's/func (Fuzz[A-Za-z0-9_]*).*/\1/'); do \
	    echo "fuzz $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; done; done

bench-once: ## run every benchmark once, so that none rots
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...

bench: ## measure the figures of docs/performance.md (takes some minutes; quiet machine)
	$(GO) test -run '^$$' -bench . -benchtime 1s ./platform/... ./modules/...
	MUTT_BENCH=full $(GO) test -run '^$$' -bench . -benchtime 1x -count 5 -timeout 60m ./app/bench

bench-console: ## measure the console with 1,000 rules and 10 million audit rows, and what live pages cost (docs/performance.md; half an hour)
	MUTT_BENCH=full $(GO) test -run '^$$' -bench '^BenchmarkConsole' -benchtime 1x -timeout 90m ./app/bench

kill: build ## the kill test, RUNS times in a row
	$(GO) test -count=$(RUNS) -timeout 60m -run 'TestKill' ./app/acceptance -v

chaos: ## the kill matrix with outages of a minute and MINUTES of further faults at random, RUNS times in a row
	MUTT_TEST_CHAOS_MINUTES=$(MINUTES) $(GO) test -count=$(RUNS) -timeout 0 -run 'TestMatrix' ./app/acceptance -v

rotations: RUNS = 20
rotations: ## rotate both passwords RUNS times under RATE events/s, 0 for half of what the machine takes; prints the figures of docs/performance.md
	MUTT_TEST_ROTATIONS=$(RUNS) MUTT_TEST_ROTATION_RATE=$(RATE) $(GO) test -count=1 -timeout 0 -run 'TestRotations$$' ./app/acceptance -v

install-tools: ## install what the tests need from Debian's packages when it is missing
	@.ci/install

vault-server: ## build the Vault server of the tests (minutes, once), so that no test waits for it
	$(GO) test -timeout 20m -run '^TestVaultServer$$' ./platform/testkit

clean: ## remove what was built
	rm -rf bin build
