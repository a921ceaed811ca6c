"""The quickstart's own server, as its readers run it: Flask, one global client, one room. For the benchmark.

`python quickstart_app.py ROOM_URL PORT PROXY_URL`
"""

import sys

from daily import CallClient, Daily, EventHandler
from flask import Flask, jsonify, request

app = Flask(__name__)
client = None


class RoomHandler(EventHandler):
    def on_app_message(self, message, sender):
        print(f"Incoming app message from {sender}: {message}")


@app.route("/send_audio_message", methods=["POST"])
def send_audio_message():
    if client is None:
        return jsonify({"error": "Not connected to a room"}), 400
    body = request.json
    properties = {key: body[key] for key in ("modality", "inference_id", "audio", "text", "done") if key in body}
    properties["sample_rate"] = body.get("sample_rate", 16000)
    message = {
        "message_type": "conversation",
        "event_type": "conversation.echo",
        "conversation_id": body["conversation_id"],
        "properties": properties,
    }
    try:
        client.send_app_message(message)
    except Exception as error:  # noqa: BLE001 - as the quickstart has it
        return jsonify({"error": f"Failed to send message: {error}"}), 500
    return jsonify({"status": "Message sent successfully"}), 200


if __name__ == "__main__":
    room_url, port, proxy_url = sys.argv[1:]
    Daily.init()
    client = CallClient(event_handler=RoomHandler())
    client.set_proxy_url(proxy_url)
    client.join(room_url)
    app.run(port=int(port))
