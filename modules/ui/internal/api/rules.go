package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
)

func (a *API) listRules(c echo.Context) error {
	return a.cachedList(c, &a.rules, func(ctx context.Context) (any, error) {
		rules, err := a.Store.Rules(ctx)
		return apiclient.Rules{Rules: rules}, err
	})
}

func (a *API) getRule(c echo.Context) error {
	id, err := ruleID(c)
	if err != nil {
		return err
	}
	r, err := a.Store.RuleByID(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return answerOne(c, r.Revision, r)
}

func (a *API) createRule(c echo.Context) error {
	body, reason, err := ruleBody(c)
	if err != nil {
		return err
	}
	r, err := rule.Decode(body, "reason")
	if err != nil {
		return ruleFault("", err)
	}
	check, reason, err := examplesOf(c, reason)
	if err != nil {
		return err
	}
	made := apiclient.Created{}
	var revision int64
	err = a.settled(func(moved func() error) error {
		seen, err := a.checkSaved(c.Request().Context(), check, 0, &r)
		if err != nil {
			return err
		}
		revision, err = a.change(c, reason, func(tx change) error {
			if err := tx.unchanged(); err != nil {
				return err
			}
			if seen.moved(tx) {
				return moved()
			}
			r.ID, err = tx.CreateRule(r)
			made.AuditID = tx.AuditID()
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	made.ID, made.Message = r.ID, fmt.Sprintf("rule %q created", r.Name)
	c.Response().Header().Set("Location", fmt.Sprintf("%s/%d", c.Request().URL.Path, r.ID))
	c.Response().Header().Set("ETag", revisionTag(revision))
	return answer(c, http.StatusCreated, made)
}

// updateRule takes the fields to change, for PUT as for PATCH: so did the predecessor.
func (a *API) updateRule(c echo.Context) error {
	id, err := ruleID(c)
	if err != nil {
		return err
	}
	body, reason, err := ruleBody(c)
	if err != nil {
		return err
	}
	check, reason, err := examplesOf(c, reason)
	if err != nil {
		return err
	}
	saved := apiclient.RuleSaved{ID: id}
	err = a.settled(func(moved func() error) error {
		old, err := a.Store.RuleByID(c.Request().Context(), id)
		if err != nil {
			return err
		}
		r, err := rule.Merge(old, body, "reason")
		if err != nil {
			return ruleFault("", err)
		}
		seen, err := a.checkSaved(c.Request().Context(), check, id, &r)
		if err != nil {
			return err
		}
		_, err = a.change(c, reason, func(tx change) error {
			now, err := tx.Rule(id)
			if err != nil {
				return err
			}
			if err := tx.want.check(fmt.Sprintf("rule %d", id), now.Revision); err != nil {
				return err
			}
			if now.Revision != old.Revision || seen.moved(tx) {
				return moved()
			}
			before := tx.AuditID()
			if err := tx.UpdateRule(r); err != nil {
				return err
			}
			if saved.AuditID = tx.AuditID(); saved.AuditID == before { // it was so already
				saved.AuditID = 0
			}
			now, err = tx.Rule(id)
			saved.Revision, saved.Message = now.Revision, fmt.Sprintf("rule %q updated", now.Name)
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", revisionTag(saved.Revision))
	return answer(c, http.StatusOK, saved)
}

func (a *API) deleteRule(c echo.Context) error {
	id, err := ruleID(c)
	if err != nil {
		return err
	}
	check, reason, err := examplesOf(c, "")
	if err != nil {
		return err
	}
	saved := apiclient.RuleSaved{ID: id}
	err = a.settled(func(moved func() error) error {
		seen, err := a.checkSaved(c.Request().Context(), check, id, nil)
		if err != nil {
			return err
		}
		saved.Revision, err = a.change(c, reason, func(tx change) error {
			old, err := tx.Rule(id)
			if err != nil {
				return err
			}
			if err := tx.want.check(fmt.Sprintf("rule %d", id), old.Revision); err != nil {
				return err
			}
			if seen.moved(tx) {
				return moved()
			}
			saved.Message = fmt.Sprintf("rule %q deleted", old.Name)
			err = tx.DeleteRule(id)
			saved.AuditID = tx.AuditID()
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, saved)
}

func ruleID(c echo.Context) (int64, error) {
	text, err := pathParam(c, "id")
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, fault.Field(fault.InvalidField, "id", "is no rule id: a whole number from 1")
	}
	return id, nil
}

// ruleBody reads a body with the fields of a rule and perhaps a reason.
func ruleBody(c echo.Context) (body []byte, reason string, err error) {
	if body, _, err = readBody(c, maxBody, jsonType); err != nil {
		return nil, "", err
	}
	var beside struct {
		Reason string `json:"reason"`
	}
	if err := jsonFault(json.Unmarshal(body, &beside)); err != nil {
		return nil, "", err
	}
	return body, beside.Reason, nil
}

// maxFaults is how many faults an answer lists.
const maxFaults = 10

// ruleFault makes one fault of all that is wrong with a rule: the first gives code and field, the message lists all.
func ruleFault(where string, err error) error {
	if err == nil {
		return nil
	}
	faults := rule.Faults(err)
	if len(faults) == 0 {
		return err
	}
	first := *faults[0]
	if first.Field != "" {
		first.Field = where + first.Field
	}
	var more []string
	for i, f := range faults[1:] {
		if i == maxFaults {
			more = append(more, fmt.Sprintf("and %d more", len(faults)-1-maxFaults))
			break
		}
		more = append(more, strings.TrimPrefix(where+f.Field+": "+f.Message, ": "))
	}
	if len(more) > 0 {
		first.Message += "; " + strings.Join(more, "; ")
	}
	return &first
}
