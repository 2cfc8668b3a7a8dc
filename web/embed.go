// Package web holds the files that browsers get, compiled into the binary.
//
// Principles:
//  1. Embed only: no logic lives here. Who serves a file parses and checks it once, at start.
//  2. Nothing is fetched from elsewhere: a page works on a network without the Internet.
package web

import "embed"

// Assets holds templates/*.html (html/template), static/* (served under /static/), and the licences of what others made of it.
//
//go:embed templates static licences
var Assets embed.FS
