# P: a persona that somebody renamed at Tavus.
P=$(json $API/personas/ -d '{"persona_name": "Reader", "pipeline_mode": "echo"}' | field id)
THERE=$(api $API/personas/$P/ | field persona_id)
curl -sS -X PATCH "$TWIN_URL/v2/personas/$THERE" -H 'x-api-key: anything' -H 'Content-Type: application/json' \
  -d '[{"op": "add", "path": "/persona_name", "value": "Another"}]' >/dev/null
