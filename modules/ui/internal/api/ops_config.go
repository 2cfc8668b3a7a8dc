package api

import (
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
)

const tagConfig = "Configuration"

func opListConfig() openapi.Operation {
	return openapi.Op(tagConfig, "listConfig", "List the dynamic keys", "Under /api/v2 with items, which say all about each key.",
		openapi.Gives(ok, "the values in force", apiclient.Config{}), openapi.Tagged(), switchedOff())
}

func opConfigHistory() openapi.Operation {
	return openapi.Op(tagConfig, "configHistory", "List the changes of dynamic keys", "Newest first.",
		filtered("key", "only of this key"), paged(), openapi.Gives(ok, "a page of changes", apiclient.History{}), openapi.Tagged(), switchedOff())
}

func opGetConfig() openapi.Operation {
	return openapi.Op(tagConfig, "getConfig", "Show a dynamic key", "", keyInPath(), openapi.Gives(ok, "the key", apiclient.ConfigItem{}), openapi.Tagged(), switchedOff())
}

func opSetConfig() openapi.Operation {
	return openapi.Op(tagConfig, "setConfig", "Set a dynamic key", "In force in this process before the answer, in every other within a second.",
		keyInPath(), openapi.Takes(apiclient.ConfigInput{}), changed(), openapi.Gives(ok, "the value is in force", apiclient.ConfigChanged{}, "ETag"), switchedOff())
}

func opUnsetConfig() openapi.Operation {
	return openapi.Op(tagConfig, "unsetConfig", "Unset a dynamic key", "It goes back to its variable's value, else to its default. What is not set stays so.",
		keyInPath(), changed(), openapi.Gives(ok, "the value that is in force now", apiclient.ConfigChanged{}, "ETag"), switchedOff())
}

func keyInPath() openapi.Part {
	return named("key", "name of the key", openapi.Text(maxParam).WithExample("moog_rate_limit"))
}

// switchedOff is what dynamic_config.enabled: false does to /config.
func switchedOff() openapi.Part { return openapi.Fails(fault.FeatureOff) }
