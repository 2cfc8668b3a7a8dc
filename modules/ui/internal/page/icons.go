package page

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// icon draws a sign. It is for the eye: the word beside it carries the meaning.
func icon(name string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		for _, part := range [...]string{`<svg class="i" viewBox="0 0 16 16" aria-hidden="true">`, drawing(name), `</svg>`} {
			if _, err := io.WriteString(w, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// drawing returns the lines of a sign on a field of 16 by 16.
func drawing(name string) string {
	switch name {
	case "overview":
		return `<path d="M1.5 8h3l2-5 3 10 2-5h3"/>`
	case "events":
		return `<path d="M2 4h1M2 8h1M2 12h1M6 4h8M6 8h8M6 12h8"/>`
	case "rules":
		return `<path d="M2.5 3v10M2.5 8H13M9.5 4.5 13 8l-3.5 3.5"/>`
	case "export":
		return `<path d="M8 10V2M4.75 5.25 8 2l3.25 3.25M2.5 9.5v4h11v-4"/>`
	case "more":
		return `<path d="M2 4h12M2 8h12M2 12h12"/>`
	case "sun":
		return `<circle cx="8" cy="8" r="2.5"/><path d="M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1"/>`
	case "person":
		return `<circle cx="8" cy="5" r="2.75"/><path d="M2.75 14c.5-3 2.5-4.25 5.25-4.25S12.75 11 13.25 14"/>`
	case "check":
		return `<path d="m2.5 8.5 3.5 3.5 7.5-8"/>`
	case "ok":
		return `<circle cx="8" cy="8" r="6.25"/><path d="m5 8.25 2 2L11 6"/>`
	case "clock":
		return `<circle cx="8" cy="8" r="6.25"/><path d="M8 4.5V8l2.5 1.5"/>`
	case "parked":
		return `<path d="M3 4.5 4.5 2.5h7L13 4.5v9H3zM3 9.5h2.5l1 1.5h3l1-1.5H13M6.5 5l3 3M9.5 5l-3 3"/>`
	case "lines":
		return `<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h7"/>`
	case "ignored":
		return `<circle cx="8" cy="8" r="6.25"/><path d="M5 8h6"/>`
	case "unhandled":
		return `<path d="M5.5 5.5c0-1.6 1-2.5 2.5-2.5s2.5 1 2.5 2.4c0 1.9-2.5 2-2.5 4.1M8 12.6v.4"/>`
	case "bell":
		return `<path d="M3 11.5h10c-1-1-1.25-2-1.25-4.5a3.75 3.75 0 0 0-7.5 0c0 2.5-.25 3.5-1.25 4.5zM6.5 13.75h3"/>`
	case "silenced":
		return `<path d="M3 11.5h10c-1-1-1.25-2-1.25-4.5a3.75 3.75 0 0 0-7.5 0c0 2.5-.25 3.5-1.25 4.5zM6.5 13.75h3M2 2l12 12"/>`
	case "shed":
		return `<path d="M8 2v7.5M4.75 6.5 8 9.75l3.25-3.25M2.5 13h11"/>`
	case "poison":
		return `<path d="M5.4 1.75h5.2l3.65 3.65v5.2l-3.65 3.65H5.4L1.75 10.6V5.4zM6 6l4 4M10 6l-4 4"/>`
	case "ticket":
		return `<path d="M1.75 4.5h12.5v2.25a1.25 1.25 0 0 0 0 2.5v2.25H1.75V9.25a1.25 1.25 0 0 0 0-2.5zM9.5 4.5v7"/>`
	case "warn":
		return `<path d="M8 2 1.5 13.5h13zM8 6.5v3.25M8 11.5v.25"/>`
	case "info":
		return `<circle cx="8" cy="8" r="6.25"/><path d="M8 7.5v3.5M8 5v.25"/>`
	case "breaker":
		return `<circle cx="4" cy="10" r="1.5"/><circle cx="12.5" cy="10" r="1.5"/><path d="M5.25 9.25 12 4.5M1 10h1.5"/>`
	case "edit":
		return `<path d="m3 13 .75-3L10.5 3.25l2.25 2.25L6 12.25z"/>`
	case "close":
		return `<path d="m4 4 8 8M12 4l-8 8"/>`
	case "left":
		return `<path d="M10 3 5 8l5 5"/>`
	case "right":
		return `<path d="m6 3 5 5-5 5"/>`
	case "play":
		return `<path d="M5 3.5v9l7.5-4.5z"/>`
	case "up":
		return `<path d="M8 13V3M4 7l4-4 4 4"/>`
	case "pause":
		return `<path d="M5.5 3.5v9M10.5 3.5v9"/>`
	case "forwarded":
		return `<path d="M2 8h11M9.5 4.5 13 8l-3.5 3.5"/>`
	case "plus":
		return `<path d="M8 3v10M3 8h10"/>`
	case "node":
		return `<circle cx="8" cy="8" r="5"/>`
	case "tank":
		return `<rect x="3.5" y="1.5" width="9" height="13" rx="1.5"/><path d="M5.5 8.5h5v4h-5z" fill="currentColor"/>`
	case "stop":
		return `<rect x="3" y="3" width="10" height="10" rx="1"/>`
	case "again":
		return `<path d="M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3"/>`
	case "search":
		return `<circle cx="7" cy="7" r="4.5"/><path d="m10.5 10.5 3.5 3.5"/>`
	case "from-syslog":
		return `<path d="M2 3h12v8.5H8L5 14v-2.5H2zM5 6h6M5 8.5h4"/>`
	case "from-trap":
		return `<path d="m8 1.5 1.75 4.75L14.5 8 9.75 9.75 8 14.5 6.25 9.75 1.5 8l4.75-1.75z"/>`
	case "from-HTTP":
		return `<path d="M5.5 2.5C3 2.5 5 8 2 8c3 0 1 5.5 3.5 5.5M10.5 2.5C13 2.5 11 8 14 8c-3 0-1 5.5-3.5 5.5"/>`
	case "from-replay":
		return `<path d="M3 8a5 5 0 1 0 1.75-3.75L3 6M3 2.5V6h3.5"/>`
	case "from-meta":
		return `<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11M5 2v12"/>`
	case "filter":
		return `<path d="M2 3h12l-4.5 5.5v4L6.5 14V8.5z"/>`
	}
	return `<circle cx="8" cy="8" r="4.5"/>`
}
