package acceptance

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// TestARestoredStoreWins restores PostgreSQL from a backup under three processes, one of which has no PostgreSQL: rules, settings and
// keys are those of the backup everywhere, within seconds, in both directions. Then with the processes that have the store
// stopped meanwhile, and with a Redis that has lost the snapshot in addition.
func TestARestoredStoreWins(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	all := []*apptest.MUTT{f.one, f.other, f.withoutPG}
	f.one.SetConfig("unhandled_threshold", 500)
	kept := f.newKey("kept") // revoked after the backup
	f.inForce("unhandled_threshold", 500.0, all...)
	f.servers.Backup()

	f.one.Change(http.MethodDelete, nil, nil, "keys", kept.ID)
	f.diverge(600)
	lost := f.newKey("lost") // made after the backup
	f.accepts(lost.Secret, all...)
	f.refuses(kept.Secret, all...)
	highest := f.revision()

	for _, c := range []struct {
		name    string
		restore func()
	}{
		{"under running processes", f.servers.Restore},
		{"while no process with the store runs", func() {
			f.one.Stop()
			f.other.Stop()
			f.servers.Restore()
			f.one.Restart(nil)
			f.other.Restart(nil)
		}},
		{"and Redis has lost the snapshot", func() {
			f.one.Stop()
			f.other.Stop()
			f.servers.Restore()
			f.forgetSnapshot()
			f.one.Restart(nil)
			f.other.Restart(nil)
		}},
	} {
		c.restore()
		begun := time.Now()
		f.inForce("unhandled_threshold", 500.0, all...)
		f.accepts(kept.Secret, all...)
		f.refuses(lost.Secret, all...)
		f.Logf("%s: in force in three processes after %v", c.name, time.Since(begun))

		f.diverge(700) // changes go on arriving, under numbers that were never used before
		f.inForce("unhandled_threshold", 710.0, all...)
		if now := f.revision(); now <= highest {
			f.Errorf("%s: revision %d, and %d was in use before", c.name, now, highest)
		} else {
			highest = now
		}
		var notes apiclient.Changes
		f.one.Get(&notes, map[string][]string{"table_name": {"revisions"}}, "audit")
		if len(notes.Logs) != 1 || notes.Logs[0].ChangedBy != "system" {
			f.Errorf("%s: the audit says %+v", c.name, notes.Logs)
		}
	}
}

// diverge commits changes of its own, which end with the value that is first + 10.
func (f *fleet) diverge(first int) {
	f.Helper()
	for i := range 11 {
		f.one.SetConfig("unhandled_threshold", first+i)
	}
}

// revision returns the store's, once all processes are listed with it: the list is as old as their last heartbeats.
func (f *fleet) revision() (n int64) {
	f.Helper()
	n, err := strconv.ParseInt(f.servers.Postgres.SQL(f.servers.Database, "SELECT revision FROM revisions"), 10, 64)
	if err != nil {
		f.Fatal(err)
	}
	var list apiclient.Processes
	apptest.Eventually(f, "all processes work by the store's revision", func() (bool, any) {
		f.one.Get(&list, nil, "processes")
		return len(list.Processes) == 3 && !slices.ContainsFunc(list.Processes, func(p apiclient.Process) bool { return p.ConfigRevision != n }), list
	})
	return n
}

type newKey struct{ ID, Secret string }

func (f *fleet) newKey(name string) newKey {
	f.Helper()
	var made apiclient.KeyMade
	f.one.Change(http.MethodPost, map[string]any{"name": name, "role": "ingest"}, &made, "keys")
	return newKey{fmt.Sprint(made.ID), made.Secret}
}

// lets waits until a key is let in by processes, or by none. A source that tried wrong keys often is answered with 429.
func (f *fleet) lets(in bool, key string, processes []*apptest.MUTT) {
	f.Helper()
	apptest.Eventually(f, fmt.Sprintf("the key is let in everywhere: %v", in), func() (bool, any) {
		var got []int
		for _, m := range processes {
			got = append(got, m.Post("/api/v2/ingest", apptest.Event("h", "x"), "X-API-KEY", key).Status)
		}
		return !slices.ContainsFunc(got, func(s int) bool {
			return in != (s == http.StatusOK) || !in && s != http.StatusUnauthorized && s != http.StatusTooManyRequests
		}), got
	})
}

func (f *fleet) accepts(key string, processes ...*apptest.MUTT) {
	f.Helper()
	f.lets(true, key, processes)
}

func (f *fleet) refuses(key string, processes ...*apptest.MUTT) {
	f.Helper()
	f.lets(false, key, processes)
}

// forgetSnapshot removes the snapshot from Redis.
func (f *fleet) forgetSnapshot() {
	f.Helper()
	if n := f.servers.Redis.Do("DEL", "mutt:value:{snapshot}"); n != "1" {
		f.Fatalf("DEL answered %s", n)
	}
}
