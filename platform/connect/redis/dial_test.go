package redis

import (
	"bytes"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

// FuzzReadLine holds that a line is bounded, and that not a byte behind it is taken from the library.
func FuzzReadLine(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "-WRONGPASS no\r\n+PONG\r\n", "$40\r\n", "\r\n", "\n", "+OK\r", strings.Repeat("x", 2*maxReply)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		line, err := readLine(r)
		want, _, whole := bytes.Cut(in, []byte("\r\n"))
		switch {
		case err == nil && (!whole || line != string(want) || len(line) > maxReply):
			t.Fatalf("read %q of %q", line, in)
		case err == nil && len(in)-r.Len() != len(want)+2:
			t.Fatalf("took %d bytes for %q", len(in)-r.Len(), line)
		case err != nil && whole && len(want) <= maxReply-2:
			t.Fatalf("a line of %d bytes: %v", len(want), err)
		}
	})
}

// TestAnswersThatRepeatTheCommand are what a server gives where AUTH was renamed.
func TestAnswersThatRepeatTheCommand(t *testing.T) {
	t.Parallel()
	err := Fault(answer("ERR unknown command 'AUTH', with args beginning with: 'me' 'hunter2'"), "connect to Redis")
	if fault.CodeOf(err) != fault.Internal || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), `"ERR"`) {
		t.Fatalf("%v", err)
	}
}
