# The shell's words of the README.
API=$ECHOADMIN_URL/api/v1
KEY=$ECHOADMIN_KEY
api() { curl -sS -H "Authorization: Bearer $KEY" "$@"; }
json() { api -H "Content-Type: application/json" "$@"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
