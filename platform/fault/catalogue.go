package fault

import "net/http"

// The codes. A code is never renamed or reused; its meaning and remedy are in Catalogue.
const (
	Internal           Code = "internal"
	BadRequest         Code = "bad_request"
	InvalidField       Code = "invalid_field"
	Unauthorized       Code = "unauthorized"
	Forbidden          Code = "forbidden"
	CSRFToken          Code = "csrf_token"
	NotFound           Code = "not_found"
	MethodNotAllowed   Code = "method_not_allowed"
	UnsupportedVersion Code = "unsupported_version"
	AlreadyExists      Code = "already_exists"
	Conflict           Code = "conflict"
	PreconditionFail   Code = "precondition_failed"
	TooLarge           Code = "too_large"
	UnsupportedType    Code = "unsupported_media_type"
	Unprocessable      Code = "unprocessable"
	RateLimited        Code = "rate_limited"
	Busy               Code = "busy"
	TooSlow            Code = "too_slow"
	QueueFull          Code = "queue_full"
	QueueUnavailable   Code = "queue_unavailable"
	QueueNotDurable    Code = "queue_not_durable"
	QueueEvicts        Code = "queue_evicts"
	StoreUnavailable   Code = "store_unavailable"
	ValueRefused       Code = "value_refused"
	FeatureOff         Code = "feature_off"
	LeaseLost          Code = "lease_lost"
	LeaseHeld          Code = "lease_held"
	StaleReceipt       Code = "stale_receipt"
	DuplicateKey       Code = "duplicate_key"
	Closed             Code = "closed"
	NewerVersion       Code = "newer_version"
	OlderSchema        Code = "older_schema"
	Corrupt            Code = "corrupt"
	DataDirLocked      Code = "data_dir_locked"
	ConfigInvalid      Code = "config_invalid"
	ListenFailed       Code = "listen_failed"
	ServerUnreachable  Code = "server_unreachable"
	SecretsUnavailable Code = "secrets_unavailable"
	SecretUnfit        Code = "secret_unfit"
	FileUnsafe         Code = "file_unsafe"
	WrongHost          Code = "wrong_host"
)

// Entry is one row of the catalogue.
type Entry struct {
	Code    Code
	Status  int // the HTTP status an API answers with
	Meaning string
	Remedy  string
}

// Catalogue lists every code once, in the order of the reference page.
func Catalogue() []Entry {
	return []Entry{
		{BadRequest, http.StatusBadRequest, "the request is not well formed", "correct the request as the message says"},
		{InvalidField, http.StatusBadRequest, "a field has a value it may not have", "correct the named field"},
		{Unauthorized, http.StatusUnauthorized, "no key, or one that is not known", "send a valid key in X-API-KEY"},
		{Forbidden, http.StatusForbidden, "the key has too little right", "use a key with the role that the message names"},
		{CSRFToken, http.StatusForbidden, "a write by a session's cookie came without the session's token", "send the csrf_token of GET /session in X-CSRF-Token"},
		{NotFound, http.StatusNotFound, "there is no such thing", "check the name or id; list what exists first"},
		{MethodNotAllowed, http.StatusMethodNotAllowed, "this path does not take this method", "see the API reference"},
		{UnsupportedVersion, http.StatusNotAcceptable, "the API version that Accept-Version asks for does not exist", "ask for one that X-API-Supported-Versions names, or leave the header out"},
		{AlreadyExists, http.StatusConflict, "something of this name exists", "change the existing one, or choose another name"},
		{Conflict, http.StatusConflict, "the change contradicts the present state", "read the present state and try again"},
		{PreconditionFail, http.StatusPreconditionFailed, "it was changed since you read it", "read it again, then repeat the change with the new revision"},
		{TooLarge, http.StatusRequestEntityTooLarge, "the body or an event exceeds a limit", "send less at a time, or raise the limit"},
		{UnsupportedType, http.StatusUnsupportedMediaType, "the content type or encoding is not understood", "send application/json or application/x-ndjson, plain, gzip or zstd"},
		{Unprocessable, http.StatusUnprocessableEntity, "a value is well formed but not allowed", "correct the named field"},
		{RateLimited, http.StatusTooManyRequests, "the rate limit is used up", "wait as long as Retry-After says"},
		{QueueFull, http.StatusServiceUnavailable, "the queue holds as many events or bytes as it may", "send again after Retry-After; look at why consumers are slow, or raise max_ingest_queue_size"},
		{Busy, http.StatusServiceUnavailable, "as much of this is in progress as may be at once", "send it again after Retry-After"},
		{TooSlow, http.StatusRequestTimeout, "the request came too slowly", "send it again; look at the line between the client and MUTT"},
		{QueueUnavailable, http.StatusServiceUnavailable, "the queue cannot be reached or written", "send again after Retry-After; check the disk, or Redis"},
		{QueueNotDurable, http.StatusInternalServerError, "Redis does not keep what queue.durability promises", "set appendonly and appendfsync of Redis as the message says, or choose another queue.durability"},
		{QueueEvicts, http.StatusInternalServerError, "Redis deletes data when its memory is full", "set maxmemory-policy noeviction in Redis"},
		{StoreUnavailable, http.StatusServiceUnavailable, "the relational store cannot be reached", "try again; check the disk, or PostgreSQL"},
		{ValueRefused, http.StatusInternalServerError, "the relational store refuses a value, now and later", "shorten or correct the value; report it, because MUTT should have refused it first"},
		{FeatureOff, http.StatusServiceUnavailable, "this function is switched off", "switch it on in the configuration"},
		{LeaseLost, http.StatusConflict, "another process took over this partition", "none: the work is done by the other process"},
		{LeaseHeld, http.StatusConflict, "another process holds this partition", "none: it is taken over when the holder goes"},
		{StaleReceipt, http.StatusConflict, "the entry was settled before", "none"},
		{DuplicateKey, http.StatusOK, "an event with this id was accepted before", "none: a repeat is answered as accepted"},
		{Closed, http.StatusServiceUnavailable, "the process is stopping", "try again, or ask another process"},
		{NewerVersion, http.StatusServiceUnavailable, "written by a newer version of MUTT", "update this process; nothing was changed"},
		{OlderSchema, http.StatusServiceUnavailable, "the schema of the store is older than this program", "run 'mutt migrate up' once, or start with --migrate"},
		{Corrupt, http.StatusInternalServerError, "stored data does not decode", "keep the data directory and report the entry id"},
		{DataDirLocked, http.StatusConflict, "another MUTT process uses this data directory", "stop that process, or choose another MUTT_DATA_DIR"},
		{ConfigInvalid, http.StatusInternalServerError, "the configuration has an error", "correct the named setting"},
		{ListenFailed, http.StatusInternalServerError, "an address cannot be listened on", "free the port or choose another address"},
		{SecretsUnavailable, http.StatusServiceUnavailable, "the passwords and keys cannot be read from where they are kept", "check Vault, or the files of secrets, as the message says"},
		{SecretUnfit, http.StatusInternalServerError, "a password or key cannot be used for what it is for", "write it again where the message says"},
		{FileUnsafe, http.StatusInternalServerError, "another user may change a file or directory that MUTT trusts", "run the command that the message names, then start again"},
		{WrongHost, http.StatusMisdirectedRequest, "a listener of this machine was asked by a name that it does not answer to", "ask for localhost, or add the name to admin.hosts"},
		{ServerUnreachable, http.StatusBadGateway, "no MUTT server answers at this address", "start it with 'mutt serve', or give --server"},
		{Internal, http.StatusInternalServerError, "a fault inside MUTT", "look in the log for the correlation id and report it"},
	}
}

// Describe gives the catalogue row of a code, that of Internal for an unknown one.
func Describe(code Code) Entry {
	rows := Catalogue()
	for _, r := range rows {
		if r.Code == code {
			return r
		}
	}
	return rows[len(rows)-1]
}
