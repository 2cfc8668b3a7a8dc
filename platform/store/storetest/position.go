package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

func positionCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"a restored store does not continue what came after": restoredStores,
		"a new epoch is above everything that was seen":      newEpoch,
		"processes that see it at once begin one epoch":      oneEpoch,
		"a store without its row of revisions is damaged":    withoutRevisions,
	}
}

// lived opens a store on which the first changes were the same as on each other one, so that the chains are too; then come
// changes of its own.
func lived(t *testing.T, h Harness, common int, own ...string) *store.Store {
	s := open(t, h).Store
	for i := range common {
		change(t, s, func(tx *store.Tx) error { return tx.SetConfig("common", fmt.Sprint(i)) })
	}
	for _, value := range own {
		change(t, s, func(tx *store.Tx) error { return tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: value}) })
	}
	return s
}

func positionOf(t testing.TB, s *store.Store) store.Position {
	t.Helper()
	return value[store.Position](t)(s.Position(t.Context()))
}

func restoredStores(t *testing.T, h Harness) {
	before := positionOf(t, lived(t, h, 3, "A", "B"))
	legacy := func(p store.Position) store.Position { p.Head = store.ChainPoint{}; return p }
	backup := lived(t, h, 3)
	for name, c := range map[string]struct {
		store *store.Store
		seen  store.Position
		want  bool
	}{
		"the same state":                         {backup, positionOf(t, backup), true},
		"a later state":                          {lived(t, h, 3, "A", "B", "C"), before, true},
		"a backup":                               {backup, before, false},
		"a backup, changed as often":             {lived(t, h, 3, "A", "C"), before, false},
		"a backup, changed more often":           {lived(t, h, 3, "C", "D", "E", "F"), before, false},
		"an empty store":                         {lived(t, h, 0), before, false},
		"the first state":                        {backup, store.Position{}, true},
		"a backup, seen by an old version":       {backup, legacy(before), false},
		"a later state, seen by an old version":  {lived(t, h, 3, "A", "B", "C"), legacy(before), true},
		"a state of an epoch that is not in it":  {backup, store.Position{Epoch: 1, Revision: 1}, false},
		"a state of the head with other numbers": {backup, store.Position{Revision: 1000, Head: positionOf(t, backup).Head}, false},
	} {
		if got := value[bool](t)(c.store.Continues(t.Context(), c.seen)); got != c.want {
			t.Errorf("%s: continues is %v", name, got)
		}
	}

	// What retention removed cannot be compared, and is not called a difference.
	clock := newClock()
	pruned := h.Open(t, store.Options{Now: clock.Now, Logger: zap.NewNop()}).Store
	var early store.Position
	for i := range 4 {
		change(t, pruned, func(tx *store.Tx) error { return tx.SetConfig("a", fmt.Sprint(i)) })
		if i == 0 {
			early = positionOf(t, pruned)
		}
	}
	clock.Add(48 * time.Hour)
	if n := value[int64](t)(pruned.PruneChanges(t.Context(), actor(), "", clock.Now().Add(-24*time.Hour), 100)); n != 4 {
		t.Fatalf("removed %d", n)
	}
	if !value[bool](t)(pruned.Continues(t.Context(), early)) {
		t.Error("a state before the anchor is said to be of another store")
	}
}

func newEpoch(t *testing.T, h Harness) {
	ahead := positionOf(t, lived(t, h, 3, "A", "B", "C"))
	s := lived(t, h, 3)
	old := positionOf(t, s)
	must(t, s.CreateSession(t.Context(), store.Session{TokenHash: make([]byte, 32), Name: "ended since", Role: "admin", ExpiresAt: newClock().Now().Add(time.Hour)}))
	if !value[bool](t)(s.NewEpoch(t.Context(), ahead)) {
		t.Fatal("no new epoch")
	}
	now := positionOf(t, s)
	if now.Epoch != 1 || now.Revision <= ahead.Revision || now.Ruleset <= ahead.Ruleset || !ahead.Before(now) || !old.Before(now) {
		t.Errorf("%+v after %+v, and %+v was seen", now, old, ahead)
	}
	if value[bool](t)(s.NewEpoch(t.Context(), ahead)) || positionOf(t, s) != now {
		t.Error("the same finding began a second epoch")
	}
	c := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{Limit: 1})).Items[0]
	if c.TableName != store.TableRevisions || c.ChangedBy != "system" || c.Revision != now.Revision || c.Reason == "" ||
		c.OldValue != fmt.Sprintf(`{"epoch":0,"revision":%d}`, old.Revision) || c.NewValue != fmt.Sprintf(`{"epoch":1,"revision":%d}`, now.Revision) {
		t.Errorf("the audit says %+v", c)
	}
	if found := value[*store.Session](t)(s.Session(t.Context(), make([]byte, 32))); found != nil {
		t.Errorf("a session came back: %+v", found)
	}
	if _, _, err := s.VerifyChain(t.Context()); err != nil {
		t.Error(err)
	}
	if next := change(t, s, func(tx *store.Tx) error { return tx.SetConfig("b", "1") }); next != now.Revision+1 {
		t.Errorf("the next change has revision %d after %d", next, now.Revision)
	}
}

func oneEpoch(t *testing.T, h Harness) {
	ahead := positionOf(t, lived(t, h, 3, "A", "B", "C"))
	s := lived(t, h, 3)
	var all sync.WaitGroup
	began := make(chan bool, 8)
	for i := range cap(began) {
		seen := ahead
		seen.Revision += int64(i) // some know more than others
		all.Go(func() {
			ok, err := s.NewEpoch(t.Context(), seen)
			if err != nil {
				t.Error(err)
			}
			began <- ok
		})
	}
	all.Wait()
	close(began)
	n := 0
	for ok := range began {
		if ok {
			n++
		}
	}
	if now := positionOf(t, s); n != 1 || now.Epoch != 1 || now.Revision <= ahead.Revision+8 {
		t.Errorf("%d epochs begun, %+v", n, now)
	}
}

// withoutRevisions: a restore in part must not look like a store that is away, for which processes wait.
func withoutRevisions(t *testing.T, h Harness) {
	s := open(t, h)
	must(t, s.Exec(`DELETE FROM revisions`))
	_, err := s.Store.Position(t.Context())
	_, changed := s.Store.Change(t.Context(), store.Actor{Name: "x"}, "", func(tx *store.Tx) error { return tx.SetConfig("k", "1") })
	_, continues := s.Store.Continues(t.Context(), store.Position{})
	for _, err := range []error{err, changed, continues} {
		if f, ok := fault.As(err); !ok || f.Code != fault.Corrupt || !strings.Contains(f.Message, "revisions must have one row") {
			t.Errorf("%v", err)
		}
	}
}
