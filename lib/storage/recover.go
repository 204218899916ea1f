package storage

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/coord"
)

// A Recovery is a chain table made from what the nodes that are there hold.
type Recovery struct {
	Nodes []string       // that are there
	Rows  []chain.Row    // of the chains that can be taken up again
	Found []plan.Finding // what is in doubt
}

// recovery makes a table from what the nodes that are there hold.
func (d *daemon) recovery(r *http.Request) (Recovery, error) {
	var consent plan.Consent
	for _, word := range fields(r.FormValue("accept")) {
		switch word {
		case "stale":
			consent.Stale = true
		case "empty":
			consent.Empty = true
		default:
			return Recovery{}, fmt.Errorf("accept %q: there are stale and empty", word)
		}
	}
	p := d.coord.Picture()
	if len(p.Rows) > 0 {
		return Recovery{}, coord.ErrTable
	}
	var out Recovery
	held := plan.Holdings{}
	for _, n := range p.Nodes {
		if n.Live {
			out.Nodes = append(out.Nodes, n.Name)
		}
		held[n.Name] = n.Held
	}
	out.Rows, out.Found = plan.Recover(d.cluster(p), held, chain.Chains, consent)
	return out, nil
}

// rebuild writes the recovered table down.
func (d *daemon) rebuild(ctx context.Context, r Recovery) error {
	if n := chain.Chains - len(r.Rows); n > 0 {
		return fmt.Errorf("%d chains would be without data; see -recover, and accept what has to be", n)
	}
	d.Log.Warn("the operator has the chain table made anew", "nodes", r.Nodes, "in doubt", len(r.Found))
	return d.coord.Rebuild(ctx, r.Rows)
}

// Recover prints how the chain table would be rebuilt, and has it done if yes.
// accept is what the operator takes for better than nothing.
func Recover(ctx context.Context, dir, accept string, yes bool, w io.Writer) error {
	method := http.MethodGet
	if yes {
		method = http.MethodPost
	}
	var r Recovery
	if err := ask(ctx, dir, method, "/recover?accept="+url.QueryEscape(accept), &r); err != nil {
		return err
	}
	return r.print(w, yes)
}

// print writes a recovery down for the operator.
func (r Recovery) print(w io.Writer, done bool) error {
	fmt.Fprintf(w, "nodes that are there: %d %v\n", len(r.Nodes), r.Nodes)
	load := plan.Load(r.Rows)
	for _, node := range r.Nodes {
		fmt.Fprintf(w, "%s takes up %d chains\n", node, load[node])
	}
	found := slices.Clone(r.Found)
	slices.SortStableFunc(found, func(a, b plan.Finding) int { return int(b.Kind) - int(a.Kind) })
	var doubts grouped
	for _, f := range found {
		doubts.add(f.Chain, fmt.Sprintf("%s: %s", f.Kind, f.Why))
	}
	doubts.print(w)
	verb := "can be taken up, with -yes"
	if done {
		verb = "are taken up"
	}
	_, err := fmt.Fprintf(w, "%d of %d chains %s\n", len(r.Rows), chain.Chains, verb)
	return err
}
