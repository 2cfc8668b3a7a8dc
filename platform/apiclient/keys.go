package apiclient

import "time"

// Keys is the list of API keys, in the order of their ids.
type Keys struct {
	Keys []Key `json:"keys"`
}

// Key is one API key. Its secret is shown once, when it is made. Times are null for never.
type Key struct {
	ID        int64      `json:"id" doc:"number of the key"`
	Name      string     `json:"name" doc:"the audit shows it as key:NAME"`
	Role      string     `json:"role" enum:"role" doc:"what its holder may do"`
	Bootstrap bool       `json:"bootstrap" doc:"it is of the secret source, which alone changes it"`
	RateLimit int64      `json:"rate_limit" doc:"requests per minute, 0 for no limit"`
	CreatedAt time.Time  `json:"created_at" doc:"when it was made"`
	ExpiresAt *time.Time `json:"expires_at" doc:"when it ends"`
	LastUsed  *time.Time `json:"last_used" doc:"when the present secret was used last, up to two minutes behind"`
	// SecondSecret is null unless two secrets are accepted: after a rotation with a grace period, or while a next bootstrap
	// key is given.
	SecondSecret *SecondSecret `json:"second_secret" doc:"the other secret that is accepted: the one before a rotation, or the next one of the secret source"`
	Revision     int64         `json:"revision" doc:"of the change that it had last; If-Match takes it"`
}

// SecondSecret is the other secret of a key.
type SecondSecret struct {
	ExpiresAt *time.Time `json:"expires_at" doc:"until when it is accepted"`
	LastUsed  *time.Time `json:"last_used" doc:"when it was used last, up to two minutes behind"`
}

// KeyCreate asks for a new key.
type KeyCreate struct {
	Name      string     `json:"name" maxlen:"64" doc:"letters, digits, and . _ @ -; not beginning with bootstrap-" example:"netops-ci"`
	Role      string     `json:"role" enum:"role" doc:"what its holder may do"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"when it ends; without this and expires_in it does not"`
	ExpiresIn string     `json:"expires_in,omitempty" doc:"instead of expires_at: a length of time, or never" example:"90d"`
	RateLimit int64      `json:"rate_limit,omitempty" min:"0" max:"6000000" doc:"requests per minute, 0 for no limit; ten seconds' worth may come at once"`
	Reason    string     `json:"reason,omitempty" maxlen:"1000" doc:"why, for the audit"`
}

// KeyUpdate changes what it names of a key.
type KeyUpdate struct {
	Name             *string    `json:"name,omitempty" maxlen:"64" doc:"letters, digits, and . _ @ -; not beginning with bootstrap-" example:"netops-ci"`
	Role             *string    `json:"role,omitempty" enum:"role" doc:"what its holder may do"`
	ExpiresAt        *time.Time `json:"expires_at,omitempty" doc:"when it ends"`
	ExpiresIn        string     `json:"expires_in,omitempty" doc:"instead of expires_at: a length of time, or never" example:"90d"`
	RateLimit        *int64     `json:"rate_limit,omitempty" min:"0" max:"6000000" doc:"requests per minute, 0 for no limit"`
	DropSecondSecret bool       `json:"drop_second_secret,omitempty" doc:"refuse the secret before the last rotation from now on"`
	Reason           string     `json:"reason,omitempty" maxlen:"1000" doc:"why, for the audit"`
}

// KeyRotate asks for a new secret of a key.
type KeyRotate struct {
	Grace  string `json:"grace,omitempty" doc:"how long the old secret is accepted beside the new one; not at all without it" example:"1h"`
	Reason string `json:"reason,omitempty" maxlen:"1000" doc:"why, for the audit"`
}

// KeyMade answers the creation and the rotation of a key.
type KeyMade struct {
	ID      int64  `json:"id" doc:"number of the key"`
	Message string `json:"message" doc:"what was done"`
	Secret  string `json:"secret" doc:"what goes into X-API-KEY; it is shown this once"`
	Key     Key    `json:"key"`
}
