# P: an echo persona with a replica. After api.
P=$(json $API/personas/ -d '{"persona_name": "Reader", "pipeline_mode": "echo", "default_replica_id": "re8e740a42"}' | field id)
