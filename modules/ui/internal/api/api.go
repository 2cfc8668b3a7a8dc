// Package api serves the admin API: contracts.md section 4, one file for each resource.
//
// Principles:
//  1. One table of endpoints; both prefixes are generated from it, so that /api/v1 and /api/v2 cannot drift apart.
//  2. Payloads are the types of platform/apiclient: what the server renders is what the client reads.
//  3. Every write goes through store.Change, names its actor and reason, and is in force in this process before the
//     answer is written.
//  4. What is declared in the table is what the server does: the OpenAPI document is made of it, and tests hold every
//     request and answer to it.
//  5. What a caller sends is bounded, decoded strictly and refused with the name of the field.
package api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/ui/internal/session"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// Store is what the API needs of the relational store.
type Store interface {
	Change(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error)
	ChangeMany(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error)
	Revisions(ctx context.Context) (revision, ruleset int64, err error)
	Position(ctx context.Context) (store.Position, error)
	Rules(ctx context.Context) ([]rule.Rule, error)
	Ruleset(ctx context.Context) ([]rule.Rule, rule.Tables, error)
	RuleByID(ctx context.Context, id int64) (rule.Rule, error)
	DevHosts(ctx context.Context) ([]store.DevHost, error)
	Teams(ctx context.Context) ([]store.Team, error)
	ConfigValues(ctx context.Context) ([]store.ConfigValue, error)
	APIKeys(ctx context.Context) ([]store.APIKey, error)
	Changes(ctx context.Context, f store.ChangeFilter) (store.Page[store.Change], error)
	ChangeByID(ctx context.Context, id int64) (*store.Change, error)
	ChangesWith(ctx context.Context, c *store.Change, limit int) ([]store.Change, error)
	ChainHead(ctx context.Context) (store.ChainHead, error)
	VerifyPart(ctx context.Context, p store.VerifyParams) (store.ChainPart, error)
	CompareRecords(ctx context.Context, after store.RecordPoint, limit int) (store.RecordsPart, error)
	Rotations(ctx context.Context) ([]rotation.State, error)
	AuditLogs(ctx context.Context, f store.AuditFilter) (store.Page[store.AuditLog], error)
	Histogram(ctx context.Context, f store.AuditFilter, step time.Duration) (store.Histogram, error)
	HostsSeen(ctx context.Context, prefix string, since time.Time, n int) ([]string, error)
	AuditByID(ctx context.Context, id event.ID) (store.AuditLog, error)
	RulesetChanges(ctx context.Context, version int64, limit int) ([]store.Change, bool, error)
	Books(ctx context.Context) (store.Books, error)
	BooksSince(ctx context.Context, from int64) (store.Books, []store.KindSum, error)
	RuleHits(ctx context.Context, since time.Time) ([]store.RuleHits, error)
	Sums(ctx context.Context, from, to int64) ([]store.KindSum, error)
	Judged(ctx context.Context, from int64) (int64, error)
	Steps(ctx context.Context, from, to, step int64) ([]store.StepSum, error)
	RatePerMinute(ctx context.Context, from, to int64) ([]int64, error)
}

// Queues is what the API needs of the queues.
type Queues interface {
	Depth(ctx context.Context, q queue.Name) (queue.Depth, error)
	Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error)
	Requeue(ctx context.Context, p queue.RequeueParams) (int, error)
	Discard(ctx context.Context, p queue.DiscardParams) (int, error)
}

// Deps are the parts that the API works on. All are required but Once.
type Deps struct {
	Store   Store
	Queues  Queues
	Dynamic *config.Dynamic
	// DynamicEnabled is false when dynamic_config.enabled is: the routes of /config then answer 503.
	DynamicEnabled bool
	// Apply brings what is committed into force in this process. It is called after each change, before the answer.
	Apply func(context.Context) error
	// Fold brings the queue's counters into the store, so that the books are whole.
	Fold func(context.Context) error
	// Letters says what will become of the dead letters of a queue; nil when there are none.
	Letters interface {
		Summary(ctx context.Context, q queue.Name) (*deadletter.Summary, error)
	}
	// Processes lists the live processes by name.
	Processes func(context.Context) ([]apiclient.Process, error)
	// Problems lists what is wrong in all processes.
	Problems func(context.Context) (apiclient.Problems, error)
	// Destinations lists where alerts go and how that stands; their SentRate is left open.
	Destinations func(context.Context) ([]apiclient.Destination, error)
	// Top lists the hosts or rules with the most events of 15 minutes.
	Top func(ctx context.Context, by string) (apiclient.Top, error)
	// Hold gives, renews or ends the hold on a rotation.
	Hold func(ctx context.Context, secret string, h apiclient.RotationHold) (apiclient.RotationHeld, error)
	// Secrets tells which version of each secret every process works by.
	Secrets func(context.Context) (apiclient.Secrets, error)
	// Objectives tells how the service level objectives stand.
	Objectives func(context.Context) (apiclient.SLOs, error)
	Version    func() apiclient.Version
	Document   []byte             // the OpenAPI document, made by NewDocument
	Docs       httpserver.Handler // serves it as a page
	Logger     *zap.Logger
	Now        func() time.Time
	Gate       Gate
	Sessions   *session.Sessions
	Once       *authn.Once // nil: there are no keys for one login
	// SessionIdle is how long a session lives without a call, for the answers that say so.
	SessionIdle   time.Duration
	SecureCookies bool // also where this process itself speaks no TLS
	// Tryouts is how many calls that try rules out run at once, and TryoutTime how long each may take.
	Tryouts    int
	TryoutTime time.Duration
}

// API holds the handlers.
type API struct {
	Deps
	rules, hosts, teams listCache
	checking            chan struct{} // held while rules from outside are compiled and their examples checked
	trying              tryouts
	ranking             *ranking
	counted             atomic.Pointer[countedRules]
	streaming           streams
	tail                tail
	sampling            chan struct{} // held while the samples are read
	exporting           chan struct{} // has an element for each export
	samples             atomic.Pointer[samples]
	config              atomic.Pointer[storedConfig] // as it was read last
}

// New makes the API.
func New(d Deps) *API {
	deps.Must(d, "Once")
	return &API{Deps: d, tail: tail{store: d.Store, log: d.Logger, now: d.Now}, checking: make(chan struct{}, 1), sampling: make(chan struct{}, 1),
		exporting: make(chan struct{}, maxExports), ranking: newRanking(), trying: tryouts{most: d.Tryouts, freed: make(chan struct{})}}
}

// endpoint is one operation below a prefix.
type endpoint struct {
	method, path string
	role         authn.Role
	handler      echo.HandlerFunc
	op           openapi.Operation // what it takes and answers: ops_*.go, beside the handlers
}

// endpoints is the table of the contract: every operation with the least role that may call it and its declaration.
func (a *API) endpoints() []endpoint {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []endpoint{
		{get, "/version", authn.Public, a.version, opVersion()},
		{get, "/whoami", authn.Any, a.whoami, opWhoami()},
		{get, "/openapi.json", authn.Public, a.openapi, opDocument()},
		{get, "/docs", authn.Public, a.Docs, opDocs()},

		{post, "/session", authn.Public, a.login, opLogin()},
		{get, "/session", authn.Any, a.getSession, opGetSession()},
		{del, "/session", authn.Any, a.logout, opLogout()},
		{get, "/keys", authn.Admin, a.listKeys, opListKeys()},
		{post, "/keys", authn.Admin, a.createKey, opCreateKey()},
		{get, "/keys/:id", authn.Admin, a.getKey, opGetKey()},
		{patch, "/keys/:id", authn.Admin, a.updateKey, opUpdateKey()},
		{del, "/keys/:id", authn.Admin, a.deleteKey, opDeleteKey()},
		{post, "/keys/:id/rotate", authn.Admin, a.rotateKey, opRotateKey()},

		{get, "/rules", authn.Viewer, a.listRules, opListRules()},
		{post, "/rules", authn.Operator, a.createRule, opCreateRule()},
		{get, "/rules/export", authn.Viewer, a.exportRules, opExportRules()},
		{post, "/rules/import", authn.Operator, a.importRules, opImportRules()},
		{get, "/rules/stats", authn.Viewer, a.ruleStats, opRuleStats()},
		{post, "/rules/test", authn.Viewer, a.testRule, opTestRule()},
		{post, "/rules/preview", authn.Viewer, a.previewRules, opPreviewRules()},
		{post, "/rules/matches", authn.Viewer, a.matchRule, opMatchRule()},
		{get, "/rules/:id", authn.Viewer, a.getRule, opGetRule()},
		{put, "/rules/:id", authn.Operator, a.updateRule, opUpdateRule("updateRule")},
		{patch, "/rules/:id", authn.Operator, a.updateRule, opUpdateRule("patchRule")},
		{del, "/rules/:id", authn.Operator, a.deleteRule, opDeleteRule()},

		{get, "/dev-hosts", authn.Viewer, a.listHosts, opListHosts()},
		{post, "/dev-hosts", authn.Operator, a.createHost, opCreateHost()},
		{del, "/dev-hosts/:hostname", authn.Operator, a.deleteHost, opDeleteHost()},
		{get, "/teams", authn.Viewer, a.listTeams, opListTeams()},
		{post, "/teams", authn.Operator, a.createTeam, opCreateTeam()},
		{put, "/teams/:hostname", authn.Operator, a.updateTeam, opUpdateTeam()},
		{del, "/teams/:hostname", authn.Operator, a.deleteTeam, opDeleteTeam()},

		{get, "/config", authn.Viewer, a.dynamic(a.listConfig), opListConfig()},
		{get, "/config/history", authn.Viewer, a.dynamic(a.configHistory), opConfigHistory()},
		{post, "/config/rollback", authn.Operator, a.dynamic(a.rollback), opRollback()}, // of a dynamic key: admin
		{get, "/config/:key", authn.Viewer, a.dynamic(a.getConfig), opGetConfig()},
		{put, "/config/:key", authn.Admin, a.dynamic(a.setConfig), opSetConfig()},
		{del, "/config/:key", authn.Admin, a.dynamic(a.unsetConfig), opUnsetConfig()},

		{get, "/audit", authn.Viewer, a.listChanges, opListChanges("listChanges", "List the change audit")},
		{get, "/audit/head", authn.Viewer, a.auditHead, opAuditHead()},
		{get, "/audit/verify", authn.Viewer, a.verifyAudit, opVerifyAudit()},
		{get, "/audit/verify/records", authn.Viewer, a.verifyRecords, opVerifyRecords()},
		{get, "/audit/:id", authn.Viewer, a.getChange, opGetChange()},
		{get, "/config-audit", authn.Viewer, a.listChanges, opListChanges("listConfigAudit", "List the change audit, under the predecessor's name")},
		{get, "/audit-logs", authn.Viewer, a.listAuditLogs, opListAuditLogs()},
		{get, "/audit-logs/export", authn.Viewer, a.exportAuditLogs, opExportAuditLogs()},
		{get, "/audit-logs/:id", authn.Viewer, a.getAuditLog, opGetAuditLog()},
		{get, "/events/stream", authn.Viewer, a.streamEvents, opStreamEvents()},
		{get, "/events/histogram", authn.Viewer, a.histogram, opHistogram()},
		{get, "/events/hosts", authn.Viewer, a.seen, opHostsSeen()},
		{get, "/events/:id", authn.Viewer, a.getEvent, opGetEvent()},
		{get, "/events/:id/draft", authn.Viewer, a.draftRule, opDraftRule()},

		{get, "/queues", authn.Viewer, a.listQueues, opListQueues()},
		{get, "/dlq/:queue", authn.Viewer, a.listDead, opListDead()},
		{get, "/dlq/:queue/:id", authn.Viewer, a.getDead, opGetDead()},
		{post, "/dlq/:queue/replay", authn.Operator, a.replayDead, opReplayDead()},
		{del, "/dlq/:queue/:id", authn.Operator, a.discardDead, opDiscardDead()},

		{get, "/secrets", authn.Admin, a.listSecrets, opListSecrets()},
		{get, "/secrets/rotations", authn.Admin, a.listRotations, opListRotations()},
		{put, "/secrets/rotations/:secret", authn.Admin, a.putRotation, opPutRotation()},
		{post, "/secrets/rotations/:secret/hold", authn.Admin, a.holdRotation, opHoldRotation()},

		{get, "/problems", authn.Viewer, a.listProblems, opListProblems()},
		{get, "/pipeline", authn.Viewer, a.pipeline, opPipeline()},
		{get, "/top", authn.Viewer, a.top, opTop()},
		{get, "/series", authn.Viewer, a.series, opSeries()},
		{get, "/processes", authn.Viewer, a.listProcesses, opListProcesses()},
		{get, "/metrics", authn.Viewer, a.metrics, opMetrics()},
		{get, "/slo", authn.Viewer, a.slo, opSLO()},
		{get, "/ledger", authn.Viewer, a.ledger, opLedger()},
	}
}

// Prefixes are the paths below which every endpoint stands.
func Prefixes() []string { return []string{"/api/v1", "/api/v2"} }

// Routes lists every endpoint below every prefix, and the document at the root as well.
func (a *API) Routes() []httpserver.Route {
	var routes []httpserver.Route
	for _, prefix := range Prefixes() {
		for _, e := range a.endpoints() {
			routes = append(routes, httpserver.Route{Method: e.method, Path: prefix + e.path, Role: e.role, Handler: bounded(e.op, e.handler)})
		}
	}
	return append(routes,
		httpserver.Route{Method: http.MethodGet, Path: "/openapi.json", Role: authn.Public, Handler: bounded(opDocument(), a.openapi)},
		httpserver.Route{Method: http.MethodGet, Path: "/docs", Role: authn.Public, Handler: bounded(opDocs(), a.Docs)})
}
