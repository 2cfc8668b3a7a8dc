package apiclient

import "time"

// Login opens a session of the user interface.
type Login struct {
	Key string `json:"key" doc:"the secret of an API key of at least the role viewer"`
}

// Session is the session that a call came by. Its token is in the cookie mutt_session, over TLS __Host-mutt_session, which scripts cannot read.
type Session struct {
	Name        string    `json:"name" doc:"as the audit shows it"`
	Role        string    `json:"role" enum:"role" doc:"what it may do now"`
	ExpiresAt   time.Time `json:"expires_at" doc:"when it ends in any case"`
	IdleSeconds int64     `json:"idle_seconds" doc:"how long it lives without a call"`
	CSRFToken   string    `json:"csrf_token" doc:"goes into X-CSRF-Token of every call but GET that comes by the cookie"`
}
