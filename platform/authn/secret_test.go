package authn

import (
	"regexp"
	"testing"
)

// TestSecretForm holds the form that docs/guides/access.md gives to scanners.
func TestSecretForm(t *testing.T) {
	t.Parallel()
	form, seen := regexp.MustCompile(`^mutt_[a-z2-7]{58}$`), map[string]bool{}
	for range 100 {
		s := NewSecret()
		text := s.Reveal()
		if !form.MatchString(text) || seen[text] || IsDamaged(text) {
			t.Fatalf("%q", text)
		}
		seen[text] = true
		for _, bad := range []string{text[:len(text)-1], text + "a", text[:9] + "!" + text[10:], swap(text, 20), swap(text, 5), swap(text, 60), "mutt_"} {
			if !IsDamaged(bad) {
				t.Errorf("%q is taken for whole", bad)
			}
		}
	}
	for _, other := range []string{"", "chosen-by-hand", "MUTT_X", "mutt"} {
		if IsDamaged(other) {
			t.Errorf("%q is not ours", other)
		}
	}
}

// swap changes one character.
func swap(text string, at int) string {
	c := byte('a')
	if text[at] == 'a' {
		c = 'b'
	}
	return text[:at] + string(c) + text[at+1:]
}

func FuzzDamaged(f *testing.F) {
	f.Add("mutt_")
	f.Add(NewSecret().Reveal())
	f.Fuzz(func(_ *testing.T, text string) { IsDamaged(text) })
}
