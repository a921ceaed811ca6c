# A price that is in force: without one no budget would count. After api.
json $API/prices/ -d '{"valid_from": "2020-01-01", "per_minute": "0.37", "currency": "USD"}' >/dev/null
