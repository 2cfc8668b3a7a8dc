package event

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestEveryVersionIsRead holds the way up: what a former version left in a queue is read by this one, and what this one
// makes of it is a batch of its own. Each version has its files in testdata, which are never changed.
func TestEveryVersionIsRead(t *testing.T) {
	t.Parallel()
	for v := 1; v <= codecVersion; v++ {
		files, err := filepath.Glob(filepath.Join("testdata", fmt.Sprintf("v%d-*.bin", v)))
		if err != nil || len(files) < 4 {
			t.Fatalf("version %d has %d files, %v: keep some of its batches before the version is raised", v, len(files), err)
		}
		for _, file := range files {
			batch, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if int(batch[2]) != v {
				t.Errorf("%s is of version %d", file, batch[2])
			}
			again(t, file, batch)
		}
	}
}

// again decodes a stored batch, encodes what it held, and compares.
func again(t *testing.T, file string, batch []byte) {
	t.Helper()
	if strings.Contains(file, "alert") {
		had, err := DecodeAlerts(nil, batch)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if got, err := DecodeAlerts(nil, EncodeAlerts(had)); err != nil || cmp.Diff(had, got) != "" || len(had) == 0 {
			t.Errorf("%s: %v %s", file, err, cmp.Diff(had, got))
		}
		return
	}
	had, err := DecodeEvents(nil, batch)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if got, err := DecodeEvents(nil, EncodeEvents(had)); err != nil || cmp.Diff(had, got) != "" {
		t.Errorf("%s: %v %s", file, err, cmp.Diff(had, got))
	}
}

// TestLaterVersionsAreBearable holds the way back: what the next version adds to a record is passed over, and a batch of
// a later version is told apart from a damaged one, so that it waits for whoever can read it.
func TestLaterVersionsAreBearable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(genEvent), 1, 5).Draw(t, "events")
		var plain, grown []byte
		for i := range events {
			extra := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "fields of the next version")
			plain = AppendRecord(plain, &events[i])
			grown = framed(grown, func(b []byte) []byte { return append(appendEvent(b, &events[i]), extra...) })
		}
		if got, err := DecodeEvents(nil, Seal(grown, len(events))); err != nil || cmp.Diff(events, got) != "" {
			t.Fatalf("%v %s", err, cmp.Diff(events, got))
		}
		later := Seal(plain, len(events))
		later[2] = byte(rapid.IntRange(codecVersion+1, 255).Draw(t, "version"))
		if _, err := DecodeEvents(nil, later); !errors.Is(err, ErrNewerVersion) {
			t.Fatalf("a batch of version %d: %v", later[2], err)
		}
	})
}
