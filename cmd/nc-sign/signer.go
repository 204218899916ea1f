package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"time"

	"namecast/lib/cli"
	"namecast/lib/client"
	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
)

// A signer makes packets with one key for one service.
type signer struct {
	secret  *key.Secret
	service rr.Name
	server  string
	account string // as the key file names it
	seq     int64  // of the next packet; negative: ask the server
	token   string
	spare   string // the key file's token, for a new account
	bits    int    // proof of work
	limit   time.Duration
}

// load reads the key file and finds the server and its service.
func (s *signer) load(path, spec string) error {
	if path == "" {
		var err error
		if path, err = key.DefaultPath(); err != nil {
			return err
		}
	}
	f, err := loadSecret(path)
	if err != nil {
		return err
	}
	s.secret, s.account, s.spare = f.Secret, f.Account, f.Token
	if s.bits < 0 || s.bits > key.MaxWork {
		return cli.UsageError("-work %d: want 0 to %d bits", s.bits, key.MaxWork)
	}
	if s.version() == 0 && (s.token != "" || s.bits > 0) {
		return cli.UsageError("packets of a DSA key carry neither token nor proof of work")
	}
	return s.find(spec, f)
}

func (s *signer) version() int { return s.secret.Public().Version() }

// loadSecret reads a key file that must have a secret key.
func loadSecret(path string) (key.File, error) {
	f, err := key.Load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, fmt.Errorf("%w; nc-keygen makes one", err)
	case err == nil && f.Secret == nil:
		return f, fmt.Errorf("key file %q has only a public key", path)
	}
	return f, err
}

// find settles the server and the service, as far as they are needed.
func (s *signer) find(spec string, f key.File) (err error) {
	s.server, s.service, err = client.Locate(spec, f)
	switch {
	case err != nil:
		return cli.UsageError("%w", err)
	case s.server == "" && s.seq < 0:
		return cli.UsageError("%w", client.ErrNoServer)
	case s.service == "" && s.version() == 1:
		return cli.UsageError("%w", client.ErrNoService)
	}
	return nil
}

// newKey reads the key that a rekey moves to.
func (s *signer) newKey(path string) (*key.Secret, error) {
	f, err := loadSecret(path)
	if err != nil {
		return nil, err
	}
	if f.Secret.Public() == s.secret.Public() {
		return nil, fmt.Errorf("the new key %q is the present one", path)
	}
	if f.Account != s.account {
		say("the account keeps its name: write account=%s into the key line of %q", s.account, path)
	}
	return f.Secret, nil
}

// sign makes one packet of each group, with consecutive sequence numbers.
func (s *signer) sign(ctx context.Context, groups [][]nup.Element) ([][]byte, error) {
	if s.seq < 0 {
		if err := s.ask(ctx); err != nil {
			return nil, err
		}
	}
	packets := make([][]byte, len(groups))
	for i, g := range groups {
		r := nup.Request{Service: s.service, Seq: s.seq, Elements: g}
		var err error
		if i == 0 {
			err = s.admission(ctx, &r)
		}
		if err == nil {
			packets[i], err = s.packet(&r)
		}
		if err != nil {
			return nil, fmt.Errorf("packet %d: %w", i+1, err)
		}
		if n := len(packets[i]); n > nup.SafePacket {
			say("packet %d: warning: %d octets, more than %d travel in fragments", i+1, n, nup.SafePacket)
		}
		s.seq = (s.seq + 1) & math.MaxInt64
	}
	return packets, nil
}

// packet pads and signs one request.
func (s *signer) packet(r *nup.Request) ([]byte, error) {
	pub := s.secret.Public()
	r.Version, r.Key = pub.Version(), pub.Bytes()
	if err := r.Pad(nup.PadSize); err != nil {
		return nil, err
	}
	return nup.Sign(r, s.secret)
}

// ask asks the server for the next sequence number, and for the proof of work
// that it wants of a new account without a token.
func (s *signer) ask(ctx context.Context) error {
	o := client.Options{Limit: s.limit, Progress: client.Progress(os.Stderr, "nc-sign", s.server)}
	seq, reply, err := client.NextSeq(ctx, s.server, s.secret, s.service, o)
	switch {
	case err == nil:
		s.seq = seq
		if s.token == "" && s.spare == "" {
			s.bits = max(s.bits, reply.WorkBits)
		}
		return nil
	case errors.Is(err, client.ErrNoAnswer), errors.Is(err, context.Canceled),
		reply != nil && reply.Status == nup.StatusTryLater:
		return cli.RetryError(fmt.Errorf("ask for the sequence number: %w", err))
	}
	return fmt.Errorf("ask for the sequence number: %w", err)
}

// admission puts into the first packet what lets a new account in. The key
// file's token travels only in an account's first packet.
func (s *signer) admission(ctx context.Context, r *nup.Request) error {
	token := s.token
	if token == "" && s.seq == 0 && s.version() == 1 {
		token = s.spare
	}
	if token != "" {
		r.Token = []byte(token)
	}
	if s.bits == 0 || s.version() == 0 {
		return nil
	}
	if s.bits > key.MaxWork {
		return fmt.Errorf("the server wants a proof of work of %d bits; %d is the most", s.bits, key.MaxWork)
	}
	var err error
	r.Work, err = s.work(ctx)
	r.HasWork = err == nil
	return err
}

// work solves the proof of work, with a line every 5 seconds.
func (s *signer) work(ctx context.Context) (nonce uint64, err error) {
	begun := time.Now()
	next := 2 * time.Second
	nonce, ok := key.Work(s.service.String(), s.secret.Public().Bytes(), s.bits, func() bool {
		if t := time.Since(begun); t > next {
			say("solving a proof of work of %d bits, %.0fs so far", s.bits, t.Seconds())
			next = t + 5*time.Second
		}
		return ctx.Err() == nil
	})
	if !ok {
		return 0, errors.New("solve the proof of work: interrupted")
	}
	return nonce, nil
}
