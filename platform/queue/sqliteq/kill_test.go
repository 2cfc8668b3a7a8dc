package sqliteq_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// childFile names the queue file of the process that is to be killed.
const childFile = "MUTT_TEST_SQLITEQ_CHILD"

// childMain turns the test binary into a process that appends and acks until it is killed, and tells what it did
// when it was done: "+id" for an append, "-id" for an ack, "?id" before an ack.
func childMain() bool {
	path := os.Getenv(childFile)
	if path == "" {
		return false
	}
	ctx := context.Background()
	d, err := sqliteq.Open(ctx, path, sqliteq.Options{Now: time.Now})
	if err != nil {
		fmt.Println("!", err)
		return true
	}
	var mu sync.Mutex
	tell := func(mark string, id event.ID) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s%s\n", mark, id)
	}
	for range 4 {
		go func() {
			for {
				e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 1, Body: make([]byte, 2000)}
				if d.Append(ctx, queue.AppendParams{Entries: []queue.Entry{e}}) == nil {
					tell("+", e.ID)
				}
			}
		}()
	}
	for {
		l, err := d.Acquire(ctx, queue.LeaseParams{Queue: queue.Ingest, Owner: "child", TTL: time.Hour})
		if err != nil {
			fmt.Println("!", err)
			return true
		}
		got, err := d.Claim(ctx, queue.ClaimParams{Lease: l, Max: 3, Wait: time.Second})
		for _, c := range got {
			tell("?", c.Entry)
			if err = d.Settle(ctx, queue.SettleParams{Lease: l, Ack: []event.ID{c.Entry}}); err == nil {
				tell("-", c.Entry)
			}
		}
		if err != nil {
			fmt.Println("!", err)
		}
	}
}

// ledger is what the outside world was told.
type ledger struct {
	appended, tried, acked map[event.ID]bool
}

// TestKill kills a process that works on the queue, again and again.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	told := &ledger{map[event.ID]bool{}, map[event.ID]bool{}, map[event.ID]bool{}}
	const rounds = 8
	for range rounds {
		runAndKill(t, path, told)
	}
	if len(told.appended) < rounds || len(told.acked) == 0 {
		t.Fatalf("only %d appends and %d acks", len(told.appended), len(told.acked))
	}
	left := drain(t, path)
	for id := range told.appended {
		if !left[id] && !told.tried[id] {
			t.Errorf("entry %s was accepted and is lost", id)
		}
	}
	for id := range told.acked {
		if left[id] {
			t.Errorf("entry %s was acked and is back", id)
		}
	}
	t.Logf("%d appended, %d acked, %d left", len(told.appended), len(told.acked), len(left))
}

func runAndKill(t *testing.T, path string, told *ledger) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	// It is killed at some moment after some deeds, however fast the machine is.
	for deeds := 5 + rand.IntN(60); ; deeds-- {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		told.read(t, line)
		if deeds == 0 {
			time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process ended by itself")
	}
}

func (l *ledger) read(t *testing.T, line string) {
	t.Helper()
	if line[0] == '!' {
		t.Fatalf("the process said: %s", line)
	}
	id, err := uuid.Parse(line[1 : len(line)-1])
	if err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	switch line[0] {
	case '+':
		l.appended[id] = true
	case '?':
		l.tried[id] = true
	case '-':
		l.acked[id] = true
	}
}

// drain gives what the queue still holds.
func drain(t *testing.T, path string) map[event.ID]bool {
	t.Helper()
	d, err := sqliteq.Open(t.Context(), path, sqliteq.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := d.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "heir", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: l, Max: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	left := map[event.ID]bool{}
	for _, c := range got {
		if left[c.Entry] {
			t.Errorf("entry %s is there twice", c.Entry)
		}
		left[c.Entry] = true
	}
	return left
}
