package authn

import (
	"testing"
	"time"
)

func TestKeyring(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	k := NewKeyring(func() time.Time { return now })
	if _, v := k.Authenticate("anything"); v != Unknown {
		t.Fatal("an empty ring knows nobody")
	}
	k.Swap([]Key{
		{Identity: Identity{Name: "key:a", Role: Admin}, Hash: HashSecret("secret-a")},
		{Identity: Identity{Name: "key:old", Role: Viewer}, Hash: HashSecret("secret-old"), Expires: now},
	})
	if key, v := k.Authenticate("secret-a"); v != Accepted || key.Identity.Name != "key:a" {
		t.Fatalf("got %+v %v", key, v)
	}
	for bad, want := range map[string]Verdict{"": Unknown, "secret-old": Expired, "secret-A": Unknown, "secret-a ": Unknown, "mutt_abc": Damaged} {
		if _, v := k.Authenticate(bad); v != want {
			t.Errorf("%q: got %v, want %v", bad, v, want)
		}
	}
	k.Swap(nil)
	if _, v := k.Authenticate("secret-a"); v != Unknown {
		t.Fatal("a removed key is refused at once")
	}
}

// TestUse holds that use is noted by the second and survives the exchange of the ring.
func TestUse(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	now := start
	k := NewKeyring(func() time.Time { return now })
	ring := []Key{{Hash: HashSecret("a")}, {Hash: HashSecret("b")}, {Hash: HashSecret("old"), Expires: start}}
	k.Swap(ring)
	k.Authenticate("old")
	if uses := k.Uses(time.Time{}); len(uses) != 0 {
		t.Errorf("nobody came in: %v", uses)
	}
	k.Authenticate("a")
	now = now.Add(time.Second / 2)
	k.Authenticate("a")
	k.Swap(ring)
	if uses := k.Uses(start); len(uses) != 1 || uses[0] != (Use{HashSecret("a"), start}) {
		t.Errorf("got %v", uses)
	}
	now = now.Add(time.Second)
	k.Authenticate("a")
	if uses := k.Uses(now); len(uses) != 1 || !uses[0].At.Equal(now) {
		t.Errorf("got %v", uses)
	}
	if uses := k.Uses(now.Add(time.Second)); len(uses) != 0 {
		t.Errorf("not used since: %v", uses)
	}
}

// TestAuthenticatingAllocatesNothing is for the ingest path.
func TestAuthenticatingAllocatesNothing(t *testing.T) {
	k := NewKeyring(time.Now)
	text := NewSecret().Reveal()
	k.Swap([]Key{{Hash: HashSecret(text)}})
	if n := testing.AllocsPerRun(100, func() {
		if _, v := k.Authenticate(text); v != Accepted {
			t.Error("refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	k := NewKeyring(time.Now)
	text := NewSecret().Reveal()
	k.Swap([]Key{{Hash: HashSecret(text)}})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k.Authenticate(text)
		}
	})
}
