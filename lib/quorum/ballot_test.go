package quorum

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func newBallot(t testing.TB, c club, minLive int, prefixes ...netip.Prefix) *Ballot {
	t.Helper()
	b, err := NewBallot(c.Nodes, "a", append(prefixes, p4), minLive)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// show prints orders with their ends as seconds after the start.
func show(orders []Order) string {
	var words []string
	for _, o := range orders {
		words = append(words, fmt.Sprintf("%v until %v by %s", o.Prefix, o.Until.Sub(start).Seconds(), strings.Join(o.By, ",")))
	}
	return strings.Join(words, "; ")
}

func wantInForce(t *testing.T, b *Ballot, now time.Time, want string) {
	t.Helper()
	if got := show(b.InForce(now)); got != want {
		t.Errorf("at %v in force: %q, want %q", now.Sub(start), got, want)
	}
}

func add(t *testing.T, b *Ballot, now time.Time, votes ...Vote) {
	t.Helper()
	for _, v := range votes {
		if err := b.Add(v, now); err != nil {
			t.Errorf("at %v: %v", now.Sub(start), err)
		}
	}
}

func TestNewBallotRefuses(t *testing.T) {
	c := newClub(t, 3)
	_, err := NewBallot(c.Nodes, "x", nil, 1)
	wantErr(t, err, ErrUnknown)
	if _, err := NewBallot(c.Nodes, "a", nil, 0); err == nil {
		t.Error("an order may leave nobody")
	}
}

func TestBallotRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		v    Vote
		want error
	}{
		{"unknown node", vote("x", 1, start), ErrUnknown},
		{"wrong victim", vote("b", 1, start, func(v *Vote) { v.Victim = "c" }), ErrVictim},
		{"own vote", vote("a", 1, start), ErrOwn},
		{"other prefix", vote("b", 1, start, func(v *Vote) { v.Prefix = p6 }), ErrPrefix},
		{"longer prefix", vote("b", 1, start, func(v *Vote) { v.Prefix = netip.MustParsePrefix("192.0.2.0/25") }), ErrPrefix},
		{"no lease", vote("b", 1, start, func(v *Vote) { v.Lease = 0 }), ErrLease},
		{"long lease", vote("b", 1, start, func(v *Vote) { v.Lease = MaxLease + 1 }), ErrLease},
		{"expired", vote("b", 1, start.Add(-20*time.Second)), ErrExpired},
		{"skewed clock", vote("b", 1, start.Add(-MaxSkew-1), func(v *Vote) { v.Lease = MaxLease }), ErrSkew},
		{"not yet", vote("b", 1, start.Add(MaxSkew+1)), ErrSkew},
		{"replayed", vote("b", 5, start), ErrReplay},
		{"of an older life", vote("b", 6, start, func(v *Vote) { v.Boot = 6 }), ErrReplay},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBallot(t, newClub(t, 3), 1)
			add(t, b, start, vote("b", 5, start))
			wantErr(t, b.Add(c.v, start), c.want)
			wantInForce(t, b, start, "")
			add(t, b, start, vote("c", 1, start))
			wantInForce(t, b, start, "192.0.2.0/24 until 20 by b,c")
		})
	}
}

func TestBallotCounts(t *testing.T) {
	other := func(v *Vote) { v.Prefix = p6 }
	late := func(v *Vote) { v.Lease = 30 * time.Second }
	for _, c := range []struct {
		name    string
		nodes   int
		minLive int
		votes   []Vote
		want    string
	}{
		{"nobody", 3, 1, nil, ""},
		{"minority", 3, 1, []Vote{vote("b", 1, start)}, ""},
		{"one node twice", 3, 1, []Vote{vote("b", 1, start), vote("b", 2, start)}, ""},
		{"quorum", 3, 1, []Vote{vote("b", 1, start), vote("c", 1, start)}, "192.0.2.0/24 until 20 by b,c"},
		{"half of four", 4, 1, []Vote{vote("b", 1, start), vote("c", 1, start)}, ""},
		{"all others of four", 4, 1, []Vote{vote("b", 1, start), vote("c", 1, start), vote("d", 1, start)}, "192.0.2.0/24 until 20 by b,c,d"},
		{"two nodes", 2, 1, []Vote{vote("b", 1, start)}, ""},
		{"prefixes apart", 3, 1, []Vote{vote("b", 1, start), vote("c", 1, start, other)}, ""},
		{"both prefixes", 3, 1, []Vote{vote("b", 1, start), vote("c", 1, start), vote("b", 2, start, other), vote("c", 2, start, other)},
			"192.0.2.0/24 until 20 by b,c; 2001:db8:53::/48 until 20 by b,c"},
		{"nobody well", 3, 1, []Vote{vote("b", 1, start, unwell), vote("c", 1, start, unwell)}, ""},
		{"one well of one", 3, 1, []Vote{vote("b", 1, start, unwell), vote("c", 1, start)}, "192.0.2.0/24 until 20 by b,c"},
		{"one well of two", 3, 2, []Vote{vote("b", 1, start, unwell), vote("c", 1, start)}, ""},
		{"two well of two", 3, 2, []Vote{vote("b", 1, start), vote("c", 1, start)}, "192.0.2.0/24 until 20 by b,c"},
		{"more than can be", 3, 3, []Vote{vote("b", 1, start), vote("c", 1, start)}, ""},
		{"the shorter lease ends it", 3, 1, []Vote{vote("b", 1, start, late), vote("c", 1, start)}, "192.0.2.0/24 until 20 by b,c"},
		{"one more than the quorum", 5, 1, []Vote{vote("b", 1, start), vote("c", 1, start, late), vote("d", 1, start, late), vote("e", 1, start, late)},
			"192.0.2.0/24 until 30 by b,c,d,e"},
		{"the well one ends it", 5, 1, []Vote{vote("b", 1, start), vote("c", 1, start, late, unwell), vote("d", 1, start, late, unwell), vote("e", 1, start, late, unwell)},
			"192.0.2.0/24 until 20 by b,c,d,e"},
		{"no longer well", 3, 1, []Vote{vote("b", 1, start), vote("c", 1, start, unwell), vote("b", 2, start, unwell)}, ""},
		{"an overtaken vote", 3, 1, []Vote{vote("b", 2, start, unwell), vote("c", 1, start, unwell), vote("b", 1, start)}, ""},
		{"a clock that is behind", 3, 1, []Vote{vote("b", 1, start.Add(-5*time.Second)), vote("c", 1, start)}, "192.0.2.0/24 until 15 by b,c"},
		{"a clock that is ahead", 3, 1, []Vote{vote("b", 1, start.Add(25*time.Second)), vote("c", 1, start.Add(25*time.Second))}, "192.0.2.0/24 until 20 by b,c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBallot(t, newClub(t, c.nodes), c.minLive, p6)
			add(t, b, start, c.votes...)
			wantInForce(t, b, start, c.want)
		})
	}
}

// TestBallotLapses lets an order end by itself, to the moment.
func TestBallotLapses(t *testing.T) {
	b := newBallot(t, newClub(t, 3), 1)
	add(t, b, start, vote("b", 1, start), vote("c", 1, start))
	wantInForce(t, b, start.Add(20*time.Second-1), "192.0.2.0/24 until 20 by b,c")
	wantInForce(t, b, start.Add(20*time.Second), "")
	wantInForce(t, b, start, "")
}

// TestBallotLeasesOverlap has a quorum of votes of which no two hold at once.
func TestBallotLeasesOverlap(t *testing.T) {
	b := newBallot(t, newClub(t, 3), 1)
	for i := range 10 {
		now := start.Add(time.Duration(i) * 21 * time.Second)
		add(t, b, now, vote([]string{"b", "c"}[i%2], uint64(i+1), now))
		wantInForce(t, b, now, "")
	}
}

// TestBallotRenewed has an order that lives much longer than Pause by renewals,
// some of which are lost, and a voter that is replaced by another.
func TestBallotRenewed(t *testing.T) {
	b := newBallot(t, newClub(t, 5), 1)
	for i := range uint64(240) {
		now := start.Add(time.Duration(i) * 5 * time.Second)
		for j, from := range []string{"b", "c", "d", "e"} {
			if (from == "e") == (i > 120) && (i+uint64(j))%3 != 0 {
				continue // three of them are heard at any time, and not always
			}
			add(t, b, now, vote(from, i+1, now))
		}
		if orders := b.InForce(now); i > 2 && len(orders) != 1 {
			t.Fatalf("after %v: %s", now.Sub(start), show(orders))
		}
	}
}

// TestBallotPause refuses a second order within ten minutes of the first, however
// the votes go on, and allows it then.
func TestBallotPause(t *testing.T) {
	b := newBallot(t, newClub(t, 3), 1, p6)
	seq := uint64(0)
	say := func(after time.Duration, want string, changes ...func(*Vote)) {
		t.Helper()
		seq++
		now := start.Add(after)
		add(t, b, now, vote("b", seq, now, changes...), vote("c", seq, now, changes...))
		wantInForce(t, b, now, want)
	}
	say(0, "192.0.2.0/24 until 20 by b,c")
	say(15*time.Second, "192.0.2.0/24 until 35 by b,c")
	say(35*time.Second, "")
	say(40*time.Second, "")
	say(Pause-5*time.Second, "")
	say(Pause-time.Second, "")
	wantInForce(t, b, start.Add(Pause), "192.0.2.0/24 until 619 by b,c")
	say(Pause+30*time.Second, "")
	say(Pause+31*time.Second, "2001:db8:53::/48 until 651 by b,c", func(v *Vote) { v.Prefix = p6 })
	say(2*Pause, "192.0.2.0/24 until 1220 by b,c")
}

// TestBallotUnasked has an order that lapses and votes that come again before
// anybody asks: it has ended, and the next one has to wait.
func TestBallotUnasked(t *testing.T) {
	b := newBallot(t, newClub(t, 3), 1)
	add(t, b, start, vote("b", 1, start), vote("c", 1, start))
	now := start.Add(25 * time.Second)
	add(t, b, now, vote("b", 2, now), vote("c", 2, now))
	wantInForce(t, b, now, "")
}

// TestBallotClockSet sets the clock of the day forward and back under a running
// order: its lease is of the clock that nobody sets.
func TestBallotClockSet(t *testing.T) {
	b := newBallot(t, newClub(t, 3), 1)
	now := time.Now()
	add(t, b, now, vote("b", 1, now.Round(0)), vote("c", 1, now.Round(0)))
	later := now.Add(19 * time.Second) // by its monotonic reading
	if len(b.InForce(later)) != 1 {
		t.Error("ended early")
	}
	if len(b.InForce(now.Add(20*time.Second))) != 0 {
		t.Error("did not end")
	}
}

// A plot is votes by fewer nodes than a quorum, by the victim and by nodes outside
// of the list, of all times and lives.
type plot struct {
	*rand.Rand
	nodes, outside club
	minority       []int
}

func newPlot(t *testing.T, seed uint64) plot {
	t.Helper()
	p := plot{Rand: rand.New(rand.NewPCG(seed, 1))}
	n := 1 + p.IntN(9)
	p.nodes, p.outside = clubs[n-1], clubs[n+2]
	p.minority = p.Perm(n)[:p.nodes.Quorum()-1]
	if !slices.Contains(p.minority, 0) && p.IntN(2) == 0 && len(p.minority) > 0 {
		p.minority[0] = 0 // the victim
	}
	return p
}

// vote makes one, and tells whose list its node is in.
func (p plot) vote(seq uint64) (Vote, club) {
	from, who := nameOf(p.nodes.Len()+p.IntN(3)), p.outside
	if len(p.minority) > 0 && p.IntN(4) > 0 {
		from, who = nameOf(p.minority[p.IntN(len(p.minority))]), p.nodes
	}
	v := vote(from, seq, start.Add(time.Duration(p.IntN(60)-30)*time.Second))
	v.Boot, v.Well, v.Lease = uint64(p.IntN(3)), p.IntN(3) > 0, time.Duration(1+p.IntN(60))*time.Second
	if p.IntN(3) == 0 {
		v.Prefix = p6
	}
	return v, who
}

// offer adds a vote and checks that nothing comes of it.
func (p plot) offer(t *testing.T, b *Ballot, v Vote, now time.Time) {
	t.Helper()
	_ = b.Add(v, now) // taken or not
	if orders := b.InForce(now); len(orders) > 0 {
		t.Fatalf("%d of %d nodes made %s", len(p.minority), p.nodes.Len(), show(orders))
	}
	for prefix, box := range b.prefixes {
		if len(box.votes) > p.nodes.Len() {
			t.Fatalf("%d votes about %v of %d nodes", len(box.votes), prefix, p.nodes.Len())
		}
	}
}

// clubs are the lists of 1 to 12 nodes.
var clubs []club

func makeClubs(t *testing.T) {
	t.Helper()
	for n := len(clubs) + 1; n <= 12; n++ {
		clubs = append(clubs, newClub(t, n))
	}
}

// TestMinorityNeverOrders has plots in which every signature is good.
func TestMinorityNeverOrders(t *testing.T) {
	makeClubs(t)
	for seed := range uint64(500) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPlot(t, seed)
			b := newBallot(t, p.nodes, 1, p6)
			now := start
			for i := range uint64(300) {
				now = now.Add(time.Duration(p.IntN(400)-50) * time.Millisecond)
				v, _ := p.vote(i + uint64(p.IntN(20)))
				p.offer(t, b, v, now)
			}
		})
	}
}

// TestForgersNeverOrder has a minority whose datagrams are recorded, altered and
// sent again at any time, in any order and as often as one likes.
func TestForgersNeverOrder(t *testing.T) {
	makeClubs(t)
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPlot(t, seed)
			b := newBallot(t, p.nodes, 1, p6)
			var datagrams [][]byte
			for i := range uint64(20) {
				v, who := p.vote(i)
				datagrams = append(datagrams, who.signVote(t, v))
			}
			now := start
			for range 60 {
				now = now.Add(time.Duration(p.IntN(400)-50) * time.Millisecond)
				d := slices.Clone(datagrams[p.IntN(len(datagrams))])
				if p.IntN(3) == 0 {
					d[p.IntN(len(d))] ^= 1 << p.IntN(8)
				}
				if v, err := p.nodes.OpenVote(d); err == nil {
					p.offer(t, b, v, now)
				}
			}
		})
	}
}
