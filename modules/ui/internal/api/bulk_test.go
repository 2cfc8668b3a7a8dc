package api

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// manyOnly is a store that only takes changes which keep judging waiting for a short time.
type manyOnly struct{ Store }

func (manyOnly) Change(context.Context, store.Actor, string, func(*store.Tx) error) (int64, error) {
	return 0, errors.New("everything is done within the write transaction")
}

// TestBulkChangesArePreparedAhead holds that imports of hosts, teams and rules, and the rollback of everything that they changed, are
// prepared before the write transaction.
func TestBulkChangesArePreparedAhead(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(d *Deps) { d.Store = manyOnly{d.Store} })
	entries := func() rule.Tables {
		_, tables, err := b.store.Ruleset(t.Context())
		b.must(err)
		tables.Version = 0
		return tables
	}
	b.expect(200, importCall("", "application/yaml", twoRules))
	for path, files := range map[string][2]string{
		"/dev-hosts": {"hostname\nlab1\nlab2\n", "hostname\nLAB2\nlab3\n"},
		"/teams":     {"hostname,team\nsw1,A\nsw2,A\n", "hostname,team\nSW2,B\nsw3,B\n"},
	} {
		b.expect(200, csvCall(path, files[0]))
		before := entries()
		id := b.expect(200, csvCall(path+"?mode=replace", files[1]))["audit_id"].(float64)
		replaced := entries()
		b.expect(200, wholeOf(id, ""))
		if after := entries(); !reflect.DeepEqual(after, before) || reflect.DeepEqual(replaced, before) {
			t.Errorf("%s: after the rollback they are %v, want %v", path, after, before)
		}
	}
}

// TestImportsAreBoundedInChanges holds that one import changes as much as one rollback puts back, and that its remedy is a way.
func TestImportsAreBoundedInChanges(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var file strings.Builder
	for i := range maxChanged + 1 {
		fmt.Fprintf(&file, "h%d\n", i)
	}
	all := file.String()
	for _, query := range []string{"?dry_run=true", ""} {
		b.refuse(413, "", fmt.Sprintf("changes %d entries, and one import changes at most %d", maxChanged+1, maxChanged), csvCall("/dev-hosts"+query, all))
	}
	b.expect(200, csvCall("/dev-hosts", all[:strings.LastIndex(all[:len(all)-1], "\n")+1]))
	got := b.expect(200, csvCall("/dev-hosts?mode=replace", all))
	if got["created"] != 1.0 || got["unchanged"] != float64(maxChanged) {
		t.Errorf("%v", got)
	}
}
