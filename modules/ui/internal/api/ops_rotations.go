package api

import (
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/rotation"
)

const tagSecrets = "Secrets"

func opListRotations() openapi.Operation {
	return openapi.Op(tagSecrets, "listRotations", "List the rotations of secrets", "The last one of each secret. 'mutt secrets rotate' makes them; no secret is in them.",
		openapi.Gives(ok, "how far each has come", apiclient.Rotations{}), openapi.Tagged())
}

func opPutRotation() openapi.Operation {
	return openapi.Op(tagSecrets, "putRotation", "Note a step of a rotation", "For whoever rotates: the step before was done and checked. Steps come in their order.",
		rotatedInPath(), openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.RotationInput{},
			Example: map[string]any{"id": "019ab3c8-5b4c-7000-8000-000000000001", "step": "stage", "base": 3}}),
		changed(), openapi.Fails(fault.Conflict), openapi.Gives(ok, "the step is noted", apiclient.Rotation{}, "ETag"))
}

func opHoldRotation() openapi.Operation {
	return openapi.Op(tagSecrets, "holdRotation", "Hold a rotation", "For whoever rotates: only one at a time works on it.",
		rotatedInPath(), openapi.Takes(apiclient.RotationHold{}), openapi.Gives(ok, "who holds it", apiclient.RotationHeld{}))
}

func rotatedInPath() openapi.Part {
	return named("secret", "what is rotated", openapi.OneOf(rotationWords()["rotated"]...))
}

// rotationWords are the words of the enumerations of a rotation.
func rotationWords() map[string][]string {
	v := map[string][]string{}
	for _, s := range rotation.Subjects() {
		v["rotated"] = append(v["rotated"], string(s))
	}
	for _, s := range rotation.AllSteps() {
		v["rotation_step"] = append(v["rotation_step"], string(s))
	}
	return v
}
