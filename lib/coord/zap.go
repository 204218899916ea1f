package coord

import (
	"context"
	"fmt"
	"log/slog"

	"go.uber.org/zap/zapcore"
)

// A core gives etcd's errors to the program's log, as warnings, and its warnings as
// what only who looks for it wants to see: each lost connection and slow request is
// one. While etcd is being ended it gives neither: it complains about all that it
// ends then.
type core struct {
	zapcore.LevelEnabler
	log    *slog.Logger
	ending context.Context
}

func newCore(log *slog.Logger, ending context.Context) zapcore.Core {
	return &core{zapcore.WarnLevel, log, ending}
}

// With implements zapcore.Core.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{c.LevelEnabler, c.log.With(attributes(fields)...), c.ending}
}

// Check implements zapcore.Core.
func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	fatal := e.Level >= zapcore.DPanicLevel
	if !c.Enabled(e.Level) || !fatal && (noise[e.Message] || c.ending.Err() != nil) {
		return ce
	}
	return ce.AddCore(e, c)
}

// Write implements zapcore.Core.
func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelDebug
	switch {
	case e.Level >= zapcore.DPanicLevel:
		level = slog.LevelError
	case e.Level == zapcore.ErrorLevel:
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "etcd: "+e.Message, attributes(fields)...)
	return nil
}

// Sync implements zapcore.Core.
func (c *core) Sync() error { return nil }

// attributes gives fields in the program's terms.
func attributes(fields []zapcore.Field) []any {
	to := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(to)
	}
	var all []any
	for _, f := range fields {
		if v, ok := to.Fields[f.Key]; ok {
			all = append(all, slog.Any(f.Key, v))
			delete(to.Fields, f.Key)
		}
	}
	return all
}

// noise is what etcd warns of and nobody can or needs to do anything about.
var noise = map[string]bool{
	// At a start.
	"simple token is not cryptographically signed":                                         true,
	"Running http and grpc server on single port. This is not recommended for production.": true,
	"Failed to detect schema version":                                                      true,
	"failed to update storage version":                                                     true,
	// While a member that joins has not caught up; it asks again and again.
	"rejecting promote learner: learner is not ready": true,
	"failed to promote a member":                      true,
}

// A fatal is done where etcd ends the process.
type fatal struct{ do func() }

// OnWrite implements zapcore.CheckWriteHook.
func (f fatal) OnWrite(e *zapcore.CheckedEntry, fields []zapcore.Field) {
	if f.do != nil {
		f.do()
	}
	panic(fmt.Sprintf("etcd: %s %v", e.Message, attributes(fields)))
}
