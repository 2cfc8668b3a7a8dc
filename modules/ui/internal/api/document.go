package api

import (
	"fmt"
	"hash/fnv"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/openapi"
)

// about is what the document says of the API as a whole.
const about = `The admin API of MUTT, and what senders of events use.

- Every operation but those of role public needs a key, as X-API-KEY or as a bearer token. x-mutt-role names the least role: ` +
	`viewer, operator and admin include each other in this order; ingest sends events only, which admin may too; any takes every key.
- A browser opens a session instead (POST /session): the cookie comes along by itself, and every call but GET brings X-CSRF-Token.
- Every answer carries X-Correlation-ID (the caller's, when it is sane), X-API-Version and X-API-Supported-Versions; below /api/v1 and ` +
	`/api/v2 also X-API-Deprecated. Accept-Version asks for a version: v1, v2 and v2.5 are known, another is answered with 406.
- Every failure has the form Error. Its code is permanent, its remedy says what to do. 429 and 503 carry Retry-After.
- A write names its reason and may name the revision that it was made for, as If-Match: 412 says that it is another by now.
- In a body, an optional member may be null. Members that are not declared are refused.
- A query parameter that an operation does not declare is refused with the nearest name, as is one that is empty or given twice: 400. So is an If-Match without a revision.
- HEAD is served wherever GET is. A method that a path does not take is answered with 405, and the header Allow.
- Lists that are long are read by page, or where there is a next_cursor by cursor.`

// NewDocument returns the OpenAPI document of this package's endpoints and those of the listener for senders. keys are the dynamic keys
// that /config shows.
func NewDocument(senders []openapi.Operation, keys []*config.Key) *openapi.Document {
	return openapi.New(openapi.Info{
		Title: "MUTT", Version: "2.5", Description: about, Error: apiclient.Error{}, Vocabulary: vocabulary(), Headers: headers(),
		Members: map[string]openapi.Properties{"dynamic_keys": keyMembers(keys)},
		Tags: []openapi.Tag{
			{Name: "Events", Description: "Sending events to the ingest listener."},
			{Name: tagRules, Description: "What is done with which event."},
			{Name: tagHosts, Description: "Hosts whose events take a rule's dev_handling."},
			{Name: tagTeams, Description: "Who gets the meta-alerts of a device."},
			{Name: tagConfig, Description: "Keys that are changed while MUTT runs. 503 feature_off when dynamic_config.enabled is false."},
			{Name: tagAudit, Description: "What was judged, and who changed what."},
			{Name: tagAccess, Description: "API keys, and the sessions of the user interface."},
			{Name: tagQueues, Description: "What waits, and what could not be delivered."},
			{Name: tagSecrets, Description: "Rotations of passwords and keys; never a secret."},
			{Name: tagAbout, Description: "Versions, processes, rates and books."},
		},
	}, append((&API{}).Operations(), senders...))
}

// keyMembers describes the dynamic keys as members of an object.
func keyMembers(keys []*config.Key) openapi.Properties {
	types := map[config.Type]string{config.Int: "integer", config.Float: "number", config.Bool: "boolean", config.String: "string"}
	members := make(openapi.Properties, len(keys))
	for i, k := range keys {
		s := &openapi.Schema{Type: openapi.Types{types[k.Type]}, Enum: k.Options, Default: k.Default, Description: k.Description + "; takes " + k.Takes()}
		if k.Unit != "" {
			s.Description += ", in " + k.Unit
		}
		if k.Type == config.Int {
			least, most := int64(k.Min), int64(k.Max)
			s.Minimum, s.Maximum = &least, &most
		}
		members[i] = openapi.Property{Name: k.Name, Schema: s}
	}
	return members
}

func headers() map[string]string {
	return map[string]string{
		"ETag":                "of what is answered; If-None-Match and If-Match take it",
		"Location":            "path of what was made",
		"Content-Disposition": "name for the file",
		"Retry-After":         "seconds to wait",
		"Set-Cookie":          "the session's token: HttpOnly, SameSite=Lax",
	}
}

// openapi answers with the document.
func (a *API) openapi(c echo.Context) error {
	hash := fnv.New64a()
	_, _ = hash.Write(a.Document) // never fails
	return answerTagged(c, fmt.Sprintf(`"%016x"`, hash.Sum64()), jsonType, a.Document)
}
