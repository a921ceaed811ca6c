# OTHER: a second conversation. After talk.
OTHER=$(begin)
