# Everything a developer runs. `make test` installs what is missing.

GO ?= go
LDFLAGS := -s -w -buildid=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: demo demo-page quick test simulate mutants crash long bench screens build deb clean

demo: ## a whole building without hardware
	$(GO) run ./cmd/gatesim demo

demo-page: ## a house with its page for a browser on this machine, until Ctrl-C; no root, no network
	$(GO) run ./cmd/gatesim page

quick: ## vet, and the tests of what changed, within two minutes
	.ci/quick

test: ## every test, on the parts that this machine has or can install
	.ci/test

simulate: ## 2,000 seeds of three days of a building and its registry, in virtual time
	$(GO) build -o bin/gatesim ./cmd/gatesim
	bin/gatesim simulate --seeds 2000 --days 3

mutants: ## breaks one rule after the other, and shows that the simulation finds each
	.ci/mutants

crash: ## the full crash proof of the journal: about an hour
	.ci/crash

long: ## what only a night has time for: all of the above but the tests, a million mandates, and long fuzzing
	.ci/long

bench: ## the figures of docs/benchmarks.md
	.ci/bench

screens: ## the pictures of docs/screens, in Chromium
	GATEHOUSE_SCREENS=$(CURDIR)/docs/screens $(GO) test -count=1 -run '^Test(Setup)?Screens' ./internal/web ./cmd/gatehouse-page

build: ## stripped programs for this machine in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS) -X main.version=$(VERSION)' -o bin/ ./cmd/...

deb: ## the packages gatehouse and gatehouse-registry for amd64, arm64 and armhf in bin/
	packaging/deb/build bin

clean:
	rm -rf bin
