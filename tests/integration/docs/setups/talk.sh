# C: a conversation in whose joined room something was said. After api.
begin() {
  local persona one
  persona=$(json $API/personas/ -d '{"persona_name": "Reader", "pipeline_mode": "echo"}' | field id)
  one=$(json $API/conversations/ -d '{"replica_id": "re8e740a42", "persona_id": "'$persona'", "join": true}' | field id)
  json "$API/conversations/$one/echoes/?wait=spoken" -d '{"text": "Good morning."}' >&2
  echo "$one"
}
C=$(begin)
