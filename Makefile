# Namecast: build, show, test.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.3.0
FUZZTIME    = 60s
TIME        = 1h
SEEDS       = 1000000
ENDURE      = 30m
TRIALS      = 240
LAB         = 30
PREFIX      = /usr/local
ONCE        =

.PHONY: all demo test tools check race vuln cover fuzz sim model hostile bench bench-short bench-check bench-million bench-chain bench-chain-short bench-paper peer-figures peer-lab trial lab endure profile install clean

all:
	@mkdir -p bin
	go build -o bin ./cmd/...

# A node on this machine, a key, an update, an answer: see the commands run.
demo: all
	@go build -o bin/ask ./t/ask
	@ONCE=$(ONCE) sh t/demo.sh

# Everything that has to hold. Peers come from the distribution's packages
# where that is allowed; what is missing is said, and its tests skip.
test: tools check race vuln bench-check
	@$(MAKE) -s demo ONCE=1 >/dev/null 2>&1 || { echo "make test: the demonstration failed; run make demo ONCE=1"; exit 1; }
	@echo "make test: all passed"

tools:
	@sh t/peers/install.sh

check:
	@test -z "$$(gofmt -l cmd lib t)" || { echo "gofmt needed:"; gofmt -l cmd lib t; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod verify

# The lab of nc-peer is a network of machines on this one, which it has for itself.
race:
	go test -race -timeout 30m $$(go list ./... | grep -v '/t/peer$$')
	go test -race -timeout 30m ./t/peer
	go test -run TestGoals ./lib/peer/sim

# The list of known vulnerabilities is on the network: without it, this says so.
vuln:
	@sh t/vuln.sh $(GOVULNCHECK)

cover:
	rm -rf bin/cover && mkdir -p bin/cover
	GOCOVERDIR=$(CURDIR)/bin/cover go test -count=1 ./t
	go tool covdata percent -i=bin/cover

# Every fuzz target in turn, FUZZTIME each.
fuzz:
	@sh t/fuzz.sh $(FUZZTIME)

# The chain in a simulated world, SEEDS times.
sim:
	go test -count=1 -timeout 0 -run TestSeeds ./lib/chain/sim -seeds $(SEEDS)

# nc-chain beside etcd: t/bench/chain -h has the rest.
bench-chain:
	@go run ./t/bench/chain

bench-chain-short:
	@go run ./t/bench/chain -short

# How a local network fares without its DNS server: figures F1 to F6 of thousands of
# simulated machines.
peer-figures:
	go run ./t/peer/figures -o $(CURDIR)/t/peer/results

# nc-peer as its users feel it, twenty real ones beside the simulator, and under load for
# TIME. Needs root, and a machine with nothing else to do.
peer-lab:
	go test -count=1 -v -timeout 0 -run TestGoals ./t/peer -args -trials 20 -judge -write $(CURDIR)/t/peer/results/goals.md
	go test -count=1 -v -timeout 0 -run TestSame ./t/peer -args -same -write $(CURDIR)/t/peer/results/same.md
	go test -count=1 -v -timeout 0 -run TestSoak ./t/peer -args -soak $(TIME)
	go test -count=1 -timeout 0 -run TestMany ./lib/peer/group -many 250

# The paper's figures 5 and 6, today.
bench-paper:
	go test -count=1 -v -timeout 0 ./t/bench/paper -args -time 10s -rounds 3 -write $(CURDIR)/t/bench/results/paper

# Faults done to real nodes of nc-chain, TRIALS of them; needs root.
trial:
	go test -count=1 -v -timeout 0 -run TestTrials ./t/trial -trials $(TRIALS)

# Every way in which an anycast node fails, before real routers, LAB times each; and
# an hour in which nothing may. Needs root, and a machine with nothing else to do.
lab:
	go test -count=1 -v -timeout 0 -run /table ./t/anycast -args -n $(LAB) -judge -write $(CURDIR)/t/anycast/results.md
	go test -count=1 -v -timeout 0 -run /soak ./t/anycast -args -soak $(TIME)

# A service whose storage nodes are killed, for ENDURE.
endure:
	go test -count=1 -timeout 0 ./t/endure -v -for $(ENDURE)

# Every state of a chain within larger bounds than the test has.
model:
	go test -count=1 -timeout 0 ./t/model -large

# Mutated packets against a running node, for TIME.
hostile:
	go test -count=1 -v -timeout 0 -run TestHostile ./t/hostile -args -time $(TIME)

# nc-serve beside NSD, Knot DNS, BIND and PowerDNS; tables and charts go to
# t/bench/results. bench-million takes at most two hours.
bench:
	@go run ./t/bench

bench-short:
	@go run ./t/bench -short

bench-million:
	@go run ./t/bench -accounts 1000000 -works mixed,uniform -servers echo,nc-serve,nsd,knot -limit 2h -name million

# Has nc-serve become slower beside NSD and Knot DNS than it was recorded?
bench-check:
	@go run ./t/bench -short -check t/bench/results/short.tsv

# Where nc-serve's time and memory go while it answers and takes updates.
profile:
	@go run ./t/bench -profile bin/profile

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 bin/nc-* $(DESTDIR)$(PREFIX)/bin
	install -m 755 cmd/nc-send/dynip.sh $(DESTDIR)$(PREFIX)/bin/nc-dynip
	DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) sh lib/systemd/install.sh

clean:
	rm -rf bin
