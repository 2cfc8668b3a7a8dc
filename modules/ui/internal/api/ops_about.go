package api

import (
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/openapi"
)

const tagAbout = "This MUTT"

func opVersion() openapi.Operation {
	return openapi.Op(tagAbout, "version", "Show the version", "", openapi.Gives(ok, "what runs here", apiclient.Version{}))
}

func opWhoami() openapi.Operation {
	return openapi.Op(tagAbout, "whoami", "Show who the caller is", "", openapi.Gives(ok, "name and role", apiclient.Whoami{}))
}

func opListProcesses() openapi.Operation {
	return openapi.Op(tagAbout, "listProcesses", "List the live processes", "By name.", openapi.Gives(ok, "every process that told of itself lately", apiclient.Processes{}))
}

func opListProblems() openapi.Operation {
	return openapi.Op(tagAbout, "listProblems", "List what is wrong", "What /health warns of in every process. The process that answers looks at itself now; the others published their list with their last "+
		"heartbeat, at most 8 seconds ago. A problem of several processes is listed once.", openapi.Gives(ok, "every problem", apiclient.Problems{}))
}

func opMetrics() openapi.Operation {
	return openapi.Op(tagAbout, "metrics", "Show the rates", "Received events per minute, over all processes.", openapi.Gives(ok, "the rates", apiclient.Metrics{}))
}

func opSLO() openapi.Operation {
	return openapi.Op(tagAbout, "slo", "Show the service level objectives", "Targets, windows and burn rates are dynamic keys. What cannot be told without data is null.",
		openapi.Gives(ok, "how each objective stands", apiclient.SLOs{}))
}

func opLedger() openapi.Operation {
	return openapi.Op(tagAbout, "ledger", "Show the two books", "Whether everything that was received was judged, and all that was to be forwarded was delivered.",
		openapi.InQuery("window", "the statement of this window as well", openapi.OneOf("1h", "24h")),
		openapi.Gives(ok, "the books", apiclient.Ledger{}))
}

func opPipeline() openapi.Operation {
	return openapi.Op(tagAbout, "pipeline", "Show the pipeline", "Where events are now and how fast they move: sources, queues, judging, destinations. Rates are of the last minute, from the books.",
		openapi.Gives(ok, "the pipeline", apiclient.Pipeline{}))
}

func opTop() openapi.Operation {
	return openapi.Op(tagAbout, "top", "List the busiest hosts or rules", "Of the last 15 minutes, over all processes, from counters in bounded memory.",
		openapi.InQuery("by", "what is counted", openapi.OneOf(apiclient.TopHosts, apiclient.TopRules).WithDefault(apiclient.TopHosts)), openapi.Gives(ok, "the busiest", apiclient.Top{}))
}

func opSeries() openapi.Operation {
	return openapi.Op(tagAbout, "series", "Show the books over time", "In steps of one minute (1h) or five (24h), over all processes.",
		openapi.InQuery("range", "how far back", openapi.OneOf("1h", "24h").WithDefault("1h")), openapi.Gives(ok, "counts by time", apiclient.Series{}))
}

func opDocument() openapi.Operation {
	return openapi.Op(tagAbout, "openapi", "Get this document", "", openapi.GivesAs(openapi.Answer{Status: ok, About: "OpenAPI 3.1",
		Contents: []openapi.Content{{MediaType: openapi.JSON, Schema: &openapi.Schema{Type: openapi.Types{"object"}, Required: []string{"openapi", "info", "paths"}}}}}),
		openapi.Tagged())
}

func opDocs() openapi.Operation {
	return openapi.Op(tagAbout, "docs", "Read this document as a page", "It needs no network beyond this server.", openapi.GivesAs(openapi.Answer{Status: ok, About: "the page",
		Contents: []openapi.Content{{MediaType: "text/html", Schema: openapi.Text(0)}}}), openapi.Tagged())
}
