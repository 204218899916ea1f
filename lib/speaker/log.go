package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/osrg/gobgp/v3/pkg/log"

	"namecast/lib/limit"
)

// A neighbour can make the library warn as often as it likes; so many of its lines
// are let through, the rest only at the debug level.
var (
	logRate  = limit.Rate{N: 30, Per: time.Minute}
	logBurst = 30
)

// logger has the library's lines in the log, each as one: what it calls an error or
// a warning as information, for the neighbour may be what is wrong and not this
// node, and the rest as debugging.
type logger struct {
	log    *slog.Logger
	budget *limit.Table
}

func newLogger(l *slog.Logger) *logger {
	return &logger{log: l, budget: limit.New(logRate, logBurst, 1)}
}

// Panic logs and panics: the library goes on after it as if it could not be.
func (l *logger) Panic(msg string, fields log.Fields) {
	l.write(slog.LevelError, msg, fields)
	panic(fmt.Sprintf("BGP: %s", msg))
}

// Fatal is Panic: a library does not end a process in silence.
func (l *logger) Fatal(msg string, fields log.Fields) { l.Panic(msg, fields) }

// Error logs what the library calls an error.
func (l *logger) Error(msg string, fields log.Fields) { l.warn(msg, fields) }

// Warn logs what the library calls a warning.
func (l *logger) Warn(msg string, fields log.Fields) { l.warn(msg, fields) }

// Info logs at the debug level.
func (l *logger) Info(msg string, fields log.Fields) { l.write(slog.LevelDebug, msg, fields) }

// Debug logs at the debug level.
func (l *logger) Debug(msg string, fields log.Fields) { l.write(slog.LevelDebug, msg, fields) }

// SetLevel does nothing: the level is the log's own.
func (l *logger) SetLevel(log.LogLevel) {}

// GetLevel tells the library whether lines at the debug level are of use.
func (l *logger) GetLevel() log.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return log.DebugLevel
	}
	return log.InfoLevel
}

func (l *logger) warn(msg string, fields log.Fields) {
	level := slog.LevelInfo
	if l.budget.Take("", time.Now()) > 0 {
		level = slog.LevelDebug
	}
	l.write(level, msg, fields)
}

func (l *logger) write(level slog.Level, msg string, fields log.Fields) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	args := make([]any, 0, 2*len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		args = append(args, name, fmt.Sprint(fields[name]))
	}
	l.log.Log(context.Background(), level, "bgp: "+msg, args...)
}
