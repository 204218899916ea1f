package ca

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"namecast/lib/private"
)

// TestRenew: the key stays, the certificate lasts longer, new roots come along.
func TestRenew(t *testing.T) {
	c := newCluster(t, "c1")
	made := time.Now().Add(-20 * 24 * time.Hour)
	c.authority = newAuthority(t, "c1", made)
	c.node = newMember(t, c.authority, Node, "n1", time.Now())
	id, err := c.authority.NewIdentity(Request{Name: Name{"c1", Client, "s1"}, Hosts: []string{"s1.example"}}, made)
	if err != nil {
		t.Fatal(err)
	}
	old := c.authority
	c.authority = next(t, c.authority, time.Now().Add(-2*Settle))
	got, err := id.Renew(t.Context(), c.dial())
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != id.Name || got.Pin() != id.Pin() || !got.Leaf.NotAfter.After(id.Leaf.NotAfter) {
		t.Errorf("renewed %s until %s", got, got.Leaf.NotAfter)
	}
	if len(got.Roots) != 2 || got.issuer() != 1 || hosts(got.Leaf)[0] != "s1.example" {
		t.Errorf("%d roots, signed by %d, for %q", len(got.Roots), got.issuer(), hosts(got.Leaf))
	}
	c.node = newMember(t, c.authority, Node, "n1", time.Now())
	if _, err := got.Renew(t.Context(), c.dial()); err != nil {
		t.Errorf("again: %v", err)
	}
	c.admit = func(context.Context, Name, Pin) error { return ErrLater }
	if _, err := got.Renew(t.Context(), c.dial()); !errors.Is(err, ErrLater) {
		t.Errorf("not now: %v", err)
	}
	c.admit = nil
	// A member that has ended, and one whose authority is gone.
	gone, err := old.NewIdentity(Request{Name: Name{"c1", Client, "s2"}, Life: time.Hour}, made)
	if err != nil {
		t.Fatal(err)
	}
	gone.Roots = c.authority.Roots()
	if _, err := gone.Renew(t.Context(), c.dial()); !errors.Is(err, ErrRefused) {
		t.Errorf("a certificate that has ended: %v", err)
	}
	c.authority = &Authority{"c1", c.authority.list[1:]}
	id.Roots = append(id.Roots, c.authority.Roots()...)
	if _, err := id.Renew(t.Context(), c.dial()); !errors.Is(err, ErrRefused) {
		t.Errorf("an authority that is gone: %v", err)
	}
	if _, err := id.Renew(t.Context(), newCluster(t, "c1").dial()); !errors.Is(err, ErrPeer) {
		t.Errorf("elsewhere: %v", err)
	}
}

// TestRenewal: the file is renewed over and over while the certificates are
// short-lived, with failures in between.
func TestRenewal(t *testing.T) {
	c := newCluster(t, "c1")
	c.life = 3 * time.Second
	id, err := c.authority.NewIdentity(Request{Name: Name{"c1", Node, "n2"}, Life: 2 * time.Second}, time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/id"
	if err := private.Save(file, id.Text()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	renewed := make(chan Identity)
	done := make(chan struct{})
	go func() {
		defer close(done)
		Renewal{
			File: file,
			Dial: func(context.Context) (net.Conn, error) { return c.dial(), nil },
			Renewed: func(id Identity) {
				select {
				case renewed <- id:
				case <-ctx.Done():
				}
			},
			Failed: func(err error) { t.Error(err) },
		}.Run(ctx, id)
	}()
	for range 2 {
		select {
		case got := <-renewed:
			loaded, err := LoadIdentity(file)
			if err != nil || !loaded.Leaf.Equal(got.Leaf) || !got.Leaf.NotAfter.After(id.Leaf.NotAfter) || got.Pin() != id.Pin() {
				t.Errorf("renewed until %s, %v", got.Leaf.NotAfter, err)
			}
			id = got
		case <-ctx.Done():
			t.Fatal("not renewed")
		}
	}
	cancel()
	<-done
}

// TestRenewalFails: it says so, and ends with its context.
func TestRenewalFails(t *testing.T) {
	c := newCluster(t, "c1")
	id := newMember(t, c.authority, Node, "n2", time.Now().Add(-10*24*time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	want := errors.New("nobody is there")
	var got error
	Renewal{
		File:   t.TempDir() + "/id",
		Dial:   func(context.Context) (net.Conn, error) { return nil, want },
		Failed: func(err error) { got = err; cancel() },
	}.Run(ctx, id)
	if !errors.Is(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDue(t *testing.T) {
	a := newAuthority(t, "c1", day)
	for life, want := range map[time.Duration]time.Duration{Life: RenewEvery, 3 * time.Hour: time.Hour, AuthorityLife: RenewEvery} {
		id, err := a.NewIdentity(Request{Name: Name{"c1", Node, "n1"}, Life: life}, day)
		if err != nil || !id.Due().Equal(day.Add(want)) {
			t.Errorf("of %s: due %s, %v", life, id.Due(), err)
		}
	}
}
