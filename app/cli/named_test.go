package cli

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

// TestPick holds that a word is never guessed to be an id or a name.
func TestPick(t *testing.T) {
	t.Parallel()
	rules := []named{{1, "first"}, {2, "7"}, {3, "1"}, {4, "id:1"}, {5, "name:first"}, {6, "link down"}, {8, "8"}, {9, "08"}, {10, ""}}
	for _, c := range []struct {
		word, id string
		code     fault.Code
		says     string
	}{
		{word: "first", id: "1"}, {word: "7", id: "2"}, {word: "name:7", id: "2"}, {word: "6", id: "6"}, {word: "id:6", id: "6"}, {word: "link down", id: "6"},
		{word: "8", id: "8"}, {word: "08", id: "9"}, {word: "name:1", id: "3"}, {word: "name:id:1", id: "4"}, {word: "name:name:first", id: "5"}, {word: "id:3", id: "3"},
		{word: "1", code: fault.Conflict, says: `rule 1 is named "first", rule 3 is named "1"`},
		{word: "id:1", code: fault.Conflict, says: `rule 4 is named "id:1"`},
		{word: "name:first", code: fault.Conflict, says: `rule 5 is named "name:first"`},
		{word: "id:7", code: fault.NotFound}, {word: "name:6", code: fault.NotFound}, {word: "01", code: fault.NotFound}, {word: "id:08", code: fault.NotFound},
		{word: "LINK DOWN", code: fault.NotFound, says: `did you mean "link down"`}, {word: "name:link dwn", code: fault.NotFound, says: `did you mean "link down"`},
		{word: "nonsense", code: fault.NotFound, says: "'mutt rules list' shows all"}, {word: "-1", code: fault.NotFound}, {word: "id:", code: fault.NotFound},
	} {
		id, err := pick("rule", "mutt rules list", c.word, rules)
		var text string
		if f, ok := fault.As(err); ok {
			text = f.Message + " " + f.Remedy
		}
		if id != c.id || c.code != "" && !fault.Is(err, c.code) || c.code == "" && err != nil || !strings.Contains(text, c.says) {
			t.Errorf("%q: %q %v %s", c.word, id, err, text)
		}
	}
}
