package t

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms says which rooms of lib each room may use; a tool may use any.
var rooms = map[string][]string{
	"cli":             {},
	"control":         {},
	"ndb":             {},
	"limit":           {},
	"rrl":             {"limit"},
	"cookie":          {},
	"rr":              {},
	"private":         {},
	"clock":           {},
	"ldb":             {},
	"ldb/ldbtest":     {"ldb"},
	"key":             {"ndb", "private"},
	"nup":             {"rr", "key"},
	"store":           {"rr"},
	"store/leveldb":   {"rr", "store", "ldb"},
	"store/craq":      {"rr", "store", "store/leveldb", "store/mirror", "chain", "chain/client"},
	"store/mirror":    {"store", "store/leveldb"},
	"store/mysql":     {"rr", "store", "store/leveldb", "store/mirror"},
	"store/storetest": {"rr", "store"},
	"dnssec":          {"rr", "ndb", "limit", "private"},
	"wire":            {"rr"},
	"cache":           {},
	"zone":            {"rr", "nup", "store", "dnssec", "wire"},
	"claim":           {"rr"},
	"client":          {"rr", "key", "nup"},
	"sock":            {},
	"update":          {"sock", "rr", "key", "nup", "store", "zone", "limit", "claim"},
	"serve":           {"sock", "rr", "store", "zone", "cookie", "rrl", "wire", "cache"},
	"ca":              {"ndb", "private", "clock"},
	"link":            {"ca", "chain", "chain/frame", "clock"},

	"chain":                    {},
	"chain/frame":              {"chain"},
	"chain/internal/safeguard": {},
	"chain/internal/memory":    {"chain", "chain/replica"},
	"chain/replica":            {"chain", "chain/internal/safeguard"},
	"chain/plan":               {"chain"},
	"chain/sim":                {},
	"chain/disk":               {"chain", "chain/replica", "ldb"},
	"chain/client":             {"chain", "chain/frame", "link", "clock"},
	"chain/host":               {"ca", "chain", "chain/frame", "chain/plan", "chain/replica", "link", "clock"},
	"chain/control":            {"chain", "chain/plan", "clock"},
	"coord":                    {"ca", "chain", "chain/plan", "chain/replica", "clock"},
	"storage":                  {"ca", "chain", "chain/client", "chain/control", "chain/disk", "chain/host", "chain/plan", "chain/replica", "cli", "clock", "control", "coord", "link", "private", "status"},

	"route":   {},
	"bfd":     {},
	"quorum":  {"key", "ndb"},
	"speaker": {"limit", "route"},
	"anycast": {"bfd", "cli", "limit", "ndb", "private", "quorum", "route", "speaker"},
	"watch":   {},
	"probe":   {"client", "key", "ndb", "nup", "rr"},
	"health":  {"cli", "clock", "control", "key", "ndb", "private", "probe", "quorum", "route", "status", "watch"},

	"resolve/upstream": {"rr"},
	"resolve/system":   {"ndb", "resolve/upstream", "rr"},
	"resolve/iterate":  {"clock", "rr"},
	"resolve/validate": {"rr"},
	"peer/packet":      {"ndb", "rr"},
	"peer/keep":        {"peer/packet", "rr"},
	"peer":             {"peer/keep", "peer/packet", "rr"},
	"peer/group":       {"peer", "peer/packet", "rr"},
	"peer/sim":         {"peer", "peer/group", "peer/keep", "peer/packet", "rr"},
	"peer/view":        {},
	"peer/host":        {"cli", "clock", "control", "ndb", "peer", "peer/group", "peer/keep", "peer/packet", "peer/view", "private", "resolve/iterate", "resolve/system", "resolve/upstream", "resolve/validate", "rr", "sock"},

	"status": {"nup", "serve", "store", "update"},
	"node":   {"cli", "control", "ndb", "rr", "key", "nup", "store", "store/leveldb", "dnssec", "zone", "claim", "limit", "cookie", "rrl", "update", "serve", "sock", "status", "private", "ca", "chain", "chain/client", "link", "store/craq", "store/mysql"},
}

// speakers are tests that talk to running nodes by the rooms that clients use.
var speakers = map[string][]string{
	"t/bench/chain":  {"ca", "chain", "chain/client", "chain/frame", "link", "key", "nup", "rr"},
	"t/bench/paper":  {"key", "nup", "rr"},
	"t/peer":         {"peer", "peer/group", "peer/packet", "peer/sim", "peer/view", "rr"},
	"t/peer/figures": {"peer/sim"},
	"t/trial":        {"ca", "chain", "chain/client", "link"},
}

// homes says which rooms alone may use a module of others, outside of tests.
var homes = map[string][]string{
	"github.com/go-sql-driver/mysql":      {"lib/store/mysql"},
	"github.com/syndtr/goleveldb":         {"lib/ldb", "lib/ldb/ldbtest", "lib/store/leveldb", "lib/chain/disk"},
	"go.etcd.io/etcd":                     {"lib/coord"},
	"go.uber.org/zap":                     {"lib/coord"},
	"google.golang.org/grpc":              {"lib/coord"},
	"github.com/anishathalye/porcupine":   {},
	"github.com/osrg/gobgp/v3":            {"lib/speaker"},
	"google.golang.org/protobuf":          {"lib/speaker"},
	"github.com/vishvananda/netlink":      {"lib/anycast", "lib/peer/host"},
	"golang.org/x/crypto":                 {"lib/peer/packet"},
	"github.com/miekg/dns":                {"lib/rr", "lib/dnssec", "lib/zone", "lib/serve", "lib/claim", "lib/probe", "lib/peer", "lib/peer/keep", "lib/peer/host", "lib/resolve/upstream", "lib/resolve/iterate", "lib/resolve/validate"},
	"github.com/prometheus/client_golang": {"lib/status"},
	"github.com/google/go-cmp":            {"lib/store/storetest"},
	"github.com/rogpeppe/go-internal":     {},
	"golang.org/x/net/idna":               {"lib/nup"},
	"gonum.org/v1/plot":                   {"t/bench"},
}

// pure rooms have their time, randomness, files and sockets given to them.
var pure = []string{"lib/rr", "lib/nup", "lib/zone", "lib/ndb", "lib/cookie", "lib/rrl", "lib/wire", "lib/chain", "lib/chain/frame", "lib/chain/plan", "lib/chain/replica", "lib/route", "lib/quorum", "lib/watch", "lib/peer", "lib/peer/packet", "lib/peer/group", "lib/peer/keep"}

// seeded rooms are pure ones that are given a source of randomness of math/rand/v2.
var seeded = []string{"lib/peer", "lib/peer/group", "lib/peer/keep"}

// TestLayout checks the directions of import that README.md promises.
func TestLayout(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./cmd/...", "./lib/...", "./t/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		at := strings.TrimPrefix(p.ImportPath, "namecast/")
		for _, imp := range p.Imports {
			checkImport(t, at, imp)
		}
	}
}

func checkImport(t *testing.T, at, imp string) {
	room, isRoom := strings.CutPrefix(at, "lib/")
	if other, ok := strings.CutPrefix(imp, "namecast/"); ok {
		other, inLib := strings.CutPrefix(other, "lib/")
		switch {
		case isRoom && (!inLib || !slices.Contains(rooms[room], other)):
			t.Errorf("%s imports %s: not in its list of rooms", at, imp)
		case strings.HasPrefix(at, "t") && inLib && !slices.Contains(speakers[at], other):
			t.Errorf("%s imports %s: tests in t know the built tools only", at, imp)
		}
	}
	for module, home := range homes {
		if (imp == module || strings.HasPrefix(imp, module+"/")) && !slices.Contains(home, at) && !strings.HasPrefix(at, "t/") {
			t.Errorf("%s imports %s: only %v may", at, imp, home)
		}
	}
	if imp == "math/rand/v2" && slices.Contains(seeded, at) {
		return
	}
	if slices.Contains(pure, at) && slices.Contains([]string{"net", "os", "math/rand", "math/rand/v2", "crypto/rand"}, imp) {
		t.Errorf("%s reaches for the outside: %s", at, imp)
	}
}
