package api

import (
	"net/http"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
)

const tagAccess = "Access"

func opLogin() openapi.Operation {
	return openapi.Op(tagAccess, "login", "Log in", "Opens a session for the holder of a key. It ends with the key, after a time without calls, and after its greatest age.",
		openapi.Takes(apiclient.Login{}), openapi.Gives(ok, "the session, whose token is in the cookie", apiclient.Session{}, "Set-Cookie"),
		openapi.Fails(fault.Unauthorized, fault.Forbidden, fault.RateLimited, fault.StoreUnavailable))
}

func opGetSession() openapi.Operation {
	return openapi.Op(tagAccess, "getSession", "Show the session", "404 when the call came with a key.",
		openapi.Gives(ok, "the session that the call came by", apiclient.Session{}), openapi.Fails(fault.NotFound))
}

func opLogout() openapi.Operation {
	return openapi.Op(tagAccess, "logout", "Log out", "Ends the session in every process at once.",
		openapi.Gives(ok, "the session has ended", apiclient.Done{}, "Set-Cookie"), openapi.Fails(fault.NotFound))
}

func opListKeys() openapi.Operation {
	return openapi.Op(tagAccess, "listKeys", "List the API keys", "In the order of their ids; no secret is among it.",
		openapi.Gives(ok, "all keys", apiclient.Keys{}), openapi.Tagged())
}

func opGetKey() openapi.Operation {
	return openapi.Op(tagAccess, "getKey", "Show an API key", "Its ETag is what If-Match takes.", keyInPathByID(), openapi.Gives(ok, "the key", apiclient.Key{}), openapi.Tagged())
}

func opCreateKey() openapi.Operation {
	return openapi.Op(tagAccess, "createKey", "Create an API key", "The secret is shown in this answer and never again.",
		openapi.Takes(apiclient.KeyCreate{}), changed(), openapi.Gives(http.StatusCreated, "the key is accepted everywhere within a second", apiclient.KeyMade{}, "ETag"),
		openapi.Fails(fault.AlreadyExists))
}

func opUpdateKey() openapi.Operation {
	return openapi.Op(tagAccess, "updateKey", "Change an API key", "Takes the fields to change. Keys of the secret source are changed there.",
		keyInPathByID(), openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.KeyUpdate{}, Example: map[string]any{"rate_limit": 600, "reason": "one request a second was too few"}}),
		changed(), openapi.Gives(ok, "the key as it is now", apiclient.Key{}, "ETag"), openapi.Fails(fault.AlreadyExists, fault.Conflict))
}

func opRotateKey() openapi.Operation {
	return openapi.Op(tagAccess, "rotateKey", "Give an API key a new secret", "It keeps id, name, role and history. Sessions of the old secret end with it.",
		keyInPathByID(), openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.KeyRotate{}, Example: map[string]any{"grace": "1h", "reason": "yearly"}}),
		changed(), openapi.Gives(ok, "the new secret", apiclient.KeyMade{}, "ETag"), openapi.Fails(fault.Conflict))
}

func opDeleteKey() openapi.Operation {
	return openapi.Op(tagAccess, "deleteKey", "Delete an API key", "It is refused everywhere within a second, and its sessions end.",
		keyInPathByID(), changed(), openapi.Gives(ok, "the key is gone", apiclient.Done{}), openapi.Fails(fault.Conflict))
}

func keyInPathByID() openapi.Part { return named("id", "id of the key", openapi.Whole(1, greatest)) }
