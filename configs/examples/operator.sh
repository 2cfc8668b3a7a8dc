#!/usr/bin/env bash
# A day of an operator with curl alone: read the configuration, change a limit and say why, see it in force in the ingestor, read the
# history, roll the change back, create a rule, send an event, and read what became of it.
#
#   WEBUI_API_KEY=… INGEST_API_KEY=… configs/examples/operator.sh
#
# MUTT_ADMIN and MUTT_INGEST name the two listeners. It leaves MUTT as it was, but for the audit and one event. A step that fails ends it
# with exit code 1.
set -euo pipefail

admin=${MUTT_ADMIN:-http://127.0.0.1:8090}/api/v2
ingest=${MUTT_INGEST:-http://127.0.0.1:8080}
: "${WEBUI_API_KEY:?set it to a key with the role admin}" "${INGEST_API_KEY:?set it to a key with the role ingest}"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# call METHOD URL [BODY] prints the answer; an error answer is shown and ends the script.
call() {
  local answer status
  answer=$(curl -sS --max-time 20 -X "$1" -H "X-API-KEY: ${key:-$WEBUI_API_KEY}" -H 'Content-Type: application/json' \
    ${3:+--data "$3"} -w '\n%{http_code}' "$2")
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  [ "$status" -lt 400 ] || fail "$1 $2 answers $status $answer"
  printf '%s\n' "$answer"
}

# field NAME prints the first value of that name, which must be a number or a text without quotes in it.
field() { grep -oE "\"$1\":(\"[^\"]*\"|[^,}]*)" | head -n 1 | sed -E 's/^[^:]*:"?//; s/"?$//'; }

# in_force VALUE waits until the ingestor limits by it: a change is promised within a second, a busy machine gets more.
in_force() {
  for _ in $(seq 100); do
    [ "$(call GET "$ingest/admin/config" | field ingest_max_rate)" != "$1" ] || return 0
    sleep 0.1
  done
  fail "ingest_max_rate is not $1 in the ingestor"
}

say 'what applies now'
before=$(call GET "$admin/config/ingest_max_rate" | field value)
echo "ingest_max_rate is $before"
changed=$((before + 234))

say 'change the limit, with a reason'
call PUT "$admin/config/ingest_max_rate" "{\"value\":$changed,\"reason\":\"storm on the access layer\"}"

say 'in force in the ingestor'
in_force "$changed" && echo yes

say 'the history of the key'
history=$(call GET "$admin/config/history?key=ingest_max_rate&limit=1")
echo "$history"
audit_id=$(echo "$history" | field id)
[ "$(echo "$history" | field new_value)" = "$changed" ] || fail 'the history does not begin with the change'
[ "$(echo "$history" | field reason)" = 'storm on the access layer' ] || fail 'the history does not say why'

say 'roll it back'
call POST "$admin/config/rollback" "{\"audit_id\":$audit_id,\"reason\":\"the storm is over\"}"
in_force "$before" && echo "ingest_max_rate is $before again"

say 'a rule'
rule=$(call POST "$admin/rules" '{"name":"example: door of the rack","match_string":"rack door open","prod_handling":"Ticket_only",
  "dev_handling":"Log_only","team_assignment":"FACILITY","priority":50,"reason":"an example"}')
echo "$rule"
rule_id=$(echo "$rule" | field id)
trap 'call DELETE "$admin/rules/$rule_id" >/dev/null' EXIT

say 'an event, and what became of it'
# The rule judges within a second. Until then an event would count as unhandled, so one is sent until the rule has judged.
for try in $(seq 50); do
  host=rack-7-$$-$try
  sent=$(key=$INGEST_API_KEY call POST "$ingest/api/v2/ingest" "{\"hostname\":\"$host\",\"timestamp\":\"$(date -u +%FT%TZ)\",\"message\":\"rack door open\"}")
  correlation=$(echo "$sent" | field correlation_id)
  for _ in $(seq 50); do
    row=$(call GET "$admin/audit-logs?correlation_id=$correlation")
    [ -z "$(echo "$row" | field fate)" ] || break
    sleep 0.1
  done
  [ "$(echo "$row" | field matched_rule_id)" != "$rule_id" ] || break
done
echo "$row"
[ "$(echo "$row" | field matched_rule_id)" = "$rule_id" ] || fail "rule $rule_id did not judge the event"
[ "$(echo "$row" | field handling_decision)" = Ticket_only ] || fail 'the event is not a ticket'

say 'done'
