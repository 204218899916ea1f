package view

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// writeTime is how long a reader may take for what it is sent at once.
const writeTime = 10 * time.Second

// A stream writes Server-Sent Events.
type stream struct {
	w http.ResponseWriter
	c *http.ResponseController
}

// events sends what happened since a time, and then what happens, with the state in
// between. It ends when the reader goes or is too slow.
func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	after, err := since(r)
	if err != nil {
		http.Error(w, "after what time? it is in milliseconds since 1970", http.StatusBadRequest)
		return
	}
	recent, live, stop, err := h.source.Events(r.Context(), after)
	if err != nil {
		unavailable(w, err)
		return
	}
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	s := stream{w, http.NewResponseController(w)}
	if h.now(r.Context(), s) != nil || s.happened(recent...) != nil {
		return
	}
	h.follow(r.Context(), s, live)
}

// follow sends events as they come, those together that came together.
func (h *handler) follow(ctx context.Context, s stream, live <-chan Event) {
	t := time.NewTicker(h.every)
	defer t.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			err = h.now(ctx, s)
		case e, ok := <-live:
			if !ok {
				return
			}
			batch := []Event{e}
			for len(live) > 0 && len(batch) < 1000 {
				if e, ok = <-live; !ok {
					break
				}
				batch = append(batch, e)
			}
			err = s.happened(batch...)
		}
		if err != nil {
			return
		}
	}
}

// now sends the state.
func (h *handler) now(ctx context.Context, s stream) error {
	state, err := h.source.State(ctx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return s.send(fmt.Sprintf("event: state\ndata: %s\n\n", b))
}

// happened sends events; the id is what the reader comes back with.
func (s stream) happened(events ...Event) error {
	var text []byte
	for _, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		text = fmt.Appendf(text, "id: %d\ndata: %s\n\n", e.At, b)
	}
	return s.send(string(text))
}

func (s stream) send(text string) error {
	// Not all writers have deadlines; those of a network do.
	_ = s.c.SetWriteDeadline(time.Now().Add(writeTime))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.c.Flush()
}

// since is after what time events are wanted: what a reader heard last, when it comes
// back, or else what it asks for.
func since(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.FormValue("after")
	}
	if text == "" {
		return 0, nil
	}
	return strconv.ParseInt(text, 10, 64)
}
