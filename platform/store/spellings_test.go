package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// index is a sorted list of names that counts the looks at it.
type index struct {
	names []string
	looks int
}

func (x *index) next(_ context.Context, from string) (string, error) {
	x.looks++
	i, _ := slices.BinarySearch(x.names, from)
	if i == len(x.names) {
		return "", sql.ErrNoRows
	}
	return x.names[i], nil
}

// TestSpellings holds that the walk finds exactly the names that differ from a host's in their case, whatever else is stored.
func TestSpellings(t *testing.T) {
	t.Parallel()
	names := rapid.StringMatching(`[aAbB1{@ö]{0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		x := index{names: rapid.SliceOf(names).Draw(t, "stored")}
		slices.Sort(x.names)
		x.names = slices.Compact(x.names)
		name := names.Draw(t, "name")
		var want []string
		for _, n := range x.names {
			if event.FoldHost(n) == event.FoldHost(name) {
				want = append(want, n)
			}
		}
		got, whole, err := spellings(t.Context(), name, x.next)
		if err != nil {
			t.Fatal(err)
		}
		if len(want) > maxSpellings {
			if whole {
				t.Fatalf("%d spellings and the walk is whole", len(want))
			}
			want = want[:maxSpellings]
		}
		if d := cmp.Diff(want, got); d != "" || !whole && len(want) < maxSpellings {
			t.Fatalf("%q among %q, whole %v: %s", name, x.names, whole, d)
		}
	})
}

// TestSpellingsAreFoundInAFewLooks holds what a walk costs among the names of a large network.
func TestSpellingsAreFoundInAFewLooks(t *testing.T) {
	t.Parallel()
	var x index
	for site := range 100 {
		for rack := range 10 {
			for unit := range 20 {
				x.names = append(x.names, fmt.Sprintf("core-sw-%02d.rack%d.site%d.example.net", unit, rack, site))
			}
		}
	}
	for _, other := range x.names[:2000] { // a relay writes some in capitals
		x.names = append(x.names, strings.ToUpper(other))
	}
	slices.Sort(x.names)
	most := 0
	for _, name := range []string{x.names[0], x.names[1999], x.names[2000], x.names[15_000], x.names[len(x.names)-1], "zz-not-there.example.net", "core-sw-05.not.there"} {
		x.looks = 0
		if _, whole, err := spellings(t.Context(), name, x.next); err != nil || !whole {
			t.Errorf("%q: whole %v, %v", name, whole, err)
		}
		most = max(most, x.looks)
	}
	if t.Logf("at most %d looks among %d names", most, len(x.names)); most > 12 {
		t.Errorf("%d looks", most)
	}
}

// TestHostileNamesEndAWalk holds that names that were made to prolong a walk end it.
func TestHostileNamesEndAWalk(t *testing.T) {
	t.Parallel()
	var x index
	for i := range 1 << 12 {
		spelling := []byte("abcdefghijkl")
		for k := range spelling {
			spelling[k] ^= byte(i>>k&1) << 5
		}
		x.names = append(x.names, string(spelling)+"x") // stands between two spellings
	}
	slices.Sort(x.names)
	if found, whole, err := spellings(t.Context(), "abcdefghijkl", x.next); err != nil || whole || len(found) > 0 || x.looks != maxLooks {
		t.Errorf("%q, whole %v, %d looks, %v", found, whole, x.looks, err)
	}
}
