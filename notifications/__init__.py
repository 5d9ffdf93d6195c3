"""The decisions: who hears of an event, in which words, when, and what an outcome means. No SQL, Redis or SMTP."""
