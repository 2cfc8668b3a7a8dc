package app

import (
	"fmt"
	"strings"
	"testing"
)

// TestQueriesAreNotShown: a credential in the destination's URL is in no listing of the settings, and stays in force.
func TestQueriesAreNotShown(t *testing.T) {
	t.Parallel()
	c := load(t, "MOOG_WEBHOOK_URL=https://h/hook?token=hush", "PROMETHEUS_URL=http://p/?token=hush")
	var file strings.Builder
	if err := c.WriteYAML(&file); err != nil {
		t.Fatal(err)
	}
	shown := file.String()
	for _, v := range c.Values() {
		shown += "\n" + v.Path + " " + v.Source + " " + fmt.Sprint(v.Value)
	}
	if strings.Contains(shown, "hush") || strings.Count(shown, "?token=[redacted]") != 4 || c.Forward.URL != "https://h/hook?token=hush" {
		t.Errorf("%s", shown)
	}
	next := load(t, "MOOG_WEBHOOK_URL=https://h/hook?token=other", "PROMETHEUS_URL=http://p/?token=hush")
	if _, restart := c.Changes(&next); len(restart) != 1 || restart[0] != "forward.url" {
		t.Errorf("a change of what is not shown is a change: %v", restart)
	}
}
