package cli

import (
	"strings"
	"testing"
)

func TestSizeText(t *testing.T) {
	for text, want := range map[string]Size{
		"16777216": 16 << 20, "16M": 16 << 20, "16384K": 16 << 20, "256M": 256 << 20, "1024M": 1 << 30, "3G": 3 << 30,
		"16777217": 16<<20 + 1, "16385K": 16385 << 10, "0064M": 64 << 20,
	} {
		var s Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q is read as %d, %v; want %d", text, s, err, want)
		}
		again := Size(0)
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%d is written as %q and read as %d, %v", s, s, again, err)
		}
	}
	if s := Size(3 << 30).String(); s != "3G" {
		t.Errorf("3 GiB are written as %q", s)
	}
}

func TestSizeRefused(t *testing.T) {
	for _, text := range []string{
		"", "M", "K", "256", "15M", "0", "0G", "-1G", "+64M", "1.5G", "256m", "256MB", "256 M", " 256M", "64KM", "0x40M", "much",
		"9223372036854775808", "9999999999G", "8589934592G",
	} {
		s := Size(1)
		err := s.Set(text)
		if err == nil || s != 1 {
			t.Errorf("%q is read as %d, %v", text, s, err)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, text) || strings.Contains(msg, "\n") {
			t.Errorf("%q: message %q", text, msg)
		}
	}
}
