package api

import (
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// Bounds of what a key may have.
const (
	maxRateLimit = 6_000_000 // requests per minute
	maxExpiry    = 100 * 365 * 24 * time.Hour
	maxGrace     = 90 * 24 * time.Hour
)

// never as expires_in takes an expiry away.
const never = "never"

// bootstrapPrefix begins the names of the keys of the secret source, and of no others.
const bootstrapPrefix = "bootstrap-"

// edit sets what is given of a key.
func edit(k *store.APIKey, name, role *string, rateLimit *int64) error {
	if name != nil {
		if !keyName(*name) {
			return fault.Field(fault.Unprocessable, "name", "takes 1 to 64 letters, digits, and . _ @ -, and begins with a letter or digit")
		}
		if strings.HasPrefix(strings.ToLower(*name), bootstrapPrefix) {
			return fault.Field(fault.Unprocessable, "name", "names that begin with %s are those of the secret source", bootstrapPrefix)
		}
		k.Name = *name
	}
	if role != nil {
		r, ok := authn.ParseRole(*role)
		if !ok {
			return fault.Field(fault.Unprocessable, "role", "is none: choose ingest, viewer, operator or admin")
		}
		k.Role = r.String()
	}
	if rateLimit != nil {
		if *rateLimit < 0 || *rateLimit > maxRateLimit {
			return fault.Field(fault.Unprocessable, "rate_limit", "is a number of requests per minute from 1 to %d, or 0 for no limit", maxRateLimit)
		}
		k.RateLimit = *rateLimit
	}
	return nil
}

// keyName reports whether a text can be the name of a key: it is shown in tables, logs and the audit.
func keyName(s string) bool {
	const first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return s != "" && len(s) <= 64 && strings.Contains(first, s[:1]) && strings.Trim(s, first+"._@-") == ""
}

// expiry gives when a key expires, by one of two fields; zero for never.
func (a *API) expiry(at *time.Time, in string) (time.Time, error) {
	now := a.Now()
	switch {
	case at != nil && in != "":
		return time.Time{}, fault.Field(fault.Unprocessable, "expires_in", "goes without expires_at: give one of them")
	case in == never:
		return time.Time{}, nil
	case in != "":
		d, err := span("expires_in", in, maxExpiry)
		return now.Add(d), err
	case at == nil:
		return time.Time{}, nil
	case !at.After(now):
		return time.Time{}, fault.Field(fault.Unprocessable, "expires_at", "has passed")
	case at.Sub(now) > maxExpiry:
		return time.Time{}, fault.Field(fault.Unprocessable, "expires_at", "is more than 100 years away").WithRemedy("leave it out for a key that does not expire")
	}
	return *at, nil
}

// span reads a length of time in days ("90d") or as Go writes it ("12h", "1h30m"); "" is none.
func span(field, text string, longest time.Duration) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(n * 24 * float64(time.Hour))
		if !(n > 0 && n <= longest.Hours()/24) {
			d = 0
		}
	}
	if err != nil || d < time.Second || d > longest {
		return 0, fault.Field(fault.Unprocessable, field, "is a length of time such as 90d, 12h or 30m, from 1s to %.0fd", longest.Hours()/24)
	}
	return d, nil
}
