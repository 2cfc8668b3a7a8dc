package apiclient

import "time"

// Rotation is how far the last rotation of a secret has come. Versions are those of its path in Vault.
type Rotation struct {
	Secret    string    `json:"secret" doc:"what is rotated" enum:"rotated"`
	ID        string    `json:"id" doc:"of this rotation"`
	Step      string    `json:"step" doc:"that is under way, or how it ended" enum:"rotation_step"`
	Open      bool      `json:"open" doc:"it has not ended"`
	Abortable bool      `json:"abortable" doc:"it can still be taken back"`
	Base      int64     `json:"base" doc:"version before it"`
	Staged    int64     `json:"staged" doc:"version that has the next secret, 0 before there is one"`
	Promoted  int64     `json:"promoted" doc:"version in which that is the current one, 0 before there is one"`
	StartedAt time.Time `json:"started_at" doc:"when"`
	StartedBy string    `json:"started_by" doc:"by whom"`
	UpdatedAt time.Time `json:"updated_at" doc:"when it came to this step"`
	UpdatedBy string    `json:"updated_by" doc:"who brought it there"`
	Revision  int64     `json:"revision" doc:"of the change that it had last; If-Match takes it"`
}

// Rotations answers /secrets/rotations.
type Rotations struct {
	Rotations []Rotation `json:"rotations"`
}

// RotationInput brings a rotation to its next step.
type RotationInput struct {
	ID       string `json:"id" doc:"of the rotation; a new one begins it" maxlen:"64" example:"019ab3c8-5b4c-7000-8000-000000000001"`
	Step     string `json:"step" doc:"that is under way from now on, or aborted" enum:"rotation_step"`
	Base     int64  `json:"base" doc:"version before the rotation" min:"1"`
	Staged   int64  `json:"staged,omitempty" doc:"version that has the next secret" min:"0"`
	Promoted int64  `json:"promoted,omitempty" doc:"version in which that is the current one" min:"0"`
	Reason   string `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
}

// RotationHold asks to be the only one that works on a rotation for a while; again before the time is over to go on, with release to end it.
type RotationHold struct {
	Holder  string `json:"holder" doc:"who, unique" maxlen:"128" example:"anna@ops-1/4711"`
	Release bool   `json:"release,omitempty" doc:"end it now"`
}

// RotationHeld answers a RotationHold.
type RotationHeld struct {
	Held    bool    `json:"held" doc:"it is the caller's"`
	Holder  string  `json:"holder" doc:"who has it, empty for nobody"`
	Seconds float64 `json:"seconds" doc:"until it is over unless it is asked for again"`
}
