package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
)

// Bounds of the names in a rotation, in bytes.
const (
	maxRotationID = 64
	maxHolder     = 128
)

func (a *API) listRotations(c echo.Context) error {
	ctx := c.Request().Context()
	revision, _, err := a.Store.Revisions(ctx)
	if err != nil {
		return err
	}
	all, err := a.Store.Rotations(ctx)
	if err != nil {
		return err
	}
	out := apiclient.Rotations{Rotations: []apiclient.Rotation{}}
	for i := range all {
		out.Rotations = append(out.Rotations, rotationOf(&all[i]))
	}
	return answerList(c, revision, out)
}

// putRotation notes the next step of a rotation. What the step does is done by whoever rotates, with rights that no server of MUTT has.
func (a *API) putRotation(c echo.Context) error {
	var in apiclient.RotationInput
	if err := readJSON(c, &in); err != nil {
		return err
	}
	subject, err := rotationSubject(c)
	if err != nil {
		return err
	}
	if err := plainName("id", in.ID, maxRotationID); err != nil {
		return err
	}
	next := rotation.State{Subject: subject, ID: in.ID, Step: rotation.Step(in.Step), Base: in.Base, Staged: in.Staged, Promoted: in.Promoted}
	_, err = a.change(c, in.Reason, func(ch change) error {
		present, err := ch.Rotation(subject)
		if err != nil {
			return err
		}
		if present != nil {
			if err := ch.want.check("the rotation of "+string(subject), present.Revision); err != nil {
				return err
			}
		}
		next, err = ch.PutRotation(next)
		return err
	})
	if err != nil {
		return err
	}
	return answerOne(c, next.Revision, rotationOf(&next))
}

// holdRotation lets one at a time work on a rotation. That is a courtesy: what keeps two from spoiling each other's work is the revision.
func (a *API) holdRotation(c echo.Context) error {
	var in apiclient.RotationHold
	if err := readJSON(c, &in); err != nil {
		return err
	}
	subject, err := rotationSubject(c)
	if err != nil {
		return err
	}
	if err := plainName("holder", in.Holder, maxHolder); err != nil {
		return err
	}
	held, err := a.Hold(c.Request().Context(), string(subject), in)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, held)
}

func rotationSubject(c echo.Context) (rotation.Subject, error) {
	name, err := pathParam(c, "secret")
	if err != nil {
		return "", err
	}
	return rotation.ParseSubject(name)
}

func plainName(field, name string, bound int) error {
	if name == "" || len(name) > bound || !plain(name) {
		return fault.Field(fault.Unprocessable, field, "takes 1 to %d bytes without control characters", bound)
	}
	return nil
}

func rotationOf(s *rotation.State) apiclient.Rotation {
	return apiclient.Rotation{Secret: string(s.Subject), ID: s.ID, Step: string(s.Step), Open: s.Open(), Abortable: s.Open() && s.Subject.Abortable(s.Step),
		Base: s.Base, Staged: s.Staged, Promoted: s.Promoted, StartedAt: s.StartedAt, StartedBy: s.StartedBy,
		UpdatedAt: s.UpdatedAt, UpdatedBy: s.UpdatedBy, Revision: s.Revision}
}
