package coord_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/testkit"
)

func registry(c coord.Coord, id, name string) *coord.Registry {
	beats := int64(0)
	return coord.NewRegistry(c, func() coord.Process {
		beats++
		return coord.Process{ID: id, Name: name, Roles: []string{"ui"}, Version: "3.0", StartedAt: time.Unix(1, 0).UTC(),
			Listeners: []string{"http :8080"}, ConfigRevision: beats, Secrets: map[string]string{"REDIS_PASS": "v1"}}
	}, zap.NewNop())
}

func names(t *testing.T, r *coord.Registry) []string {
	t.Helper()
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, p := range list {
		out = append(out, p.Name+"/"+p.ID)
	}
	return out
}

func TestRegistryListsTheLiving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := coord.NewLocal(time.Now)
		a, b := registry(shared, "1", "b"), registry(shared, "2", "a")
		start(t, a)
		stop := start(t, b)
		synctest.Wait()
		if got := names(t, a); !slices.Equal(got, []string{"a/2", "b/1"}) {
			t.Fatalf("living: %q", got)
		}
		<-time.After(time.Minute)
		list, err := b.List(t.Context())
		if err != nil || len(list) != 2 || list[1].ConfigRevision < 19 || list[1].Secrets["REDIS_PASS"] != "v1" ||
			list[1].Listeners[0] != "http :8080" || !list[1].StartedAt.Equal(time.Unix(1, 0)) {
			t.Fatalf("the present state: %+v, %v", list, err)
		}
		stop()
		if got := names(t, a); !slices.Equal(got, []string{"b/1"}) {
			t.Fatalf("after a stop: %q", got)
		}
	})
}

func TestRegistryTellsNewsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := registry(coord.NewLocal(time.Now), "1", "a")
		start(t, r)
		for want := int64(1); want < 4; want++ {
			synctest.Wait()
			if list, err := r.List(t.Context()); err != nil || len(list) != 1 || list[0].ConfigRevision != want {
				t.Fatalf("beat %d: %+v, %v", want, list, err)
			}
			r.Tell()
		}
	})
}

func TestRegistryListsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	c := coord.NewLocal(time.Now)
	if err := c.Announce(t.Context(), coord.AnnounceParams{Group: "processes", Member: "9", Data: []byte(`{"name":7}`), TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if got := names(t, registry(c, "1", "a")); !slices.Equal(got, []string{"/9"}) {
		t.Fatalf("got %q", got)
	}
}

// TestRegistryOnRedisForgetsTheDead kills nothing: a client that is closed is what Redis sees of a process that died.
func TestRegistryOnRedisForgetsTheDead(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})
	dying := coord.NewRedis(connect(t, server), "mutt:")
	var all []*coord.Registry
	for i, c := range []*coord.Redis{coord.NewRedis(connect(t, server), "mutt:"), dying, coord.NewRedis(connect(t, server), "mutt:")} {
		r := registry(c, fmt.Sprint(i), "p")
		start(t, r)
		all = append(all, r)
	}
	until(t, "all are listed", 5*time.Second, func() bool { return len(names(t, all[0])) == 3 })
	if err := dying.Close(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	server.Start()
	answers(t, connect(t, server))
	began := time.Now()
	until(t, "the dead one is gone", 15*time.Second, func() bool {
		list, err := all[0].List(t.Context())
		return err == nil && len(list) == 2
	})
	t.Logf("gone after %v", time.Since(began))
}
