package static

import "testing"

func TestWithoutQuery(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://h/hook":                       "https://h/hook",
		"https://h/hook?token=hush":            "https://h/hook?token=[redacted]",
		"https://h/hook?a=hush&b=hush%3D=hush": "https://h/hook?a=[redacted]&b=[redacted]",
		"https://h/hook?hush":                  "https://h/hook?[redacted]",
		"https://h/hook?":                      "https://h/hook?",
		"https://h/?a=#b":                      "https://h/?a=#b",
		"https://h/?a=hush&b=#c?d=e":           "https://h/?a=[redacted]&b=#c?d=e",
	} {
		if got := withoutQuery(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
