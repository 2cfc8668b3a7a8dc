package app

import "runtime/debug"

// Version is the version of this source tree (semantic versioning).
const Version = "3.0.0-dev"

// Commit gives the commit that the binary was built from, "" when the build did not record it.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
