package api

import (
	"net/http"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
)

const (
	tagHosts = "Development hosts"
	tagTeams = "Teams"
)

func opListHosts() openapi.Operation {
	return openapi.Op(tagHosts, "listHosts", "List the development hosts", "By name. Any other host is one of production.",
		openapi.Gives(ok, "all entries", apiclient.Hosts{}), openapi.Tagged())
}

func opCreateHost() openapi.Operation {
	return openapi.Op(tagHosts, "createHost", "Add development hosts", "One as JSON, or many as CSV, with a heading such as hostname, host, device or node; other columns are ignored. Those that exist stay as they are.",
		openapi.Takes(apiclient.HostInput{}), inventoryParams(), csvBody("hostname\nlab1\n10.1.0.0/16\n"), changed(),
		openapi.Gives(http.StatusCreated, "the entry is in force", apiclient.Done{}, "ETag"),
		openapi.Gives(ok, "the CSV file is in force", apiclient.Imported{}), openapi.Fails(fault.AlreadyExists))
}

func opDeleteHost() openapi.Operation {
	return openapi.Op(tagHosts, "deleteHost", "Remove a development host", "A CIDR is escaped in the path: 10.1.0.0%2F16.",
		hostInPath(), changed(), openapi.Gives(ok, "the entry is not in force any more", apiclient.Done{}))
}

func opListTeams() openapi.Operation {
	return openapi.Op(tagTeams, "listTeams", "List the teams of devices", "By hostname, glob, address or CIDR. They get the meta-alerts of unhandled events; an exact hostname wins over a glob, and a glob over an address or a CIDR.",
		openapi.Gives(ok, "all entries", apiclient.Teams{}), openapi.Tagged())
}

func opCreateTeam() openapi.Operation {
	return openapi.Op(tagTeams, "createTeam", "Give devices a team", "One as JSON, or many as CSV, with headings such as hostname and team in any order; other columns are ignored. Those that have one are changed.",
		openapi.Takes(apiclient.TeamInput{}), inventoryParams(), csvBody("hostname,team_assignment\nsw1,NETOPS\n"), changed(),
		openapi.Gives(http.StatusCreated, "the entry is in force", apiclient.Done{}, "ETag"),
		openapi.Gives(ok, "the CSV file is in force", apiclient.Imported{}), openapi.Fails(fault.AlreadyExists))
}

func opUpdateTeam() openapi.Operation {
	return openapi.Op(tagTeams, "updateTeam", "Change the team of a device", "", hostInPath(), openapi.Takes(apiclient.TeamChangeInput{}), changed(),
		openapi.Gives(ok, "the entry is in force", apiclient.Done{}))
}

func opDeleteTeam() openapi.Operation {
	return openapi.Op(tagTeams, "deleteTeam", "Take a device's team away", "", hostInPath(), changed(), openapi.Gives(ok, "it has none any more", apiclient.Done{}))
}

func hostInPath() openapi.Part {
	return named("hostname", "as it is listed, in any case", openapi.Text(maxHostname).WithExample("sw1"))
}

// csvBody takes a CSV file (RFC 4180) beside JSON.
func csvBody(example string) openapi.Part {
	return openapi.TakesAs(openapi.Content{MediaType: csvType, Schema: openapi.Text(0), Example: example})
}
