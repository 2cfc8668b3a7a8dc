package store_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/store"
)

// mergeFile names the database that a child process merges.
const mergeFile = "MUTT_TEST_MERGE_FILE"

// TestMergeKilled kills processes that merge old books, after a few steps and at any moment of the next: nothing is lost or counted twice, also
// when what the queue had counted is folded again.
func TestMergeKilled(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	if path := os.Getenv(mergeFile); path != "" {
		s := openOn(t, store.Options{Path: path, Logger: zap.NewNop(), Now: time.Now})
		for {
			if _, err := s.MergeBooks(t.Context(), now, 1); err != nil {
				t.Fatal(err)
			}
			fmt.Println("step")
		}
	}
	path := filepath.Join(t.TempDir(), "mutt.db")
	s := openOn(t, store.Options{Path: path, Logger: zap.NewNop(), Now: time.Now})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var counts []store.MinuteCount
	want := int64(0)
	for m := range int64(100 * 60) {
		counts = append(counts, store.MinuteCount{Minute: now.Unix()/60 - 50*24*60 + m, Process: "a", Kind: "received", N: m})
		want += m
	}
	check := func(when string) {
		t.Helper()
		if err := s.FoldCounts(t.Context(), counts); err != nil {
			t.Fatal(err)
		}
		if b, err := s.Books(t.Context()); err != nil || b.Kinds["received"] != want {
			t.Fatalf("%s: %d, %v, want %d", when, b.Kinds["received"], err, want)
		}
	}
	check("before")
	for round := range 6 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMergeKilled$")
		child.Env = append(os.Environ(), mergeFile+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(12) {
			if !lines.Scan() || lines.Text() != "step" {
				t.Fatalf("the child said %q, %v", lines.Text(), lines.Err())
			}
		}
		time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, func() { _ = child.Process.Kill() })
		for lines.Scan() { // until it is dead
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		check(fmt.Sprint("after kill ", round))
	}
	if _, err := s.MergeBooks(t.Context(), now, 1000); err != nil {
		t.Fatal(err)
	}
	check("merged")
}
