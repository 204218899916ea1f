package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"namecast/lib/dnssec"
	"namecast/lib/status"
)

// noDNSSEC is the operator's word for zones without signatures.
const noDNSSEC = "none"

// secretName is the file of the secret in the database's folder.
const secretName = "dnssec.secret"

// openSigner gives the zones their keys. The database must be open, so that
// one process alone makes the secret.
func (n *node) openSigner() error {
	if n.DNSSEC == noDNSSEC {
		n.Log.Warn("zones are not signed", "dnssec", noDNSSEC)
		return nil
	}
	secret, err := n.secret()
	if errors.Is(err, fs.ErrNotExist) && n.DNSSEC == "" {
		secret, err = n.makeSecret()
	}
	if err != nil {
		return err
	}
	n.service.Signer = dnssec.NewSigner(secret, dnssec.Options{Now: time.Now, Rate: n.SignRate, Cache: n.memory() / shareOfSignatures})
	n.tellEpochs()
	return nil
}

// secret reads the file.
func (n *node) secret() (dnssec.Secret, error) {
	if n.DNSSEC == "" {
		return dnssec.Load(filepath.Join(n.DB, secretName))
	}
	s, err := dnssec.Load(n.DNSSEC)
	if err != nil {
		err = fmt.Errorf("%w%w", ErrConfig, err)
	}
	return s, err
}

// makeSecret makes the file on the first start. A database that has accounts
// may have had another one.
func (n *node) makeSecret() (dnssec.Secret, error) {
	s, err := dnssec.NewSecret(rand.Reader, time.Now())
	if err != nil {
		return s, err
	}
	path := filepath.Join(n.DB, secretName)
	if err := s.Save(path); err != nil {
		return s, err
	}
	n.Log.Info("made the secret of all DNSSEC keys; keep a copy of it", "file", path)
	if n.shared() {
		n.Log.Warn("all nodes of a service sign with the same secret: copy the file to the others, or name one with -dnssec", "file", path)
		return s, nil
	}
	if v, err := n.db.View(); err == nil {
		defer v.Release()
		if v.Position() > 0 {
			n.Log.Warn("the database is older than the secret: if DS records name keys of another one, put that in its place", "file", path)
		}
	}
	return s, nil
}

// reloadSecret reads the file anew. That zones are signed or not does not change
// while the node runs.
func (n *node) reloadSecret() error {
	if n.service.Signer == nil {
		return nil
	}
	s, err := n.secret()
	if err != nil {
		return err
	}
	if s.Text() != n.service.Signer.Secret().Text() {
		n.service.Signer.SetSecret(s)
		n.dns.Forget()
		n.tellEpochs()
	}
	return nil
}

// tellEpochs logs which keys do what.
func (n *node) tellEpochs() {
	s := n.service.Signer.Secret()
	now := time.Now()
	states := s.States(now)
	for i, e := range s.Epochs() {
		args := []any{"epoch", e.Number, "state", states[i].String(), "from", e.From.Format(time.RFC3339)}
		if i > 0 && now.Before(e.Signs()) {
			args = append(args, "signs", e.Signs().Format(time.RFC3339))
		}
		n.Log.Info("dnssec keys", args...)
	}
}

// epoch gives the number of the newest epoch that has come as far as a state, 0
// if none has.
func (n *node) epoch(least dnssec.State) func() float64 {
	return func() float64 {
		s := n.service.Signer.Secret()
		newest := 0.0
		for i, state := range s.States(time.Now()) {
			if state >= least && state != dnssec.Retired {
				newest = float64(s.Epochs()[i].Number)
			}
		}
		return newest
	}
}

func (n *node) dnssecMetrics() []status.Metric {
	signer := n.service.Signer
	if signer == nil {
		return nil
	}
	list := []status.Metric{
		{Name: "dnssec_epoch", Help: "Newest epoch of DNSSEC keys by what it does.", Note: "Epoch whose keys sign; parents should have their DS.",
			Labels: map[string]string{"state": "signing"}, Gauge: true, Value: n.epoch(dnssec.Signing)},
		{Name: "dnssec_epoch", Help: "Newest epoch of DNSSEC keys by what it does.", Note: "Newest epoch whose keys are published.",
			Labels: map[string]string{"state": "published"}, Gauge: true, Value: n.epoch(dnssec.Published)},
		{Name: "dnssec_epoch", Help: "Newest epoch of DNSSEC keys by what it does.", Note: "Newest epoch in the file.",
			Labels: map[string]string{"state": "coming"}, Gauge: true, Value: n.epoch(dnssec.Coming)},
		{Name: "dnssec_kept", Help: "Signatures in the cache.", Gauge: true,
			Value: func() float64 { return float64(signer.Stats().Kept) }},
	}
	for _, c := range []dnssec.Class{dnssec.Few, dnssec.Held, dnssec.Asked} {
		for _, m := range []struct {
			result, note string
			count        func(dnssec.Stats) uint64
		}{
			{"made", "Signatures made.", func(s dnssec.Stats) uint64 { return s.Made[c] }},
			{"cached", "Signatures found in the cache.", func(s dnssec.Stats) uint64 { return s.Cached[c] }},
			{"refused", "Signatures not made for want of budget.", func(s dnssec.Stats) uint64 { return s.Refused[c] }},
		} {
			list = append(list, status.Metric{
				Name: "dnssec_signatures_total", Help: "Signatures for zones' own records (few), records held, and names asked for (denials, wildcards).",
				Note: m.note, Labels: map[string]string{"class": c.String(), "result": m.result},
				Value: func() float64 { return float64(m.count(signer.Stats())) },
			})
		}
	}
	return list
}
