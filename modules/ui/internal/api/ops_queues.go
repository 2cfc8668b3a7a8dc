package api

import (
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/openapi"
)

const tagQueues = "Queues"

func opListQueues() openapi.Operation {
	return openapi.Op(tagQueues, "listQueues", "Show the queues", "", openapi.Gives(ok, "depth and age of each", apiclient.Queues{}))
}

func opListDead() openapi.Operation {
	return openapi.Op(tagQueues, "listDeadLetters", "List the dead letters of a queue", "The oldest event first, by cursor.",
		queueInPath(), walked(), openapi.Gives(ok, "a page of dead letters", apiclient.DeadLetters{}), openapi.Tagged())
}

func opGetDead() openapi.Operation {
	return openapi.Op(tagQueues, "getDeadLetter", "Show a dead letter", "", queueInPath(), deadInPath(), openapi.Gives(ok, "the dead letter", apiclient.DeadLetter{}))
}

func opReplayDead() openapi.Operation {
	return openapi.Op(tagQueues, "replayDeadLetters", "Put dead letters back", "Exactly one of ids, all and count, and a reason, in the body or in X-Reason. The change audit has a row before anything is moved, and one with the outcome. What cannot be delivered dies again.",
		queueInPath(), openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.ReplayRequest{},
			Example: map[string]any{"all": true, "reason": "the destination is repaired"}}),
		reasoned(), openapi.Gives(ok, "they are in the queue again", apiclient.Replayed{}))
}

func opDiscardDead() openapi.Operation {
	return openapi.Op(tagQueues, "discardDeadLetter", "Discard a dead letter", "It is gone for good, and counted as discarded. X-Reason is required; the change audit has a row before it goes, and one with the outcome.",
		queueInPath(), deadInPath(), reasoned(), openapi.Gives(ok, "it is gone", apiclient.Done{}))
}

func queueInPath() openapi.Part {
	return named("queue", "name of the queue", openapi.OneOf(vocabulary()["queue"]...))
}

func deadInPath() openapi.Part {
	return eventInPath()
}
