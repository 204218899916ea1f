package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

const dnsMessage = "application/dns-message"

// overHTTPS asks by POST, under the id 0 (RFC 8484 section 4.1), and reckons with
// the time that the reply has spent in caches of HTTP (section 5.1).
func (c *Client) overHTTPS(ctx context.Context, q query) ([]byte, error) {
	reply, err := c.tryHTTPS(ctx, q, c.quiet())
	if errors.Is(err, errSilent) {
		return c.tryHTTPS(ctx, q, false)
	}
	return reply, err
}

// quiet tells whether the connection that is there may be dead.
func (c *Client) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.web != nil && !c.heard.IsZero() && time.Since(c.heard) > fresh
}

// tryHTTPS asks once. If the server is silent, the connection counts as dead; with
// half, that is so after half of the time, and the error is errSilent.
func (c *Client) tryHTTPS(ctx context.Context, q query, half bool) ([]byte, error) {
	web, err := c.transport()
	if err != nil {
		return nil, err
	}
	try, cancel := ctx, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok && half {
		try, cancel = context.WithTimeout(ctx, time.Until(until)/2)
	}
	defer cancel()
	msg, age, err := c.post(try, web, q.withID(0))
	if err != nil {
		if errors.Is(try.Err(), context.DeadlineExceeded) {
			c.discard(web)
			if ctx.Err() == nil {
				err = errSilent
			}
		}
		return nil, err
	}
	c.mu.Lock()
	c.heard = time.Now()
	c.mu.Unlock()
	reply, err := q.accept(msg, 0)
	if err == nil && age > 0 {
		err = grow(reply, age)
	}
	return reply, err
}

// post sends a query, and gives the reply and its age in seconds.
func (c *Client) post(ctx context.Context, web *http.Transport, query []byte) ([]byte, uint32, error) {
	url := "https://" + c.host() + c.server.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(query))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", dnsMessage)
	req.Header.Set("Accept", dnsMessage)
	req.Header.Set("User-Agent", "") // none is sent
	resp, err := web.RoundTrip(req)  // which follows no redirection
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("HTTP status %d", resp.StatusCode)
	case kind != dnsMessage:
		return nil, 0, errors.New("HTTP content that is no DNS message")
	}
	msg, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage+1))
	if err == nil && len(msg) > maxMessage {
		err = errShape
	}
	age, bad := strconv.ParseUint(resp.Header.Get("Age"), 10, 31)
	if bad != nil {
		age = 0
	}
	return msg, uint32(age), err
}

// host is what the URL has: the name, if there is one.
func (c *Client) host() string {
	s := c.server
	if s.Name != "" {
		s.Addr = netip.AddrPortFrom(netip.Addr{}, s.Addr.Port())
	}
	return s.authority()
}

// transport gives the connections that the queries share.
func (c *Client) transport() (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.web == nil {
		c.web = &http.Transport{
			DialContext:           c.dialHTTPS,
			TLSClientConfig:       c.tlsConfig(),
			TLSHandshakeTimeout:   connectTime,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true,
			MaxIdleConnsPerHost:   2,
			MaxConnsPerHost:       8,
			IdleConnTimeout:       c.opt.Idle,
			ResponseHeaderTimeout: longest,
			HTTP2:                 &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: time.Second},
		}
	}
	return c.web, nil
}

// dialHTTPS bounds the time itself: net/http goes on when the query has ended.
func (c *Client) dialHTTPS(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	return c.dial(ctx, "tcp")
}

// discard has the next query make a new connection, since the server did not
// answer on this one: it may have died in silence.
func (c *Client) discard(web *http.Transport) {
	c.mu.Lock()
	if c.web == web {
		c.web = nil
	}
	c.mu.Unlock()
	web.CloseIdleConnections()
}
