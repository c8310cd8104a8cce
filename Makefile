# make            build bin/weir and a link for every program beside it
# make install    into $(DESTDIR)$(PREFIX) and $(DESTDIR)/etc, as Debian's packages lay things out: packaging/
# make demo       real packets between network namespaces, on this machine
# make test       everything CI runs, but for the ratchet over the peer's suite
# make soak       ten minutes of random changes under traffic; SOAK=1m for a short one
# make kernels    tests of the data paths under Debian's kernels, in virtual machines; KERNELS="6.12 6.17" for some
# make bench      the three below, one after the other: ten to twenty minutes
# make bench-ovsdb  our database server beside Debian's, as ratios
# make bench-openflow  our switch's tables and ovs-ofctl beside Debian's, as ratios
# make bench-datapath  our data paths beside veth, a Linux bridge and Debian's Open vSwitch, as ratios
DESTDIR ?=
PREFIX ?= /usr/local
GO ?= go
export CGO_ENABLED ?= 0

.PHONY: all build install demo test check unit blackbox properties soak kernels bench bench-datapath bench-ovsdb bench-openflow clean
all: build

build:
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '-s -w' -o bin/weir ./cmd/weir
	@for name in $$(bin/weir --programs); do ln -sf weir bin/$$name; done

install: build
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install

demo:
	scripts/install-packages demo
	$(MAKE) build
	bin/weir demo

test:
	scripts/install-packages test
	$(MAKE) build
	$(MAKE) check unit blackbox

# Formatting, vet, staticcheck and the floors.
check:
	@echo '== gofmt, vet, staticcheck, floors'
	@unformatted=$$(gofmt -l cmd internal schema test); \
	  test -z "$$unformatted" || { echo "gofmt -w these: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test ./test/floors

UNITS = ./cmd/... ./internal/... ./schema/... ./test/alone ./test/report
# Packages with tests on random values. They have one seed in `make unit`: what
# fails there is the change's doing.
PROPERTIES = $(shell grep -rl --include='*_test.go' pgregory.net/rapid internal | xargs -n1 dirname | sort -u | sed 's|^|weir/|')

# The race detector needs cgo; the programs themselves never do. A slow machine has
# its time: that of a package ends what hangs, nothing else.
unit:
	@echo '== unit tests, with the race detector'
	CGO_ENABLED=1 $(GO) run ./test/report $(GO) test -race -timeout 30m $$($(GO) list $(UNITS) | grep -vxF "$$(printf "%s\n" $(PROPERTIES))")
	CGO_ENABLED=1 $(GO) run ./test/report $(GO) test -race -timeout 30m $(PROPERTIES) -rapid.seed=1
	@echo '== what a build with cgo cannot do: changing the user'
	CGO_ENABLED=0 $(GO) run ./test/report $(GO) test ./internal/daemon

# Other random values at each run, and many.
properties:
	$(GO) test -count=1 $(PROPERTIES) -rapid.checks=1000

# The programs from the outside: command lines, real packets, Debian's C programs.
blackbox: build
	@echo '== script, namespace, interop and reliability tests'
	$(GO) run ./test/report $(GO) test -count=1 -p 1 -timeout 30m ./test/script/... ./test/install/... ./test/netns/... ./test/packets/... ./test/differential/... ./test/interop/... ./test/reliability/...
	cd test/interop/libovsdb && $(GO) vet ./... && $(GO) test -count=1 ./...

# Needs root; leaves nothing behind, which is part of what it checks.
SOAK ?= 10m
soak:
	WEIR_SOAK=$(SOAK) $(GO) test -count=1 -timeout 30m -run Soak -v ./internal/datapath/ebpf

# Needs root; see test/kernels/run.
KERNELS ?=
kernels: build
	scripts/install-packages kernels
	test/kernels/run $(KERNELS)

bench: bench-datapath bench-ovsdb bench-openflow

bench-ovsdb: build
	scripts/install-packages test
	$(GO) run ./test/bench/ovsdb

bench-openflow: build
	scripts/install-packages test
	$(GO) run ./test/bench/openflow

bench-datapath: build
	scripts/install-packages test
	$(GO) run ./test/bench/datapath -json bench-datapath.json -svg docs/performance-datapath.svg

clean:
	rm -rf bin
