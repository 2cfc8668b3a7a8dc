package event

import (
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestFoldHost(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "core-1": "core-1", "CORE-1": "core-1", "Core-1.Example.NET": "core-1.example.net", "2001:DB8::1": "2001:db8::1",
		"@[`{": "@[`{", "KÖLN": "kÖln", "\u212Aelvin": "\u212Aelvin", "A\xffB": "a\xffb",
	} {
		if got := FoldHost(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if got := string(AppendFoldedHost([]byte("x"), name)); got != "x"+want {
			t.Errorf("%q appended: %q", name, got)
		}
	}
	name := strings.Repeat("a-1.", 3)
	if got := FoldHost(name); unsafe.StringData(got) != unsafe.StringData(name) {
		t.Error("a folded name was copied")
	}
}

func TestSameHost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[aAbBäÄ\x{212A}k]{0,3}`), 2, 2).Draw(t, "names")
		if got, want := SameHost(names[0], names[1]), FoldHost(names[0]) == FoldHost(names[1]); got != want {
			t.Fatalf("%q and %q: %v", names[0], names[1], got)
		}
		if FoldHost(FoldHost(names[0])) != FoldHost(names[0]) {
			t.Fatalf("%q folds further", names[0])
		}
	})
}
