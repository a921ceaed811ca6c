"""The names in the made-up log that a benchmark asks for: what is common in it, and what is rare."""

COMMON_WORD = "tomorrow"  # in one sentence of twenty
RARE_WORD = "quokka"  # in one of about ten thousand
COMMON_PERSONA, RARE_PERSONA = "pe_0000", "pe_0039"
COMMON_ACTOR, RARE_ACTOR = "ana", "auditor"
COMMON_KEY, RARE_KEY = "key_tts", "key_audit"
OURS = "0b5e7a44-0000-4000-8000-000000000001"  # our participant's id in every room
